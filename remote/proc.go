package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// command is all that sshd ever gets to run: no quoting by a login shell, no
// argument in a process list.
const command = "exec /bin/sh -s"

// A proc is one script on the machine.
type proc struct {
	l      *link
	ch     ssh.Channel
	begin  string // markers around what the script writes
	end    string
	out    *frame
	err    *frame
	stderr *capture
	shell  bool // it runs, and waits for its script

	exited chan struct{} // closed once an exit status came
	done   chan struct{} // closed once the other side closed the session and all was read
	status exitStatus    // valid once exited is closed
}

type exitStatus struct {
	code   int
	signal string
}

// start has a shell take the script; out gets its stdout. Every error is a
// *NotStartedError, or an *UnknownError once the script was on its way: without its
// last line it does not run.
func (m *Machine) start(ctx context.Context, script string, stdin bool, out io.Writer) (*proc, error) {
	l, err := m.connected(ctx)
	if err != nil {
		return nil, err
	}
	for {
		p, err := l.newSession(ctx, out)
		if err != nil {
			return nil, err
		}
		tellOpened(ctx)
		waited := p.shell
		if err := p.send(ctx, p.wrap(script, stdin)); err != nil {
			return nil, err
		}
		if l.scripts.Add(1) > alone {
			l.prepare()
		}
		if !waited || p.ran(ctx) {
			return p, nil
		}
	}
}

// newSession takes the spare shell, or waits for a free slot and opens a session in it. A
// refused session never started, so asking again is safe.
func (l *link) newSession(ctx context.Context, out io.Writer) (*proc, error) {
	var began time.Time
	for ; ; time.Sleep(sessionPause) {
		if p := l.takeSpare(out); p != nil {
			return p, nil
		}
		if err := l.slots.take(ctx, l.dead); err != nil {
			if l.lost() {
				return nil, l.notStarted("open a session", l.cause)
			}
			return nil, l.notStarted("wait for a free session", err)
		}
		if began.IsZero() {
			began = time.Now()
		}
		p, err := l.newProc(ctx, out)
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) || refused.Reason == ssh.Prohibited {
			return p, err
		}
		l.spareless.Store(true) // sshd allows no more: none for shells that only wait
		switch since := time.Since(began); {
		case l.slots.lower(since):
			began = time.Time{}
		case since > sessionPatience:
			return nil, l.fewSessions(err)
		}
	}
}

// fewSessions names what sshd allows, where it refused one for its MaxSessions.
func (l *link) fewSessions(err error) error {
	var refused *ssh.OpenChannelError
	var not *NotStartedError
	if !errors.As(err, &refused) || !errors.As(err, &not) {
		return err
	}
	switch n := l.slots.open(); n {
	case 0:
		not.hint = fmt.Sprintf("sshd on %s allows no session: set MaxSessions to 10, as it is without a word, or to 1 at least, on a balancer to 2", l.name)
	default:
		not.hint = fmt.Sprintf("sshd on %s allows %d sessions a connection, and all are held: set MaxSessions to 10, as it is without a word, or to 2 at least", l.name, n)
	}
	return err
}

// newProc opens the session; the slot is given back when it has ended.
func (l *link) newProc(ctx context.Context, out io.Writer) (*proc, error) {
	began := time.Now()
	ch, reqs, err := l.openChannel(ctx, "session", nil, l.slots.give)
	if err != nil {
		return nil, l.notStarted("open a session", err)
	}
	l.opened(time.Since(began))
	p := &proc{
		l: l, ch: ch, begin: rand.Text(), end: rand.Text(), stderr: newCapture(l.output),
		exited: make(chan struct{}), done: make(chan struct{}),
	}
	p.out, p.err = newFrame(p.begin, p.end, out), newFrame(p.begin, p.end, p.stderr)
	l.spawn(func() { p.follow(reqs) })
	return p, nil
}

// follow reads all that the session says until it ends, wanted or not: unread
// output would hold the script up.
func (p *proc) follow(reqs <-chan *ssh.Request) {
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(p.out, p.ch) })
	reading.Go(func() { _, _ = io.Copy(p.err, p.ch.Stderr()) })
	p.readRequests(reqs)
	reading.Wait()
	_ = p.ch.Close()
	close(p.done)
	p.l.slots.give()
}

func (p *proc) readRequests(reqs <-chan *ssh.Request) {
	for r := range reqs {
		if s, ok := parseExit(r); ok && !p.hasExited() {
			p.status = s
			close(p.exited)
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
}

func (p *proc) hasExited() bool { return isClosed(p.exited) }

func parseExit(r *ssh.Request) (s exitStatus, ok bool) {
	switch r.Type {
	case "exit-status":
		var msg struct{ Status uint32 }
		if ssh.Unmarshal(r.Payload, &msg) != nil {
			return s, false
		}
		return exitStatus{code: int(msg.Status)}, true
	case "exit-signal":
		var msg struct {
			Signal     string
			CoreDumped bool
			Error      string
			Lang       string
		}
		if ssh.Unmarshal(r.Payload, &msg) != nil {
			return s, false
		}
		return exitStatus{code: signalCode(msg.Signal), signal: Clean(msg.Signal)}, true
	}
	return s, false
}

// signalCode is what a shell says when a signal ended a command.
func signalCode(name string) int {
	known := map[string]int{"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8,
		"KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15}
	return 128 + known[name]
}

// send writes the script to the shell, which it asks for where it does not run yet.
func (p *proc) send(ctx context.Context, script string) error {
	return p.sure(ctx, func() error {
		if !p.shell {
			if err := p.exec(); err != nil {
				return err
			}
		}
		_, err := io.WriteString(p.ch, script)
		if errors.Is(err, io.EOF) {
			return nil // it ended before it had read all: the exit status tells
		}
		return err
	})
}

// sure does what the library may not come back from.
func (p *proc) sure(ctx context.Context, do func() error) error {
	result := make(chan error, 1)
	p.l.spawn(func() { result <- do() })
	select {
	case err := <-result:
		if err == nil {
			return nil
		}
		p.l.drop(p.ch)
		return p.l.notStarted("start a shell", p.reason(err))
	case <-ctx.Done():
		p.l.drop(p.ch)
	case <-p.l.dead:
	}
	return p.unsure(ctx, "start a shell")
}

// exec asks for the shell.
func (p *proc) exec() error {
	ok, err := p.ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{command}))
	if err == nil && !ok {
		err = errors.New("sshd refused to run " + command)
	}
	return err
}

// reason is why the connection was given up, where that explains err better.
func (p *proc) reason(err error) error {
	if p.l.lost() {
		return p.l.cause
	}
	return err
}

// lingering is how long the end of the output may take after an exit status.
const lingering = 10 * time.Second

// wait returns once the script has ended and its output was read, or ctx ended.
// It does not wait for children that were left behind with the script's stdout:
// they would hold the session open for ever.
func (p *proc) wait(ctx context.Context, doing string) error {
	defer p.l.drop(p.ch)
	select {
	case <-p.done:
	case <-p.exited:
		p.collect(ctx)
	case <-ctx.Done():
		return p.unsure(ctx, doing)
	}
	return p.ending(ctx, doing)
}

// collect returns once all that the script wrote has come, or no more will.
func (p *proc) collect(ctx context.Context) {
	late := time.NewTimer(lingering)
	defer late.Stop()
	for _, f := range []*frame{p.out, p.err} {
		select {
		case <-f.over:
		case <-p.done:
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// ending is nil for exit 0 of a script that ran and whose output is complete.
func (p *proc) ending(ctx context.Context, doing string) error {
	switch {
	case !p.hasExited():
		return p.unsure(ctx, doing)
	case !p.out.started():
		return p.neverRan()
	case p.status != exitStatus{}:
		stderr, _ := p.stderr.bytes()
		return &ExitError{Status: p.status.code, Signal: p.status.signal, machine: p.l.name, stderr: Clean(string(stderr))}
	case !p.out.complete():
		return p.unsure(ctx, doing)
	}
	return nil
}

// neverRan: the login shell, a forced command or the start files ended in the
// script's place, or the script cannot be parsed.
func (p *proc) neverRan() error {
	said := lastLines(p.out.instead()+"\n"+p.err.instead(), 10)
	e := p.l.notStarted("start a shell", fmt.Errorf("exit %d before the script began", p.status.code))
	e.code, e.evidence = "FD-REMOTE-SHELL", said
	e.hint = "the account on " + p.l.name + " must be able to run /bin/sh: see its login shell (usermod -s), ForceCommand in sshd_config, command= before the key, its start files"
	if len(said) > 0 {
		e.Err = fmt.Errorf("%w: %s", e.Err, said[len(said)-1])
	}
	return e
}

// unsure: from here on the script may have run.
func (p *proc) unsure(ctx context.Context, doing string) error {
	cause := errors.New("the session ended without an exit status")
	switch {
	case ctx.Err() != nil:
		cause = context.Cause(ctx)
	case p.l.lostSoon():
		cause = p.l.cause
	}
	return &UnknownError{fault{
		Doing: doing, Err: cause, code: "FD-SSH-LOST", machine: p.l.name,
		hint: "nobody knows whether the command on " + p.l.name + " took effect; look at the machine with: flipdeploy status",
	}}
}

func (l *link) notStarted(doing string, err error) *NotStartedError {
	return &NotStartedError{fault{
		Doing: doing, Err: err, code: "FD-SSH-CHANNEL", machine: l.name,
		hint: "see sshd's log on " + l.name + "; sessions and commands must be allowed there",
	}}
}
