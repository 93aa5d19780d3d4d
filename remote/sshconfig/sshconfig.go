// Package sshconfig reads ~/.ssh/config as ssh does: by asking ssh where there is
// one, else by reading the file.
package sshconfig

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
)

// A Host is what ssh would do to reach one destination.
type Host struct {
	Name             string // what is dialled
	User             string
	Port             int
	Alias            string // under which known_hosts has it; "" is its name
	IdentityFiles    []string
	Usual            bool // IdentityFiles are those that ssh tries where nothing is said
	CertificateFiles []string
	IdentitiesOnly   bool
	Agent            string // a socket, "none", or "": that of the environment
	KnownHosts       []string
	Jump             string // ProxyJump as it was written, "" is none
	Proxy            string // ProxyCommand with its tokens filled in, "" is none
}

// A Query is what is asked: User and Port are those of the command line, "" and 0
// where it says nothing.
type Query struct {
	Destination string
	User        string
	Port        int
}

// A Reader answers from the user's file and the system's, or from File alone.
type Reader struct{ File string }

// patience bounds ssh: a "Match exec" may wait for anything.
const patience = 20 * time.Second

// Host is what ssh would do. The error is an *Error.
func (r Reader) Host(q Query) (Host, error) {
	say := func() (settings, error) { return r.ask(q) }
	if _, err := exec.LookPath("ssh"); err != nil {
		say = func() (settings, error) { return r.read(q) }
	}
	s, err := say()
	if err != nil {
		return Host{}, &Error{Destination: q.Destination, Err: err}
	}
	h, err := s.host(q)
	if err != nil {
		return Host{}, &Error{Destination: q.Destination, Err: err}
	}
	return h, nil
}

// ask has ssh itself read its configuration; nothing is connected to.
func (r Reader) ask(q Query) (settings, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	args := []string{"-G", "-T"}
	if r.File != "" {
		args = append(args, "-F", r.File)
	}
	if q.User != "" {
		args = append(args, "-l", q.User)
	}
	if q.Port != 0 {
		args = append(args, "-p", strconv.Itoa(q.Port))
	}
	cmd := exec.CommandContext(ctx, "ssh", append(args, "--", q.Destination)...)
	cmd.WaitDelay, cmd.Env = time.Second, remote.Environ()
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if last := lastLine(said.String()); last != "" {
			err = errors.New(last)
		}
		return nil, fmt.Errorf("ssh -G: %w", err)
	}
	return parse(out.Bytes()), nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(remote.Clean(text)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// An Error tells that the configuration does not say how to reach a destination.
type Error struct {
	Destination string
	Err         error
}

func (e *Error) Error() string {
	return fmt.Sprintf("~/.ssh/config for %s: %s", e.Destination, e.Err)
}
func (e *Error) Unwrap() error { return e.Err }

// Code is FD-SSH-CONFIG.
func (e *Error) Code() string { return "FD-SSH-CONFIG" }

// Hint is the next step for a person.
func (e *Error) Hint() string {
	return "see what ssh makes of it: ssh -G " + e.Destination + `; or leave ssh.config out and set user, port and identity_file in the inventory`
}

// home is where ~ leads. ssh asks the system, whatever $HOME says.
func home() string {
	if u, err := user.Current(); err == nil {
		return u.HomeDir
	}
	return os.Getenv("HOME")
}
