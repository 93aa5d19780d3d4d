package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

const (
	dialTimeout   = 5 * time.Second
	answerTimeout = 15 * time.Second
	maxBody       = 1 << 20
)

// A failure is a request that a client would have noticed.
type failure struct {
	kind string // dial, write, reset, closed, short, timeout, status, body, protocol, idle, generator
	text string
}

func (f *failure) Error() string { return f.kind + ": " + f.text }

func fail(kind string, err error) *failure { return &failure{kind: kind, text: err.Error()} }

// A conn is one connection of ours. net/http is used to read answers only: its
// client sends a request again when a reused connection breaks.
type conn struct {
	net.Conn
	reader *bufio.Reader
	used   int
}

func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, dialTimeout)
	if err != nil {
		return nil, fail("dial", err)
	}
	return &conn{Conn: c, reader: bufio.NewReader(c)}, nil
}

var errClosed = errors.New("closed by the server between requests")

// idle returns nil when a request may be written, errClosed when the server
// ended the connection in order, and a *failure for anything else: bytes nobody
// asked for, a reset.
func (c *conn) idle() error {
	if c.reader.Buffered() > 0 {
		return &failure{kind: "protocol", text: "bytes after the answer"}
	}
	n, err := c.peek()
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return nil
	case err != nil:
		return &failure{kind: "idle", text: fmt.Sprintf("after %d requests: %v", c.used, err)}
	case n > 0:
		return &failure{kind: "protocol", text: "bytes without a request"}
	}
	return errClosed
}

// peek looks for a byte without waiting and without taking it.
func (c *conn) peek() (n int, err error) {
	raw, err := c.Conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	var peeked error
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, peeked = syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return true
	})
	return n, errors.Join(err, peeked)
}

// exchange writes r and returns the version that answered it rightly. again is
// true when the server keeps the connection open.
func (c *conn) exchange(r request, host string, last bool) (version string, again bool, err error) {
	c.used++
	_ = c.SetDeadline(time.Now().Add(answerTimeout))
	if _, err := c.Write(r.bytes(host, last)); err != nil {
		return "", false, c.broken("write", err)
	}
	resp, err := http.ReadResponse(c.reader, &http.Request{Method: r.method})
	if err != nil {
		return "", false, c.broken("protocol", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return "", false, c.broken("short", err)
	}
	version = resp.Header.Get("X-Version")
	_ = c.SetDeadline(time.Time{})
	return version, !resp.Close && !last, judge(r, resp, version, body)
}

func judge(r request, resp *http.Response, version string, body []byte) error {
	if resp.StatusCode != http.StatusOK {
		return &failure{kind: "status", text: fmt.Sprintf("%s %s: %s: %.80q", r.method, r.path, resp.Status, body)}
	}
	if err := r.check(version, body); err != nil {
		return &failure{kind: "body", text: fmt.Sprintf("%s %s: %v", r.method, r.path, err)}
	}
	return nil
}

// broken tells how a connection ended under a request; otherwise names what was
// being done when none of the known ways fits.
func (c *conn) broken(otherwise string, err error) error {
	kind := otherwise
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		kind = "timeout"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		kind = "reset"
	case otherwise == "short":
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		kind = "closed"
	}
	return &failure{kind: kind, text: fmt.Sprintf("request %d on %v: %v", c.used, c.LocalAddr(), err)}
}
