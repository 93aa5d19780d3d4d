package main

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

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
		if m.own["twice"] {
			m.workers = append(m.workers, m.start(true))
		}
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
