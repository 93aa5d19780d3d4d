// Command endless takes a new release over as github.com/fvbock/endless has it: HUP
// starts the program at os.Args[0], which ends this one once it serves.
package main

import (
	"flag"
	"log"

	"github.com/fvbock/endless"

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
	// Before it ends its parent: systemd reads the file as soon as that has gone.
	app.ReadyWithPID(*listen, *pidFile)
	srv := endless.NewServer(*listen, app.Handler())
	// That its listener was closed is how every hand-over ends.
	log.Printf("gone: %v", srv.ListenAndServe())
}
