package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"
)

// largest is what is taken of a file.
const largest = 8 << 30

var silence = 30 * time.Second // that is waited for the next byte; tests have less

// Fetch writes the whole file to to. What came before an error was written, too.
func (o *Origin) Fetch(ctx context.Context, to io.Writer) error { return o.fetch(ctx, to, largest) }

// FetchSmall is a file of no more than most bytes.
func (o *Origin) FetchSmall(ctx context.Context, to io.Writer, most int64) error {
	return o.fetch(ctx, to, most)
}

func (o *Origin) fetch(ctx context.Context, to io.Writer, most int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(silence, func() { cancel(fmt.Errorf("nothing came for %s", silence)) })
	defer late.Stop()
	address, err := o.Address(ctx)
	if err != nil {
		return o.broken(err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return o.broken(errors.New("it is no address"))
	}
	client := o.client()
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil {
		return o.broken(why(ctx, err))
	}
	defer func() { _ = answer.Body.Close() }() // only read from
	// net/http takes an answer that comes while it closes the connection, and a server may end
	// its answer as it should once it is told that nobody listens any more.
	if ctx.Err() != nil {
		return o.broken(why(ctx, nil))
	}
	if answer.StatusCode != http.StatusOK {
		return o.refused(answer.StatusCode, word(answer.Body))
	}
	n, err := io.Copy(to, io.LimitReader(&alive{answer.Body, late}, most+1))
	switch {
	case err != nil || ctx.Err() != nil:
		return o.broken(why(ctx, err))
	case n > most:
		return o.broken(fmt.Errorf("it is larger than %d bytes", most))
	}
	return nil
}

// why is what ended ctx, else err.
func why(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// alive puts the end off with each byte.
type alive struct {
	r    io.Reader
	late *time.Timer
}

func (a *alive) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	if n > 0 {
		a.late.Reset(silence)
	}
	return n, err
}

// client gives the bytes as they are stored, leaves https for nothing else, and tells
// nobody where it came from: that address may hold a token.
func (o *Origin) client() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableCompression = true
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: t, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		r.Header.Del("Referer")
		switch {
		case o.Redirects() == 0:
			return http.ErrUseLastResponse
		case r.URL.Scheme != "https":
			return fmt.Errorf("it leads to %q, away from https", r.URL.Scheme)
		case len(via) > o.Redirects():
			return fmt.Errorf("it leads on more than %d times", o.Redirects())
		}
		return nil
	}}
}

var said = regexp.MustCompile(`<Code>([A-Za-z0-9]{1,64})</Code>`)

// word is S3's own for why not.
func word(body io.Reader) string {
	text, _ := io.ReadAll(io.LimitReader(body, 4<<10)) // it may have none
	if m := said.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}
