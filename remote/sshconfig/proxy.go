package sshconfig

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
)

// Dial returns a connection that a ProxyCommand makes: what is written goes to its
// stdin, what is read comes from its stdout. Close ends it.
func Dial(command string) (net.Conn, error) {
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, inR.Close(), inW.Close())
	}
	said := &lastWords{}
	cmd := exec.Command(or(os.Getenv("SHELL"), "/bin/sh"), "-c", "exec "+command) //nolint:noctx // Close ends it: it lives as long as the connection
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = inR, outW, said, remote.Environ()
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is ours to deal with
	err = cmd.Start()
	_, _ = inR.Close(), outW.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ProxyCommand: %w", err), inW.Close(), outR.Close())
	}
	return &proxied{Reader: outR, in: inW, out: outR, cmd: cmd, said: said}, nil
}

// proxied is a connection over a process.
type proxied struct {
	io.Reader
	in, out *os.File
	cmd     *exec.Cmd
	said    *lastWords
	once    sync.Once
}

// Read tells what the command complained of in place of a bare end.
func (p *proxied) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if errors.Is(err, io.EOF) {
		_ = p.Close()
		if text := p.said.String(); text != "" {
			return n, &ProxyError{Said: text}
		}
	}
	return n, err
}

func (p *proxied) Write(b []byte) (int, error) { return p.in.Write(b) }

func (p *proxied) Close() error {
	p.once.Do(func() {
		_, _ = p.in.Close(), p.out.Close()
		group := -p.cmd.Process.Pid
		_ = syscall.Kill(group, syscall.SIGTERM)
		late := time.AfterFunc(time.Second, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
		defer late.Stop()
		_ = p.cmd.Wait() // its status is no news: the connection is over
	})
	return nil
}

func (p *proxied) LocalAddr() net.Addr  { return commandAddr{} }
func (p *proxied) RemoteAddr() net.Addr { return commandAddr{} }

func (p *proxied) SetDeadline(t time.Time) error {
	return errors.Join(p.SetReadDeadline(t), p.SetWriteDeadline(t))
}
func (p *proxied) SetReadDeadline(t time.Time) error  { return p.out.SetReadDeadline(t) }
func (p *proxied) SetWriteDeadline(t time.Time) error { return p.in.SetWriteDeadline(t) }

type commandAddr struct{}

func (commandAddr) Network() string { return "proxycommand" }
func (commandAddr) String() string  { return "0.0.0.0:0" } // known_hosts goes by name

// A ProxyError is what a ProxyCommand complained of last.
type ProxyError struct{ Said string }

func (e *ProxyError) Error() string { return "ProxyCommand: " + e.Said }

// Code is FD-SSH-PROXY.
func (*ProxyError) Code() string { return "FD-SSH-PROXY" }

// Hint is the next step for a person.
func (*ProxyError) Hint() string { return "run the ProxyCommand of ~/.ssh/config by hand" }

// lastWords keeps the last line of what is written to it.
type lastWords struct {
	mu   sync.Mutex
	text string
}

func (w *lastWords) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text += string(p)
	w.text = w.text[max(0, len(w.text)-4096):]
	return len(p), nil
}

func (w *lastWords) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return lastLine(w.text)
}
