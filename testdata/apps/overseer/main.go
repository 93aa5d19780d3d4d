// Command overseer takes a new release over as github.com/jpillora/overseer has it: a
// master holds the socket, and on USR2 replaces its slave, which serves, by one
// that runs the file the master itself was started from.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/jpillora/overseer"

	"apps/web"
)

var version, mode = "dev", "ok" // -X main.version=v2 -X main.mode=…

func main() {
	listen := flag.String("listen", ":8080", "`address` to listen on")
	flag.Parse()
	overseer.Run(overseer.Config{Program: slave, Address: *listen})
}

// slave serves until its master has another one, and returns once the requests in
// flight are answered.
func slave(state overseer.State) {
	app := web.New(version, mode)
	app.Start()
	app.Hang()
	srv := &http.Server{Handler: app.Handler()}
	gone := make(chan struct{})
	go func() {
		<-state.GracefulShutdown
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		log.Printf("draining: %v", srv.Shutdown(ctx))
		close(gone)
	}()
	app.Ready(state.Address)
	log.Printf("serve: %v", srv.Serve(state.Listener))
	<-gone
}
