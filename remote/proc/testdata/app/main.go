// Command app hands its listener over to a child on SIGHUP, as programs built on
// tableflip do: the child says through a pipe that it is ready, then the parent
// stops listening, finishes and ends. The file `mode` beside the program tells how
// it misbehaves.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

var (
	addr    = flag.String("addr", "", "address to listen on")
	pidfile = flag.String("pidfile", "", "written once ready")
	program = flag.String("exec", "", "program that takes over")
	drain   = flag.Duration("drain", 200*time.Millisecond, "how long the last requests take")
)

func main() {
	flag.Parse()
	mode := modes()
	hups := make(chan os.Signal, 1)
	switch {
	case mode["ignore"]:
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	case mode["sigign"]:
		signal.Ignore(syscall.SIGHUP)
	case !mode["unhandled"]:
		signal.Notify(hups, syscall.SIGHUP)
	}
	if mode["crash"] {
		fmt.Println("cannot read \x1b[31mconfig\x1b[0m: no such key")
		time.Sleep(delay(mode))
		os.Exit(1)
	}
	ln := listen()
	if mode["hang"] {
		fmt.Println("waiting for the database")
		select {}
	}
	if mode["slow"] && inherited() {
		time.Sleep(2 * time.Second)
	}
	ready(mode)
	go serve(ln)
	for range hups {
		if upgrade(ln) == nil {
			ln.Close()
			time.Sleep(*drain)
			return
		}
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

func delay(mode map[string]bool) time.Duration {
	if mode["slowly"] {
		return 600 * time.Millisecond
	}
	return 0
}

func inherited() bool { return os.Getenv("APP_CHILD") == "1" }

func listen() net.Listener {
	if !inherited() {
		ln, err := net.Listen("tcp", *addr)
		check(err)
		return ln
	}
	ln, err := net.FileListener(os.NewFile(3, "listener"))
	check(err)
	return ln
}

func ready(mode map[string]bool) {
	if *pidfile != "" {
		check(os.WriteFile(*pidfile+".new", []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644))
		check(os.Rename(*pidfile+".new", *pidfile))
	}
	if inherited() {
		pipe := os.NewFile(4, "ready")
		pipe.Write([]byte{1})
		pipe.Close()
	}
	if mode["late"] {
		time.AfterFunc(900*time.Millisecond, func() { fmt.Println("out of memory"); os.Exit(2) })
	}
}

func serve(ln net.Listener) {
	exe, _ := os.Executable()
	version := filepath.Base(filepath.Dir(exe))
	if v := os.Getenv("APP_VERSION_FILE"); v != "" {
		text, _ := os.ReadFile(v)
		version = string(text)
	}
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		fmt.Fprintf(c, "%s\n", version)
		c.Close()
	}
}

// upgrade returns nil once the child is ready; a child that ends before is waited for.
func upgrade(ln net.Listener) error {
	f, err := ln.(*net.TCPListener).File()
	check(err)
	defer f.Close()
	r, w, err := os.Pipe()
	check(err)
	cmd := exec.Command(*program, os.Args[1:]...)
	cmd.Env = append(os.Environ(), "APP_CHILD=1")
	cmd.ExtraFiles = []*os.File{f, w}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	w.Close()
	defer r.Close()
	n, _ := r.Read(make([]byte, 1))
	if n == 1 {
		return nil
	}
	return cmd.Wait()
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
