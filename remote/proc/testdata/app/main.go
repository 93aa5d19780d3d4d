// Command app takes a release over in one of the ways that systems have, as -as says:
//
//	handover   to a child on HUP, as programs built on tableflip do (handover.go)
//	prefork    a master that stays; workers that listen are replaced on USR2, as gunicorn's
//	cluster    the same, but only the master listens, as node's
//	parent     the same, but only the workers listen, as HAProxy's
//	exec       the process executes itself anew on USR2, as puma
//	dance      USR2: a new master beside the old; WINCH: no workers; HUP: workers again; QUIT: ends
//	reuseport  it listens beside others and ends on TERM
//
// The file `mode` beside the program tells how a release misbehaves: crash, hang, half
// (one old worker stays), deaf (USR2 does nothing), twice (USR2 starts one worker too many), and what handover.go knows.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var (
	as      = flag.String("as", "handover", "kind")
	addr    = flag.String("addr", "", "address to listen on")
	pidfile = flag.String("pidfile", "", "written once ready, by the main process")
	program = flag.String("exec", "", "program that takes over")
	drain   = flag.Duration("drain", 200*time.Millisecond, "how long the last requests take")
	count   = flag.Int("workers", 2, "how many")
	worker  = flag.Bool("worker", false, "set for workers")
)

func main() {
	flag.Parse()
	own := modes()
	if *as == "handover" {
		handOver(own)
		return
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGQUIT, syscall.SIGTERM)
	if own["crash"] && (*worker || *as == "exec" || *as == "reuseport") {
		fmt.Println("no such table")
		time.Sleep(400 * time.Millisecond)
		os.Exit(1)
	}
	if own["late"] && *worker {
		time.AfterFunc(900*time.Millisecond, func() { fmt.Println("out of memory"); os.Exit(2) })
	}
	switch {
	case *worker:
		work(signals)
	case *as == "exec":
		anew(signals)
	case *as == "reuseport":
		serve(listen(), own)
		await(signals, syscall.SIGTERM)
	default:
		m := &master{own: own}
		if *as != "parent" {
			m.ln = listen()
		}
		m.run(signals)
	}
}

func modes() map[string]bool {
	exe, _ := os.Executable()
	text, _ := os.ReadFile(filepath.Join(filepath.Dir(exe), "mode"))
	set := map[string]bool{}
	for _, w := range strings.Fields(string(text)) {
		set[w] = true
	}
	return set
}

func version() string {
	if v := os.Getenv("APP_VERSION_FILE"); v != "" {
		text, _ := os.ReadFile(v)
		return string(text)
	}
	exe, _ := os.Executable()
	return filepath.Base(filepath.Dir(exe))
}

func inherited() bool { return os.Getenv("APP_FD") != "" }

// listen takes the socket that was handed over, or binds one, that others may share
// where that is right.
func listen() net.Listener {
	if inherited() {
		ln, err := net.FileListener(os.NewFile(3, "listener"))
		check(err)
		return ln
	}
	lc := net.ListenConfig{}
	if *as != "handover" {
		lc.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, 0xf, 1) })
		}
	}
	ln, err := lc.Listen(context.Background(), "tcp", *addr)
	check(err)
	return ln
}

func serve(ln net.Listener, own map[string]bool) {
	if own["hang"] {
		return
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, version())
			c.Close()
		}
	}()
}

func await(signals chan os.Signal, want ...os.Signal) {
	for s := range signals {
		if slices.Contains(want, s) {
			return
		}
	}
}

func work(signals chan os.Signal) {
	if *as != "cluster" {
		serve(listen(), modes())
	}
	await(signals, syscall.SIGTERM, syscall.SIGQUIT)
}

func anew(signals chan os.Signal) {
	ln := listen()
	note()
	serve(ln, modes())
	await(signals, syscall.SIGUSR2)
	if modes()["deaf"] {
		select {}
	}
	f, err := ln.(*net.TCPListener).File()
	check(err)
	check(syscall.Dup3(int(f.Fd()), 3, 0))
	check(syscall.Exec(*program, os.Args, append(os.Environ(), "APP_FD=1")))
}

func note() {
	if *pidfile != "" {
		check(os.WriteFile(*pidfile+".new", []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644))
		check(os.Rename(*pidfile+".new", *pidfile))
	}
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
