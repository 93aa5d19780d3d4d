// Command plain is an app without any means of taking a new release over: TERM has it
// answer what is in flight and end, and a hangup kills it, as it does every Go
// program that says nothing of it.
package main

import (
	"context"
	"flag"
	"log"
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
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	srv := &http.Server{Addr: *listen, Handler: app.Handler()}
	drained := make(chan error, 1)
	context.AfterFunc(ctx, func() { drained <- app.Drain(srv) })
	app.Ready(*listen)
	if err := srv.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	if err := <-drained; err != nil {
		log.Fatal(err)
	}
}
