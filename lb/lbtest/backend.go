package lbtest

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Backend is the app on one host. It answers its name; /slow?for=1s takes its
// time; /health is for the balancer.
type Backend struct {
	Name, Addr string
	Served     atomic.Int64 // requests that were no health checks
	Checks     atomic.Int64 // health checks
	InFlight   atomic.Int64
	Sick       atomic.Bool  // /health answers 500
	Fails      atomic.Int64 // every so manieth request that is no health check is answered 500; 0: none

	t      testing.TB
	mu     sync.Mutex
	server *httptest.Server
}

// NewBackend is host number i, on an address of its own, until t ends.
func NewBackend(t testing.TB, i int) *Backend {
	b := &Backend{Name: fmt.Sprintf("web%d", i), t: t}
	b.start(fmt.Sprintf("127.0.0.%d:0", 10+i))
	t.Cleanup(b.Kill)
	return b
}

func (b *Backend) start(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Addr = l.Addr().String()
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: b}}
	s.Start()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server = s
}

func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/health" {
		b.Checks.Add(1)
		if b.Sick.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return
	}
	n, fails := b.Served.Add(1), b.Fails.Load()
	b.InFlight.Add(1)
	defer b.InFlight.Add(-1)
	if d, err := time.ParseDuration(r.URL.Query().Get("for")); err == nil {
		time.Sleep(d)
	}
	if r.URL.Path == "/broken" || fails > 0 && n%fails == 0 {
		w.WriteHeader(http.StatusInternalServerError)
	}
	fmt.Fprint(w, b.Name)
}

// Kill closes the listener and every connection at once.
func (b *Backend) Kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.server == nil {
		return
	}
	b.server.Listener.Close()
	b.server.CloseClientConnections()
	b.server.Close()
	b.server = nil
}

// Revive listens again on the same address.
func (b *Backend) Revive() { b.start(b.Addr) }
