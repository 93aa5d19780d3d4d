// Command facebookgo-grace takes a new release over as github.com/facebookgo/grace
// has it: USR2 starts the program at os.Args[0], which ends this one once it serves.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/facebookgo/grace/gracehttp"

	"apps/web"
)

var version, mode = "dev", "ok" // -X main.version=v2 -X main.mode=…

func main() {
	listen := flag.String("listen", ":8080", "`address` to listen on")
	pidFile := flag.String("pidfile", "/run/shop/pid", "`file` to write the serving process's id to")
	flag.Parse()
	app := web.New(version, mode)
	app.Start()
	app.Hang()
	app.ReadyWithPID(*listen, *pidFile)
	if err := gracehttp.Serve(&http.Server{Addr: *listen, Handler: app.Handler()}); err != nil {
		log.Fatal(err)
	}
	log.Print("drained, gone")
}
