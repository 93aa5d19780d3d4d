package site

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/flipdeploy/flipdeploy/remote"
)

// pullers is how many hosts fetch the artifact at once: as many as saturate any origin, and
// overwhelm none.
const pullers = 64

const pulled = "pull" // a way: the host fetches it by itself

// puller is the host's program that fetches, or why it has none that can.
func (x *shipment) puller() (tool, why string) {
	switch {
	case x.Kind == TarZst && !x.found.has("zstd"):
		return "", "it has no zstd"
	case x.found.has("curl"):
		return "curl", ""
	case x.found.has("wget"):
		return "wget", ""
	}
	return "", noPuller
}

const noPuller = "it has neither curl nor GNU wget"

// CanPull tells whether a host with these tools fetches the artifact by itself.
func (a *Artifact) CanPull(tools []string) bool { return a.From != nil && a.NoPull(tools) == "" }

// NoPull is why it cannot, "" where it can.
func (a *Artifact) NoPull(tools []string) string {
	_, why := (&shipment{Cargo: &Cargo{Artifact: a}, found: found{tools: tools}}).puller()
	return why
}

// pull returns once the host has fetched the artifact and made it a release. It waits for
// its turn among those that fetch.
func (x *shipment) pull(ctx context.Context) error {
	tool, why := x.puller()
	if tool == "" {
		return &Error{text: why, code: "FD-PULL", hint: "install curl there"}
	}
	select {
	case x.pulls <- struct{}{}:
		defer func() { <-x.pulls }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	address, err := x.From.Address(ctx)
	if err != nil {
		return err
	}
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("address of %s: it cannot be read", x.From)
	}
	return x.without(u, x.pullWith(ctx, tool, u))
}

func (x *shipment) pullWith(ctx context.Context, tool string, u *url.URL) error {
	config, size, v := ask(tool, u), x.FileSize(), maps.Clone(x.vars)
	rate, least := x.share()
	maps.Copy(v, vars{"how": pulled, "temp": stageName(), "parts": "", "tool": tool, "scheme": u.Scheme,
		"redirects": strconv.Itoa(x.From.Redirects()), "rate": rate, "least": least,
		"kind": string(x.Kind), "blobhash": x.SHA256, "size": strconv.FormatInt(size, 10)})
	x.tell(0, size)
	out := &counter{r: strings.NewReader(config)}
	hear := &ear{tell: func(n int64) { x.tell(n, size) }}
	text, err := x.m.Stream(remote.Heard(patient(ctx), hear), x.script(pullLib+stageScript, v), out)
	x.sent += out.n
	if err == nil && !strings.HasSuffix(string(text), "staged\n") {
		return fmt.Errorf("stage: the host answered %.100q", text)
	}
	return x.explain(err)
}

// ask is what the tool reads from its stdin, where no list of processes shows it.
func ask(tool string, u *url.URL) string {
	if tool == "wget" {
		return u.String() + "\n"
	}
	return "url = " + strconv.Quote(u.String()) + "\n"
}

// share is a host's of the limit, "" without one, and the bytes a second below which the
// origin is as good as dead.
func (x *shipment) share() (rate, least string) {
	if x.o.Limit == nil {
		return "", strconv.Itoa(slow)
	}
	n := max(1, int64(x.o.Limit.rate)/int64(min(pullers, max(1, x.o.Hosts))))
	return strconv.FormatInt(n, 10), strconv.FormatInt(min(slow, (n+1)/2), 10)
}

const slow = 1 << 10

var addresses = regexp.MustCompile(`https?:/\S*`)

// without takes what of the address lets others in out of the host's words, which may end
// in the middle of it.
func (x *shipment) without(u *url.URL, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return err
	}
	text := addresses.ReplaceAllString(e.text, "…")
	for _, secret := range []string{u.RawQuery, u.User.String()} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return &Error{text: text, code: e.code, hint: e.hint}
}

// An ear tells how far the host is from its lines "at BYTES".
type ear struct {
	tell func(n int64)
	line []byte
	at   int64
}

func (e *ear) Write(p []byte) (int, error) {
	for _, b := range p {
		if b != '\n' {
			e.line = append(e.line, b)
			e.line = e.line[:min(len(e.line), 64)]
			continue
		}
		if rest, is := bytes.CutPrefix(e.line, []byte("at ")); is {
			if n, err := strconv.ParseInt(string(rest), 10, 64); err == nil && n > e.at {
				e.tell(n - e.at)
				e.at = n
			}
		}
		e.line = e.line[:0]
	}
	return len(p), nil
}
