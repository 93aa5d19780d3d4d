package health

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

const (
	headCap = 64 << 10
	bodyCap = 64 << 10
	// A body may come in chunks of one byte, six on the wire.
	wireCap = 8 * bodyCap
	hints   = 5 // 1xx answers before the real one
)

// errSlow ends one question, so that it can be told from the end of a rollout.
var errSlow = errors.New("timeout of one question")

// Probe asks once, on a connection of its own, and returns nil for a good answer.
// addr may lack a port. The error tells what came instead; see Forbidden.
func (c Check) Probe(ctx context.Context, d Dialer, addr string) error {
	c = c.filled()
	switch c.Kind {
	case HTTP:
		a, err := c.ask(ctx, d, addr, c.Path)
		if err != nil {
			return err
		}
		return a.judge(c.Status, c.Body)
	case TCP:
		return c.connect(ctx, d, addr)
	case Command:
		return c.runs(ctx, d)
	}
	return fmt.Errorf("health.kind: %q is not known here", c.Kind)
}

func (c Check) connect(ctx context.Context, d Dialer, addr string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, errSlow)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", c.target(addr))
	if err != nil {
		return c.dialError(ctx, err)
	}
	return conn.Close()
}

// ask returns the answer to one GET; nothing of it is followed, kept or unpacked.
func (c Check) ask(ctx context.Context, d Dialer, addr, path string) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, errSlow)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", c.target(addr))
	if err != nil {
		return answer{}, c.dialError(ctx, err)
	}
	defer func() { _ = conn.Close() }() // an answer was read or it was not
	// Deadlines are not to be had on every connection (an SSH channel has none);
	// closing ends any read and write.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if c.Scheme != "https" {
		return c.exchange(ctx, conn, addr, path)
	}
	// Not closed on its own: its farewell would wait for a peer that does not read.
	secure := tls.Client(conn, &tls.Config{ServerName: c.serverName(addr), RootCAs: c.CA})
	if err := secure.HandshakeContext(ctx); err != nil {
		return answer{}, c.readError(ctx, err)
	}
	return c.exchange(ctx, secure, addr, path)
}

func (c Check) exchange(ctx context.Context, conn net.Conn, addr, path string) (answer, error) {
	req, err := c.request(ctx, addr, path)
	if err != nil {
		return answer{}, err
	}
	if err := req.Write(conn); err != nil {
		return answer{}, c.readError(ctx, err)
	}
	wire := &io.LimitedReader{R: conn, N: headCap}
	res, err := readHead(bufio.NewReader(wire), req)
	if err != nil && wire.N <= 0 {
		return answer{}, fmt.Errorf("%s answered more than %d KiB of headers", path, headCap>>10)
	}
	if err != nil {
		return answer{}, c.readError(ctx, err)
	}
	wire.N = wireCap
	body, err := io.ReadAll(io.LimitReader(res.Body, bodyCap))
	a := answer{path: path, code: res.StatusCode, status: statusLine(res), location: res.Header.Get("Location"), body: string(body)}
	if err != nil {
		return answer{}, c.bodyError(ctx, a, err)
	}
	return a, nil
}

func (c Check) request(ctx context.Context, addr, path string) (*http.Request, error) {
	u, err := url.ParseRequestURI(path)
	if err != nil || u.Host != "" || !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("health: %q is not a path", path)
	}
	u.Scheme, u.Host = c.Scheme, c.target(addr)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	req.Host = or(c.Host, u.Host)
	req.Close = true
	req.Header.Set("User-Agent", "flipdeploy-health")
	return req, nil
}

// readHead skips the answers before the answer, such as 103 Early Hints.
func readHead(r *bufio.Reader, req *http.Request) (*http.Response, error) {
	for range hints {
		res, err := http.ReadResponse(r, req)
		if err != nil || res.StatusCode >= 200 || res.StatusCode == http.StatusSwitchingProtocols {
			return res, err
		}
	}
	return nil, fmt.Errorf("more than %d answers with a status of 1xx", hints)
}

func (c Check) serverName(addr string) string {
	name := or(c.Host, c.target(addr))
	if host, _, err := net.SplitHostPort(name); err == nil {
		return host
	}
	return strings.Trim(name, "[]")
}
