// Command reuseport takes a new release over by SO_REUSEPORT alone: on HUP it starts
// the program at os.Args[0], which opens a socket of its own on the same port and,
// once it serves, ends this one with TERM.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"

	"apps/web"
)

var version, mode = "dev", "ok" // -X main.version=v2 -X main.mode=…

const predecessor = "REUSEPORT_PREDECESSOR" // in the environment: whom to end

func main() {
	listen := flag.String("listen", ":8080", "`address` to listen on")
	pidFile := flag.String("pidfile", "/run/shop/pid", "`file` to write the serving process's id to")
	flag.Parse()
	app := web.New(version, mode)
	if err := run(app, *listen, *pidFile); err != nil {
		log.Fatal(err)
	}
}

func run(app *web.App, listen, pidFile string) error {
	app.Start()
	app.Hang()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	shared := net.ListenConfig{Control: reusePort}
	ln, err := shared.Listen(context.Background(), "tcp", listen)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: app.Handler()}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(ln) }()
	app.ReadyWithPID(ln.Addr(), pidFile)
	if pid, err := strconv.Atoi(os.Getenv(predecessor)); err == nil && pid == os.Getppid() {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	for {
		select {
		case err := <-failed:
			return err
		case s := <-signals:
			if s != syscall.SIGHUP {
				return app.Drain(srv)
			}
			succeed()
		}
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

// succeed starts the release that is installed now beside this one.
func succeed() {
	next := exec.Command(os.Args[0], os.Args[1:]...)
	next.Env = append(os.Environ(), predecessor+"="+strconv.Itoa(os.Getpid()))
	next.Stdout, next.Stderr = os.Stdout, os.Stderr
	if err := next.Start(); err != nil {
		log.Printf("hangup: still serving: %v", err)
		return
	}
	log.Printf("hangup: started pid %d", next.Process.Pid)
	go func() { log.Printf("pid %d: %v", next.Process.Pid, next.Wait()) }()
}
