// Command shop is the app that the fleets of this project run: a small HTTP
// server that takes a new release over on SIGHUP, without losing a connection.
// Its version, and how it misbehaves, are fixed when it is linked.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cloudflare/tableflip"

	"apps/web"
)

var (
	version = "dev" // -X main.version=v2
	mode    = "ok"  // -X main.mode=…, a word of package web
)

func main() {
	listen := flag.String("listen", ":8080", "`address` to listen on")
	pidFile := flag.String("pidfile", "/run/shop/pid", "`file` to write the serving process's id to")
	flag.Parse()
	if err := run(web.New(version, mode), *listen, *pidFile); err != nil {
		log.Fatal(err)
	}
}

// run serves until the process is told to stop or a new one took over, and
// returns once the requests in flight are answered.
func run(app *web.App, listen, pidFile string) error {
	app.Start()
	// The old process ends a new one that is not ready by then.
	upg, err := tableflip.New(tableflip.Options{PIDFile: pidFile, UpgradeTimeout: 20 * time.Second})
	if err != nil {
		return err
	}
	defer upg.Stop()
	go heed(app, upg)
	ln, err := upg.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	also, err := second(upg)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if app.Mode == "hangs" {
		log.Print("waiting for the cache to warm up")
		<-upg.Exit()
		return nil
	}
	return serve(app, upg, append(also, ln)...)
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

func serve(app *web.App, upg *tableflip.Upgrader, listeners ...net.Listener) error {
	srv := &http.Server{Handler: app.Handler()}
	failed := make(chan error, len(listeners))
	for _, ln := range listeners {
		go func() { failed <- srv.Serve(ln) }()
	}
	if err := upg.Ready(); err != nil {
		return fmt.Errorf("ready: %w", err)
	}
	app.Ready(listeners[len(listeners)-1].Addr())
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-upg.Exit():
	}
	return app.Drain(srv)
}

// heed acts on signals: HUP starts the release that is installed now and hands
// over to it, TERM and INT end this process.
func heed(app *web.App, upg *tableflip.Upgrader) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, os.Interrupt)
	for s := range signals {
		switch {
		case s != syscall.SIGHUP:
			log.Printf("%s: stopping", s)
			upg.Stop()
		case app.Mode == "ignores":
			log.Print("hangup: not upgrading: upgrades are switched off in this release")
		default:
			upgrade(app, upg)
		}
	}
}

func upgrade(app *web.App, upg *tableflip.Upgrader) {
	log.Print("hangup: upgrading")
	if err := upg.Upgrade(); err != nil {
		log.Printf("upgrade refused, still serving %s: %v", app.Version, err)
	}
}
