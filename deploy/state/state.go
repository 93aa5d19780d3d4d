// Package state keeps what must outlive a run on the balancer machines: the
// lease, the fence, owner marks and the journal, as files under one directory,
// changed only by short /bin/sh scripts (scripts.go).
package state

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// A Runner runs a /bin/sh script on one machine. The error is nil only for exit 0.
type Runner interface {
	Run(ctx context.Context, script string) (stdout []byte, err error)
}

// An Opener starts a script that lives on and speaks over stdin and stdout.
type Opener interface {
	Open(ctx context.Context, script string) (Session, error)
}

// A Session is the stdin and stdout of a remote shell. Close is end of file
// there and ends a Read or Write that waits here.
type Session interface {
	io.ReadWriter
	Close() error
}

// exit is how a script that ran and failed is told from one that did not run.
type exit interface {
	error
	ExitCode() int
	Stdout() []byte
}

// A Store is the state of one app on one balancer.
type Store struct {
	name, dir, app string
	run            Runner
	open           Opener
	sudo           bool
	moving         bool // state is looked for here wherever it is kept
	limits         limits
	bad            error // why dir or app may not enter a script
}

// limits are seconds that scripts run for at most.
type limits struct {
	script   int // one script
	lockWait int // of it, for act.lock
}

// App is whose state it is.
func (s *Store) App() string { return s.app }

// New is the state of app under dir on the balancer name. Nothing is asked of
// the machine yet; a name that may not enter a script is told by the first call.
func New(name, dir, app string, run Runner, open Opener, sudo bool) *Store {
	return &Store{name: name, dir: dir, app: app, run: run, open: open, sudo: sudo,
		limits: limits{script: 60, lockWait: 10}, bad: errors.Join(checkDir(dir), checkApp(app))}
}

// Name is the balancer's.
func (s *Store) Name() string { return s.name }

// page is what every script is made from.
type page struct {
	Token  string // begins each line that is ours, and no other
	Dir    string
	App    string
	Limit  int
	Wait   int
	Moving bool
	Data   any
}

func (s *Store) page(data any) page {
	return page{Token: token(), Dir: s.dir, App: s.app, Limit: s.limits.script, Wait: s.limits.lockWait, Moving: s.moving, Data: data}
}

// token is a word that no driver and no file can know beforehand.
func token() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return "fd-" + hex.EncodeToString(b[:])
}

// ask runs one of our own scripts and returns what it printed after its token
// line. Refusals come as the types of errors.go.
func (s *Store) ask(ctx context.Context, doing, script string, us claimant, data any) (string, error) {
	if s.bad != nil {
		return "", s.fault(doing, s.bad.Error(), "FD-STATE-NAME", hintName)
	}
	p := s.page(data)
	out, err := s.send(ctx, render(script, p))
	if words, ok := refusal(p.Token, out, err); ok {
		return "", s.refused(doing, words, us)
	}
	if err != nil {
		return "", fmt.Errorf("%s: state: %s: %w", s.name, doing, err)
	}
	_, data2, ok := strings.Cut("\n"+string(out), "\n"+p.Token+" data\n")
	if !ok {
		return "", s.fault(doing, "the script's answer is incomplete", "FD-STATE-ANSWER", "run \"flipdeploy doctor\"")
	}
	return data2, nil
}

// send gives a script a little longer than the time it gives itself.
func (s *Store) send(ctx context.Context, script string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.limits.script+15)*time.Second)
	defer cancel()
	return s.run.Run(ctx, script)
}

// refusal finds the line by which our part of a script said no. The exit code is
// not asked: timeout(1) has one of its own.
func refusal(token string, out []byte, err error) ([]string, bool) {
	var e exit
	if errors.As(err, &e) && len(out) == 0 {
		out = e.Stdout()
	}
	if err == nil {
		return nil, false
	}
	_, line, ok := strings.Cut("\n"+string(out), "\n"+token+" no ")
	if !ok {
		return nil, false
	}
	line, _, _ = strings.Cut(line, "\n")
	return strings.Fields(line), true
}
