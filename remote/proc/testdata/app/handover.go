package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// handOver gives the listener to a child on SIGHUP: the child says through a pipe that it
// is ready, then the parent stops listening, finishes and ends.
func handOver(mode map[string]bool) {
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
	serve(ln, mode)
	for range hups {
		if upgrade(ln) == nil && !mode["stays"] {
			ln.Close()
			time.Sleep(*drain)
			return
		}
	}
}

func delay(mode map[string]bool) time.Duration {
	if mode["slowly"] {
		return 600 * time.Millisecond
	}
	return 0
}

func ready(mode map[string]bool) {
	note()
	if inherited() {
		pipe := os.NewFile(4, "ready")
		pipe.Write([]byte{1})
		pipe.Close()
	}
	if mode["late"] {
		time.AfterFunc(2500*time.Millisecond, func() { fmt.Println("out of memory"); os.Exit(2) })
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
	cmd.Env = append(os.Environ(), "APP_FD=1")
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
