package remote_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

func TestSessionTalksBothWaysUntilClosed(t *testing.T) {
	s := remotetest.Start(t)
	m := s.Machine(t)
	session, err := m.Open(t.Context(), "while read -r x; do echo \"heard $x\"; done; echo bye >"+s.Dir+"/ended")
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(session)
	for _, word := range []string{"one", "two"} {
		_, _ = io.WriteString(session, word+"\n")
		if line, err := lines.ReadString('\n'); err != nil || line != "heard "+word+"\n" {
			t.Fatalf("got %q, %v", line, err)
		}
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	if err := session.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if text, _ := os.ReadFile(filepath.Join(s.Dir, "ended")); string(text) != "bye\n" {
		t.Errorf("the script did not end by itself")
	}
}

func TestSessionEndsWithItsContextAndItsScript(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	ctx, cancel := context.WithCancel(t.Context())
	session, err := m.Open(ctx, "cat")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, cancel)
	if _, err := io.ReadAll(session); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("read ended with %v", err)
	}
	<-session.Done()

	session, err = m.Open(t.Context(), "echo busy: web2; exit 75")
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(session); err != nil || string(text) != "busy: web2\n" {
		t.Errorf("got %q, %v", text, err)
	}
	if err := session.Wait(); err == nil || err.Error() != "exit 75" {
		t.Errorf("got %v", err)
	}
}

func TestSessionEndsWithTheConnection(t *testing.T) {
	cable, m := overCable(t)
	session, err := m.Open(t.Context(), "cat")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, cable.Freeze)
	begin := time.Now()
	<-session.Done()
	if d := time.Since(begin); d > 2*time.Second {
		t.Errorf("seen after %s", d)
	}
	if err := session.Wait(); code(err) != "FD-SSH-LOST" {
		t.Errorf("got %v", err)
	}
}

func TestHTTPGoesThroughTheMachine(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "well") }))
	defer server.Close()
	client := http.Client{Transport: &http.Transport{DialContext: m.DialContext, DisableKeepAlives: true}}
	for range 3 {
		answer, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || string(text) != "well" {
			t.Errorf("got %q, %v", text, err)
		}
		_ = answer.Body.Close()
	}
}

func TestDeadlinesOfDialledConnectionsWork(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	conn, err := m.DialContext(t.Context(), "tcp", silent.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	other, err := m.DialContext(ctx, "tcp", silent.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := other.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

func TestDialTellsWhyNothingAnswers(t *testing.T) {
	s := remotetest.Start(t)
	free, _ := net.Listen("tcp", "127.0.0.1:0")
	_ = free.Close()
	_, err := s.Machine(t).DialContext(t.Context(), "tcp", free.Addr().String())
	if want := "dial " + free.Addr().String() + ": connect failed: Connection refused"; err == nil || err.Error() != want || code(err) != "FD-DIAL" {
		t.Errorf("got %v, want %s", err, want)
	}
	locked := remotetest.Start(t, "AllowTcpForwarding no")
	_, err = locked.Machine(t).DialContext(t.Context(), "tcp", "127.0.0.1:1")
	if code(err) != "FD-SSH-FORWARD" {
		t.Errorf("got %v", err)
	}
}

func TestUnixSocketsAreReached(t *testing.T) {
	s := remotetest.Start(t)
	path := filepath.Join(s.Dir, "socket")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.Copy(c, strings.NewReader("hello"))
			_ = c.Close()
		}
	}()
	conn, err := s.Machine(t).DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if text, err := io.ReadAll(conn); err != nil || string(text) != "hello" {
		t.Errorf("got %q, %v", text, err)
	}
}
