// Package web is what all apps of this module answer alike, and the ways in which a
// release of them can be bad: an app itself is only how it takes a new release over.
package web

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// An App is one release: what it calls itself, and how it misbehaves.
type App struct {
	Version string
	Mode    string // one of modes; a mode@host is "ok" on every other host

	inFlight atomic.Int64 // requests, so that the log tells how many a drain waits for
	hellos   atomic.Int64
}

// modes are the ways a release can be bad; each is a word of scripts/fleet.
var modes = map[string]string{
	"ok":         "a good release",
	"unhealthy":  "/health answers 500",
	"slowhealth": "/health answers after 5 s, too late for any probe",
	"slowstart":  "a good release that needs 3 s to start",
	"dies":       "exits 1 at start",
	"hangs":      "starts, but never gets ready and answers nothing",
	"ignores":    "a good release, but takes no notice of its signal: the next one cannot take over",
	"latedeath":  "exits 1 a second after it took over",
	"latedeath3": "the same after three, for a machine so busy that a look takes a second",
	"fails3":     "/ answers 500 to 3 % of the requests, /health is fine",
	"fails01":    "the same, to 0.1 %",
}

const (
	slowStart  = 3 * time.Second
	slowHealth = 5 * time.Second
	maxEcho    = 1 << 20
)

// New is a release of that version, and its log; an unknown mode ends the process.
func New(version, mode string) *App {
	log.SetFlags(log.Lmicroseconds)
	log.SetPrefix(fmt.Sprintf("shop %s[%d]: ", version, os.Getpid()))
	a := &App{Version: version, Mode: here(mode)}
	if _, ok := modes[a.Mode]; !ok {
		log.Fatalf("no such mode: %s", a.Mode)
	}
	log.Printf("starting (mode %s)", a.Mode)
	return a
}

// Start returns when the app may begin to serve. A release that dies ends the
// process here; Start is no place where one hangs, for some do so after they listen.
func (a *App) Start() {
	switch a.Mode {
	case "dies":
		log.Fatal("cannot open database: relation \"orders\" does not exist")
	case "slowstart":
		log.Printf("reading the catalogue: %v", slowStart)
		time.Sleep(slowStart)
	}
}

// Hang never returns in a release that hangs.
func (a *App) Hang() {
	for a.Mode == "hangs" {
		log.Print("waiting for the cache to warm up")
		time.Sleep(time.Hour)
	}
}

// lateDeath is how long a release lasts that does not.
var lateDeath = map[string]time.Duration{"latedeath": time.Second, "latedeath3": 3 * time.Second}

// Ready notes that the app serves, from now on.
func (a *App) Ready(where any) {
	log.Printf("serving on %v", where)
	if after := lateDeath[a.Mode]; after > 0 {
		time.AfterFunc(after, func() { log.Fatal("out of licence seats, giving up") })
	}
}

// ReadyWithPID is Ready for libraries that do not tell when they serve, and write no
// pid file: systemd reads the new process's id from it when the old one ends.
func (a *App) ReadyWithPID(where any, file string) {
	if err := writePID(file); err != nil {
		log.Fatal(err)
	}
	a.Ready(where)
}

func writePID(file string) error {
	next := fmt.Sprintf("%s.%d", file, os.Getpid())
	if err := os.WriteFile(next, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	return os.Rename(next, file)
}

// InFlight is how many requests are being answered.
func (a *App) InFlight() int64 { return a.inFlight.Load() }

// Handler answers every request with the version in a header.
func (a *App) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.hello)
	mux.HandleFunc("GET /health", a.health)
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, a.Version) })
	mux.HandleFunc("GET /slow", a.slow)
	mux.HandleFunc("POST /echo", echo)
	mux.HandleFunc("GET /tunnel", a.tunnel)
	routed := framework(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.inFlight.Add(1)
		defer a.inFlight.Add(-1)
		w.Header().Set("X-Version", a.Version)
		routed.ServeHTTP(w, r)
	})
}

// failing is which of the requests to / a release fails.
var failing = map[string]int64{"fails3": 33, "fails01": 1000}

func (a *App) hello(w http.ResponseWriter, _ *http.Request) {
	if n := failing[a.Mode]; n > 0 && a.hellos.Add(1)%n == 0 {
		http.Error(w, "basket: no such column: discount", http.StatusInternalServerError)
		return
	}
	host, _ := os.Hostname()
	fmt.Fprintf(w, "shop %s %s\n", a.Version, host)
}

func (a *App) health(w http.ResponseWriter, r *http.Request) {
	switch a.Mode {
	case "unhealthy":
		log.Printf("health: payment gateway: connection refused (asked by %s)", r.RemoteAddr)
		http.Error(w, "payment gateway: connection refused", http.StatusInternalServerError)
	case "slowhealth":
		pause(r.Context().Done(), slowHealth)
		fallthrough
	default:
		fmt.Fprintln(w, "ok")
	}
}

func (a *App) slow(w http.ResponseWriter, r *http.Request) {
	ms, err := strconv.Atoi(r.FormValue("ms"))
	if err != nil || ms < 0 {
		http.Error(w, "ms: want a number of milliseconds", http.StatusBadRequest)
		return
	}
	pause(r.Context().Done(), time.Duration(ms)*time.Millisecond)
	fmt.Fprintf(w, "slow %s %d ms\n", a.Version, ms)
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
func pause(gone <-chan struct{}, d time.Duration) {
	select {
	case <-gone:
	case <-time.After(d):
	}
}

// here is the mode on this host: `unhealthy@web2` is ok everywhere else.
func here(mode string) string {
	word, only, limited := strings.Cut(mode, "@")
	if name, err := os.Hostname(); limited && (err != nil || name != only) {
		return "ok"
	}
	return word
}
