package health

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// here dials from this machine.
var here Dialer = &net.Dialer{}

// listen serves every connection with serve, on loopback, until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			func() { defer conn.Close(); serve(conn) }()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// says answers each request with raw bytes.
func says(raw string) func(net.Conn) {
	return func(conn net.Conn) {
		readRequest(conn)
		conn.Write([]byte(raw))
	}
}

func readRequest(conn net.Conn) string {
	var got strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(got.String(), "\r\n\r\n") {
		n, err := conn.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return got.String()
}

// untilClosed writes piece again and again, every, until the other side is gone.
func untilClosed(piece string, every time.Duration) func(net.Conn) {
	return func(conn net.Conn) {
		readRequest(conn)
		conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		for {
			if _, err := conn.Write([]byte(piece)); err != nil {
				return
			}
			time.Sleep(every)
		}
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	got := "<nil>"
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("error\n got %s\nwant %s", got, want)
	}
}

func probe(t *testing.T, c Check, addr string) error {
	t.Helper()
	if c.Timeout == 0 {
		c.Timeout = 300 * time.Millisecond
	}
	began := time.Now()
	err := c.Probe(context.Background(), here, addr)
	if took := time.Since(began); took > c.Timeout+200*time.Millisecond {
		t.Errorf("took %s with a timeout of %s", took, c.Timeout)
	}
	return err
}
