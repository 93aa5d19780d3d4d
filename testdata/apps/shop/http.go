package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

const maxEcho = 1 << 20

// inFlight counts requests, so that the log tells how long the last one took.
var inFlight atomic.Int64

// handler answers every request with the version in a header.
func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", hello)
	mux.HandleFunc("GET /health", health)
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, version) })
	mux.HandleFunc("GET /slow", slow)
	mux.HandleFunc("POST /echo", echo)
	mux.HandleFunc("GET /tunnel", tunnel)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inFlight.Add(1)
		defer inFlight.Add(-1)
		w.Header().Set("X-Version", version)
		mux.ServeHTTP(w, r)
	})
}

func hello(w http.ResponseWriter, _ *http.Request) {
	host, _ := os.Hostname()
	fmt.Fprintf(w, "shop %s %s\n", version, host)
}

func health(w http.ResponseWriter, r *http.Request) {
	switch mode {
	case "unhealthy":
		log.Printf("health: payment gateway: connection refused (asked by %s)", r.RemoteAddr)
		http.Error(w, "payment gateway: connection refused", http.StatusInternalServerError)
	case "slowhealth":
		pause(r.Context(), slowHealth)
		fallthrough
	default:
		fmt.Fprintln(w, "ok")
	}
}

func slow(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.FormValue("ms"))
	if err != nil || ms < 0 {
		http.Error(w, "ms: want a number of milliseconds", http.StatusBadRequest)
		return
	}
	pause(r.Context(), time.Duration(ms)*time.Millisecond)
	fmt.Fprintf(w, "slow %s %d ms\n", version, ms)
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxEcho))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = w.Write(body)
}

// pause returns after d, or at once when the client is gone.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// drain returns once every request in flight is answered.
func drain(srv *http.Server) error {
	log.Printf("draining: %d requests in flight", inFlight.Load())
	ctx, cancel := context.WithTimeout(context.Background(), drainFor)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		return fmt.Errorf("drain: %d requests unanswered: %w", inFlight.Load(), err)
	}
	awaitTunnels(ctx)
	log.Print("drained, gone")
	return nil
}
