// Command app takes a release over in one of the ways that systems have, as -as says:
//
//	prefork    a master that stays; workers that listen are replaced on USR2, as gunicorn's
//	cluster    the same, but only the master listens, as node's
//	parent     the same, but only the workers listen, as HAProxy's
//	exec       the process executes itself anew on USR2, as puma
//	dance      USR2: a new master beside the old; WINCH: no workers; HUP: workers again; QUIT: ends
//	reuseport  it listens beside others and ends on TERM
//
// The file `mode` beside the program tells how a release misbehaves: crash, hang, half
// (one old worker stays), deaf (USR2 does nothing).
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var (
	as      = flag.String("as", "prefork", "kind")
	addr    = flag.String("addr", "", "address to listen on")
	pidfile = flag.String("pidfile", "", "written by the master")
	program = flag.String("exec", "", "program that takes over")
	count   = flag.Int("workers", 2, "how many")
	worker  = flag.Bool("worker", false, "set for workers")
)

func main() {
	flag.Parse()
	own := mode()
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGQUIT, syscall.SIGTERM)
	if own["crash"] && (*worker || *as == "exec" || *as == "reuseport") {
		fmt.Println("no such table")
		time.Sleep(400 * time.Millisecond)
		os.Exit(1)
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

func mode() map[string]bool {
	exe, _ := os.Executable()
	text, _ := os.ReadFile(filepath.Join(filepath.Dir(exe), "mode"))
	set := map[string]bool{}
	for _, w := range strings.Fields(string(text)) {
		set[w] = true
	}
	return set
}

func version() string {
	exe, _ := os.Executable()
	return filepath.Base(filepath.Dir(exe))
}

// listen takes the socket that was handed over, or binds one that others may share.
func listen() net.Listener {
	if os.Getenv("APP_FD") != "" {
		ln, err := net.FileListener(os.NewFile(3, "listener"))
		check(err)
		return ln
	}
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, 0xf, 1) })
	}}
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
		serve(listen(), mode())
	}
	await(signals, syscall.SIGTERM, syscall.SIGQUIT)
}

func anew(signals chan os.Signal) {
	ln := listen()
	note()
	serve(ln, mode())
	await(signals, syscall.SIGUSR2)
	if mode()["deaf"] {
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

// A master starts workers, again when they die.
type master struct {
	ln      net.Listener
	own     map[string]bool
	workers []*exec.Cmd
	died    chan *exec.Cmd
}

func (m *master) run(signals chan os.Signal) {
	m.died = make(chan *exec.Cmd)
	note()
	m.fill()
	if *as == "cluster" {
		serve(m.ln, m.own)
	}
	for {
		select {
		case c := <-m.died:
			if i := slices.Index(m.workers, c); i >= 0 {
				m.workers = slices.Delete(m.workers, i, i+1)
				m.workers = append(m.workers, m.start(true))
			}
		case s := <-signals:
			if !m.handle(s) {
				return
			}
		}
	}
}

func (m *master) handle(s os.Signal) bool {
	switch {
	case m.own["deaf"] && s == syscall.SIGUSR2:
	case *as == "dance" && s == syscall.SIGUSR2:
		m.start(false)
	case s == syscall.SIGUSR2:
		old := m.workers
		m.workers = nil
		m.fill()
		time.Sleep(200 * time.Millisecond)
		if m.own["half"] {
			old = old[1:]
		}
		m.end(old)
	case s == syscall.SIGHUP && len(m.workers) == 0:
		m.fill()
	case s == syscall.SIGWINCH:
		m.end(m.workers)
		m.workers = nil
	case s == syscall.SIGQUIT || s == syscall.SIGTERM:
		m.end(m.workers)
		return false
	}
	return true
}

func (m *master) fill() {
	for range *count {
		m.workers = append(m.workers, m.start(true))
	}
}

func (m *master) end(list []*exec.Cmd) {
	for _, c := range list {
		c.Process.Signal(syscall.SIGTERM)
	}
}

// start runs the program that current points at, as a worker or as a new master.
func (m *master) start(asWorker bool) *exec.Cmd {
	c := exec.Command(*program, os.Args[1:]...)
	if asWorker {
		c.Args = append(c.Args, "-worker")
	}
	if m.ln != nil && (*as != "cluster" || !asWorker) {
		f, err := m.ln.(*net.TCPListener).File()
		check(err)
		defer f.Close()
		c.Env, c.ExtraFiles = append(os.Environ(), "APP_FD=1"), []*os.File{f}
	}
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	check(c.Start())
	go func() {
		c.Wait()
		if asWorker {
			m.died <- c
		} else {
			note() // the file is the old one's again
		}
	}()
	return c
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
