// Command shop is the app that the fleets of this project run: a small HTTP
// server that takes a new release over on SIGHUP, without losing a connection.
// Its version, and how it misbehaves, are fixed when it is linked.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"
)

var (
	version = "dev" // -X main.version=v2
	mode    = "ok"  // -X main.mode=…, one of modes
)

// modes are the ways a release can be bad; each is a word of scripts/fleet.
var modes = map[string]string{
	"ok":         "a good release",
	"unhealthy":  "/health answers 500",
	"slowhealth": "/health answers after 5 s, too late for any probe",
	"dies":       "exits 1 at start",
	"hangs":      "listens, but never gets ready and answers nothing",
	"ignores":    "a good release, but takes no notice of SIGHUP: the next one cannot take over",
	"latedeath":  "exits 1 a second after it took over",
}

const (
	drainFor   = 30 * time.Second // for the last requests of the old process
	lateDeath  = time.Second
	slowHealth = 5 * time.Second
)

func main() {
	listen := flag.String("listen", ":8080", "`address` to listen on")
	pidFile := flag.String("pidfile", "/run/shop/pid", "`file` to write the serving process's id to")
	flag.Parse()
	log.SetFlags(log.Lmicroseconds)
	log.SetPrefix(fmt.Sprintf("shop %s[%d]: ", version, os.Getpid()))
	if err := run(*listen, *pidFile); err != nil {
		log.Fatal(err)
	}
}

// run serves until the process is told to stop or a new one took over, and
// returns once the requests in flight are answered.
func run(listen, pidFile string) error {
	mode = here(mode)
	if _, ok := modes[mode]; !ok {
		return fmt.Errorf("no such mode: %s", mode)
	}
	log.Printf("starting (mode %s)", mode)
	if mode == "dies" {
		return errors.New("cannot open database: relation \"orders\" does not exist")
	}
	// The old process ends a new one that is not ready by then.
	upg, err := tableflip.New(tableflip.Options{PIDFile: pidFile, UpgradeTimeout: 20 * time.Second})
	if err != nil {
		return err
	}
	defer upg.Stop()
	go heed(upg)
	ln, err := upg.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	also, err := second(upg)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if mode == "hangs" {
		log.Print("waiting for the cache to warm up")
		<-upg.Exit()
		return nil
	}
	return serve(upg, append(also, ln)...)
}

// second is the other port of the shop, for fleets that want two.
func second(upg *tableflip.Upgrader) ([]net.Listener, error) {
	addr := os.Getenv("SHOP_ALSO")
	if addr == "" {
		return nil, nil
	}
	ln, err := upg.Listen("tcp", addr)
	return []net.Listener{ln}, err
}

func serve(upg *tableflip.Upgrader, listeners ...net.Listener) error {
	srv := &http.Server{Handler: handler()}
	failed := make(chan error, len(listeners))
	for _, ln := range listeners {
		go func() { failed <- srv.Serve(ln) }()
	}
	if err := upg.Ready(); err != nil {
		return fmt.Errorf("ready: %w", err)
	}
	log.Printf("serving on %s", listeners[len(listeners)-1].Addr())
	if mode == "latedeath" {
		time.AfterFunc(lateDeath, func() { log.Fatal("out of licence seats, giving up") })
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-upg.Exit():
	}
	return drain(srv)
}

// heed acts on signals: HUP starts the release that is installed now and hands
// over to it, TERM and INT end this process.
func heed(upg *tableflip.Upgrader) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, os.Interrupt)
	for s := range signals {
		switch {
		case s != syscall.SIGHUP:
			log.Printf("%s: stopping", s)
			upg.Stop()
		case mode == "ignores":
			log.Print("hangup: not upgrading: upgrades are switched off in this release")
		default:
			upgrade(upg)
		}
	}
}

func upgrade(upg *tableflip.Upgrader) {
	log.Print("hangup: upgrading")
	if err := upg.Upgrade(); err != nil {
		log.Printf("upgrade refused, still serving %s: %v", version, err)
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
