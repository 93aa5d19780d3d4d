package health

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestProbeTellsWhatCame(t *testing.T) {
	head := func(status string, lines ...string) string {
		return "HTTP/1.1 " + status + "\r\n" + strings.Join(append(lines, "", ""), "\r\n")
	}
	for _, c := range []struct {
		name, answer, want string
		check              Check
	}{
		{"good", head("200 OK") + "fine", "<nil>", Check{}},
		{"no body", head("204 No Content"), "<nil>", Check{Status: Status{Class: 2}}},
		{"listed", head("418 I'm a teapot") + "x", "<nil>", Check{Status: Status{Codes: []int{200, 418}}}},
		{"not listed", head("204 No Content"), "/health answered 204 No Content", Check{}},
		{"failing", head("500 Internal Server Error") + "db down\n", `/health answered 500 Internal Server Error: "db down"`, Check{}},
		{"no reason phrase", head("503 ") + "no", `/health answered 503 Service Unavailable: "no"`, Check{}},
		{"early hints", head("103 Early Hints", "Link: </a>") + head("200 OK"), "<nil>", Check{}},
		{"only hints", strings.Repeat(head("103 Early Hints"), 9), "more than 5 answers with a status of 1xx", Check{}},
		{"redirect", head("302 Found", "Location: http://127.0.0.1:1/well"), `/health answered 302 Found to "http://127.0.0.1:1/well", which is not followed`, Check{}},
		{"redirect of the class 2xx", head("301 Moved Permanently", "Location: /x"), `/health answered 301 Moved Permanently to "/x", which is not followed`, Check{Status: Status{Class: 2}}},
		{"redirect, listed", head("302 Found", "Location: /x"), "<nil>", Check{Status: Status{Codes: []int{302}}}},
		{"text missing", head("200 OK") + "starting", `/health answered without "ready": 200 OK: "starting"`, Check{Body: "ready"}},
		{"text there", head("200 OK") + "all ready", "<nil>", Check{Body: "ready"}},
		{"not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", `malformed HTTP response "SSH-2.0-OpenSSH_9.2"`, Check{}},
		{"nothing", "", "connection closed before the end of the answer", Check{}},
		{"half a body", head("200 OK", "Content-Length: 9") + "half", "/health answered 200 OK, but its body broke off: connection closed before the end of the answer", Check{}},
		{"terminal escapes", head("500 Oops") + "\x1b]52;c;ZXZpbA==\a\u202e\u009b31m ##[error]x\r\n::set-output", `/health answered 500 Oops: "\x1b]52;c;ZXZpbA==\a\u202e\u009b31m ##\[error]x ::set-output"`, Check{}},
		{"a long text", head("500 Oops") + strings.Repeat("y", 5000), `/health answered 500 Oops: "` + strings.Repeat("y", 120) + `…"`, Check{}},
		{"endless headers", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 1<<20), "/health answered more than 64 KiB of headers", Check{}},
	} {
		t.Run(c.name, func(t *testing.T) { wantError(t, probe(t, c.check, listen(t, says(c.answer))), c.want) })
	}
}

func TestProbeEndsInTime(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		want  string
	}{
		{"accepts and says nothing", func(conn net.Conn) { conn.Read(make([]byte, 4096)); conn.Read(make([]byte, 1)) }, "no answer within 300ms"},
		{"a slow head", func(conn net.Conn) {
			for _, b := range []byte("HTTP/1.1 200 OK") {
				conn.Write([]byte{b})
				time.Sleep(50 * time.Millisecond)
			}
		}, "no answer within 300ms"},
		{"one byte at a time", untilClosed("x", 20*time.Millisecond), "/health answered 200 OK, but its body was not complete within 300ms"},
		{"a body that never comes", func(conn net.Conn) {
			says("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")(conn)
			conn.Read(make([]byte, 1))
		}, "/health answered 200 OK, but its body was not complete within 300ms"},
	} {
		t.Run(c.name, func(t *testing.T) { wantError(t, probe(t, Check{}, listen(t, c.serve)), c.want) })
	}
}

func TestProbeReadsNoMoreThanItsShareOfAnEndlessBody(t *testing.T) {
	sent := make(chan int, 1)
	addr := listen(t, func(conn net.Conn) {
		readRequest(conn)
		conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		n := 0
		for piece := make([]byte, 16<<10); ; n += len(piece) {
			if _, err := conn.Write(piece); err != nil {
				sent <- n
				return
			}
		}
	})
	wantError(t, probe(t, Check{Timeout: 5 * time.Second}, addr), "<nil>")
	if n := <-sent; n > 32<<20 { // what the kernel buffers on loopback, not what we read
		t.Errorf("the server could send %d bytes", n)
	}
	wantError(t, probe(t, Check{Timeout: 5 * time.Second, Body: "ready"}, addr), `/health answered without "ready": 200 OK: "`+strings.Repeat(`\x00`, 120)+`…"`)
	<-sent
}

func TestProbeDoesNotUnpack(t *testing.T) {
	var asked http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header.Clone()
		w.Header().Set("Content-Encoding", "gzip")
		w.Write([]byte("\x1f\x8b\x08 not even gzip"))
	}))
	defer server.Close()
	wantError(t, probe(t, Check{Body: "not even"}, server.Listener.Addr().String()), "<nil>")
	if got := asked.Get("Accept-Encoding"); got != "" {
		t.Errorf("asked for the encoding %q", got)
	}
}

func TestProbeAsksAloneAndPlainly(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	requests := make(chan string, 1)
	addr := listen(t, func(conn net.Conn) {
		requests <- readRequest(conn)
		conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	})
	wantError(t, probe(t, Check{Path: "/up?deep=1", Host: "shop.example"}, addr), "<nil>")
	want := "GET /up?deep=1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: flipdeploy-health\r\nConnection: close\r\n\r\n"
	if got := <-requests; got != want {
		t.Errorf("request\n got %q\nwant %q", got, want)
	}
}

func TestProbeUsesAFreshConnectionEachTime(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	opened := make(chan struct{}, 9)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	for range 3 {
		wantError(t, probe(t, Check{}, server.Listener.Addr().String()), "<nil>")
	}
	if len(opened) != 3 {
		t.Errorf("3 questions used %d connections", len(opened))
	}
}

func TestProbeByTCPWantsAConnectionOnly(t *testing.T) {
	addr := listen(t, func(net.Conn) {})
	wantError(t, probe(t, Check{Kind: TCP}, addr), "<nil>")
	wantError(t, probe(t, Check{Kind: TCP}, closedPort(t)), "connection refused")
	wantError(t, probe(t, Check{}, closedPort(t)), "connection refused")
	wantError(t, probe(t, Check{Kind: "ping"}, addr), `health.kind: "ping" is not known here`)
	wantError(t, probe(t, Check{Path: "health"}, addr), `health: "health" is not a path`)
}

func TestProbeAddsThePort(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1": "10.0.0.1:8080", "10.0.0.1:81": "10.0.0.1:81", "::1": "[::1]:8080", "[::1]": "[::1]:8080", "web1": "web1:8080",
	} {
		if got := (Check{Port: 8080}).target(addr); got != want {
			t.Errorf("target(%s) = %s, want %s", addr, got, want)
		}
	}
}

// dialFunc is a dialer that answers as told.
type dialFunc func(ctx context.Context) (net.Conn, error)

func (f dialFunc) DialContext(ctx context.Context, _, _ string) (net.Conn, error) { return f(ctx) }

func failing(text string) Dialer {
	return dialFunc(func(context.Context) (net.Conn, error) { return nil, errors.New(text) })
}

func TestProbeThroughAMachineThatForbidsIt(t *testing.T) {
	for _, c := range []struct {
		text, want string
		forbidden  bool
	}{
		{`ssh: rejected: administratively prohibited ("open failed")`, `connections may not be made through it: ssh: rejected: administratively prohibited ("open failed")`, true},
		{`ssh: rejected: unknown channel type ("unsupported channel type")`, `connections may not be made through it: ssh: rejected: unknown channel type ("unsupported channel type")`, true},
		{`ssh: rejected: connect failed ("Connection refused")`, "connection refused", false},
		{`edge1: dial: ssh: rejected: connect failed ("No route to host")`, "no route to host", false},
		{"edge1: dial 10.0.0.1:80: connect failed: Connection timed out", "connection timed out", false},
		{"edge1: dial 10.0.0.1:80: administratively prohibited: open failed", "connections may not be made through it: edge1: dial 10.0.0.1:80: administratively prohibited: open failed", true},
		{"edge1: connection lost", "edge1: connection lost", false},
	} {
		err := Check{}.Probe(t.Context(), failing(c.text), "10.0.0.1:80")
		wantError(t, err, c.want)
		if Forbidden(err) != c.forbidden {
			t.Errorf("%s: forbidden is %v", c.text, !c.forbidden)
		}
	}
	if Forbidden(nil) {
		t.Error("no error forbids")
	}
}

func TestProbeEndsWithItsContext(t *testing.T) {
	lost := errors.New("the lease was lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	addr := listen(t, func(conn net.Conn) {
		readRequest(conn)
		cancel(lost)
		conn.Read(make([]byte, 1))
	})
	if err := (Check{}).Probe(ctx, here, addr); !errors.Is(err, lost) {
		t.Errorf("got %v", err)
	}
}

func TestProbeEndsWhileConnecting(t *testing.T) {
	hung := dialFunc(func(ctx context.Context) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() })
	wantError(t, Check{Timeout: 20 * time.Millisecond}.Probe(t.Context(), hung, "10.0.0.1:80"), "no connection within 20ms")
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
