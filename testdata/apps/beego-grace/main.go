// Command beego-grace takes a new release over as beego's grace package has it, which
// is what beego itself runs on with EnableGrace: HUP starts the program at os.Args[0]
// with -graceful, which ends this one once it serves.
package main

import (
	"flag"
	"log"

	"github.com/astaxie/beego/grace"

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
	// That its listener was closed is how every hand-over ends.
	log.Printf("gone: %v", grace.NewServer(*listen, app.Handler()).ListenAndServe())
}
