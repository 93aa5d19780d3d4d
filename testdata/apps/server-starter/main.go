// Command server-starter is a worker of Debian's start_server, which holds the socket
// and hands it over by number: on HUP it starts another worker and ends this one.
package main

import (
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"apps/web"
)

var version, mode = "dev", "ok" // -X main.version=v2 -X main.mode=…

func main() {
	app := web.New(version, mode)
	app.Start()
	app.Hang()
	ln, err := inherited()
	if err != nil {
		log.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	srv := &http.Server{Handler: app.Handler()}
	go func() { log.Printf("serve: %v", srv.Serve(ln)) }()
	app.Ready(ln.Addr())
	<-signals
	if err := app.Drain(srv); err != nil {
		log.Fatal(err)
	}
}

// inherited is the socket that start_server opened: SERVER_STARTER_PORT is
// "8080=3", or "host:8080=3", and more of them after a semicolon.
func inherited() (net.Listener, error) {
	first, _, _ := strings.Cut(os.Getenv("SERVER_STARTER_PORT"), ";")
	_, number, _ := strings.Cut(first, "=")
	fd, err := strconv.Atoi(number)
	if err != nil {
		return nil, errors.New("SERVER_STARTER_PORT: want port=number: start it with start_server")
	}
	return net.FileListener(os.NewFile(uintptr(fd), "socket"))
}
