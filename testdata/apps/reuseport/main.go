// Command reuseport shares its port by SO_REUSEPORT: a new release is started beside the
// old one and both answer, until TERM ends the old.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"

	"apps/web"
)

var version, mode = "dev", "ok" // -X main.version=v2 -X main.mode=…

func main() {
	listen := flag.String("listen", ":8080", "`address` to listen on")
	flag.Parse()
	app := web.New(version, mode)
	app.Start()
	app.Hang()
	if err := run(app, *listen); err != nil {
		log.Fatal(err)
	}
}

func run(app *web.App, listen string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	shared := net.ListenConfig{Control: reusePort}
	ln, err := shared.Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: app.Handler()}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	app.Ready(ln.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return app.Drain(srv)
	}
}

// soReusePort is SO_REUSEPORT on Linux; package syscall has it on some machines only.
const soReusePort = 0xf

func reusePort(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1)
	})
	return errors.Join(err, set)
}
