package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop answers as the app does.
func shop(version string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "shop %s web1\n", version) })
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "slow %s\n", version) })
	mux.HandleFunc("POST /echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = w.Write(body)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Version", version)
		mux.ServeHTTP(w, r)
	})
}

// loaded runs the load against h for a second. A busy machine starts requests
// late, which is a failure of its own kind; tests leave it out of what they count.
func loaded(t *testing.T, h http.Handler) (report, string, error) {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	var out, people strings.Builder
	err := run(context.Background(), []string{"-url", srv.URL, "-for", "1s", "-json"}, &out, &people)
	var r report
	if e := json.Unmarshal([]byte(out.String()), &r); e != nil {
		t.Fatalf("report %q: %v", out.String(), e)
	}
	return r, people.String(), err
}

func TestEveryRequestServedIsCountedWithItsVersion(t *testing.T) {
	r, people, _ := loaded(t, shop("v7"))
	if r.Failed != r.Failures["generator"] || r.Served == 0 || r.Versions["v7"] != r.Served {
		t.Fatalf("got %+v", r)
	}
	for _, c := range classes {
		if r.Classes[c.name].Served == 0 {
			t.Errorf("nothing served in class %s", c.name)
		}
	}
	lines := strings.Split(strings.TrimSpace(people), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, fmt.Sprintf("served %d failed %d in ", r.Served, r.Failed)) {
		t.Errorf("last line %q", last)
	}
}

func TestEachKindOfFailureIsCounted(t *testing.T) {
	for kind, answer := range map[string]http.HandlerFunc{
		"status": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no server", 503) },
		"body":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "something else") },
		"short": func(w http.ResponseWriter, _ *http.Request) {
			breakOff(w, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshop")
		},
		"closed": func(w http.ResponseWriter, _ *http.Request) { breakOff(w, "") },
		"reset":  func(w http.ResponseWriter, _ *http.Request) { reset(w) },
	} {
		t.Run(kind, func(t *testing.T) {
			var n atomic.Int64
			good := shop("v1")
			r, _, err := loaded(t, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				if n.Add(1)%20 == 0 {
					w.Header().Set("X-Version", "v1")
					answer(w, q)
					return
				}
				good.ServeHTTP(w, q)
			}))
			want, late := int(n.Load()/20), r.Failures["generator"]
			if !errors.Is(err, errFailed) || r.Failed != want+late || r.Failures[kind] != want || len(r.Texts) != min(want+late, maxTexts) {
				t.Errorf("want %d %s and errFailed, got %d failed, %v, %q, %v", want, kind, r.Failed, r.Failures, r.Texts, err)
			}
			if got := r.Served + want; got != int(n.Load()) {
				t.Errorf("the server saw %d requests, the report has %d: one was tried twice or lost", n.Load(), got)
			}
		})
	}
}

func hijack(w http.ResponseWriter) net.Conn {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	return c
}

func breakOff(w http.ResponseWriter, begun string) {
	c := hijack(w)
	_, _ = io.WriteString(c, begun)
	c.Close()
}

func reset(w http.ResponseWriter) {
	c := hijack(w)
	_ = c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

func TestNobodyListeningIsAFailureOfEachRequest(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(nil)
	srv.Close()
	var out strings.Builder
	err := run(context.Background(), []string{"-url", srv.URL, "-for", "500ms"}, &out, io.Discard)
	if !errors.Is(err, errFailed) || !strings.Contains(out.String(), "served 0 failed") || !strings.Contains(out.String(), "failures dial ") {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

// pair is a connection of ours and the server's end of it.
func pair(t *testing.T) (*conn, net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := dial(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); far.Close() })
	return c, far
}

func TestAnOrderlyCloseBetweenRequestsIsNoFailure(t *testing.T) {
	t.Parallel()
	c, far := pair(t)
	if err := c.idle(); err != nil {
		t.Fatalf("open connection: %v", err)
	}
	far.Close()
	time.Sleep(50 * time.Millisecond)
	if err := c.idle(); !errors.Is(err, errClosed) {
		t.Errorf("got %v, want errClosed", err)
	}
}

func TestAResetBetweenRequestsIsAFailure(t *testing.T) {
	t.Parallel()
	c, far := pair(t)
	_ = far.(*net.TCPConn).SetLinger(0)
	far.Close()
	time.Sleep(50 * time.Millisecond)
	if err := c.idle(); err == nil || !strings.HasPrefix(err.Error(), "idle: after 0 requests: connection reset") {
		t.Errorf("got %v", err)
	}
}

func TestBytesThatNobodyAskedForAreAFailure(t *testing.T) {
	t.Parallel()
	c, far := pair(t)
	_, _ = io.WriteString(far, "HTTP/1.1 408 Request Timeout\r\n\r\n")
	time.Sleep(50 * time.Millisecond)
	if err := c.idle(); err == nil || err.Error() != "protocol: bytes without a request" {
		t.Errorf("got %v", err)
	}
}

func TestUsageErrorsNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"-url is missing":           nil,
		`unexpected argument "10s"`: {"-url", "http://h/", "10s"},
		`invalid value "ftp://h" for flag -url: "ftp://h": want http://HOST[:PORT]/`: {"-url", "ftp://h"},
	} {
		if err := run(context.Background(), args, io.Discard, io.Discard); err == nil || err.Error() != want {
			t.Errorf("%v: got %v, want %s", args, err, want)
		}
	}
}
