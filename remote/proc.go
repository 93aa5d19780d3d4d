package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// A proc is one script on the machine.
type proc struct {
	*shell
	begin string // markers around what the script writes
	end   string
	out   *frame
	err   *frame
	said  *capture // what it wrote to stderr

	way   atomic.Bool // taken by who sends it, or by who has it sent no more
	whole bool        // all of it was sent; without its last line it does not run
}

// start has a shell take the script, its last one where it has stdin to itself; out gets
// its stdout. Every error is a *NotStartedError, or an *UnknownError once the script was on
// its way: without its last line it does not run.
func (m *Machine) start(ctx context.Context, script string, stdin bool, out io.Writer) (*proc, error) {
	l, err := m.connected(ctx)
	if err != nil {
		return nil, err
	}
	for {
		s, err := l.newShell(ctx)
		if err != nil {
			return nil, err
		}
		tellOpened(ctx)
		waited := s.runs
		p := s.take(out)
		if err := p.send(ctx, p.wrap(script, stdin)); err != nil {
			return nil, err
		}
		l.eager.Store(true)
		if !waited || p.ran(ctx) {
			return p, nil
		}
	}
}

// take has what the shell writes from now on go to a new script's frames.
func (s *shell) take(out io.Writer) *proc {
	p := &proc{shell: s, begin: rand.Text(), end: rand.Text(), said: newCapture(s.l.output)}
	p.out, p.err = newFrame(p.begin, p.end, out), newFrame(p.begin, p.end, p.said)
	s.stdout.turn(p.out)
	s.stderr.turn(p.err)
	return p
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

// send writes the script to the shell, which it asks for where it does not run yet. The
// library may not come back from that before the connection ends.
func (p *proc) send(ctx context.Context, script string) error {
	result := make(chan error, 1)
	p.l.spawn(func() { result <- p.put(script) })
	var err error
	select {
	case err = <-result:
	case <-p.l.dead:
		err = <-result
	case <-ctx.Done():
		if p.l.drop(p.ch); !p.way.CompareAndSwap(false, true) {
			return p.unsure(ctx, "start a shell")
		}
		return p.l.notStarted("start a shell", context.Cause(ctx))
	}
	if err == nil {
		return nil
	}
	p.l.drop(p.ch)
	return p.l.notStarted("start a shell", p.reason(err))
}

func (p *proc) put(script string) error {
	if !p.runs {
		if err := p.exec(); err != nil {
			return err
		}
		p.runs = true
	}
	if !p.way.CompareAndSwap(false, true) {
		return nil // nobody waits for it any more
	}
	n, err := io.WriteString(p.ch, script)
	p.whole = n >= len(script)-1 // the end of all input ends a line, too
	if p.whole || errors.Is(err, io.EOF) {
		return nil // how it ended is told by its status
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
	p.collect(ctx)
	return p.ending(ctx, doing)
}

// collect returns once all that the script wrote has come, or no more will.
func (p *proc) collect(ctx context.Context) {
	exited := p.exited
	var late <-chan time.Time
	for _, f := range []*frame{p.out, p.err} {
		for !f.complete() {
			select {
			case <-f.over:
			case <-exited:
				exited, late = nil, time.After(lingering)
			case <-p.done:
				return
			case <-late:
				return
			case <-ctx.Done():
				return
			}
		}
	}
}

// closed is true once the session ended in order: all that was written there has come. An exit
// status alone does not say so, as it may come before the output.
func (p *proc) closed(ctx context.Context) bool {
	return isClosed(p.done) && ctx.Err() == nil && !p.l.lostSoon()
}

// well is true once the script has ended by itself and its shell can take another.
func (p *proc) well() bool { return p.out.complete() && p.err.complete() }

// ending is nil for exit 0 of a script that ran and whose output is complete.
func (p *proc) ending(ctx context.Context, doing string) error {
	status := p.out.status()
	switch {
	case p.out.complete():
	case !p.hasExited() && !p.whole:
		return p.l.notStarted("start a shell", p.ended(ctx))
	case !p.hasExited():
		return p.unsure(ctx, doing)
	case !p.out.started() && !p.closed(ctx):
		return p.unsure(ctx, doing)
	case !p.out.started():
		return p.neverRan()
	case p.status == exitStatus{}:
		return p.unsure(ctx, doing)
	default:
		status = p.status
	}
	if (status == exitStatus{}) {
		return nil
	}
	stderr, _ := p.said.bytes()
	return &ExitError{Status: status.code, Signal: status.signal, machine: p.l.name, stderr: Clean(string(stderr))}
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
	return &UnknownError{fault{
		Doing: doing, Err: p.ended(ctx), code: "FD-SSH-LOST", machine: p.l.name,
		hint: "nobody knows whether the command on " + p.l.name + " took effect; look at the machine with: flipdeploy status",
	}}
}

// ended is why it is not known how the script ended.
func (p *proc) ended(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case p.l.lostSoon():
		return p.l.cause
	case p.hasExited():
		return errors.New("it ended, and the end of what it said did not come")
	}
	return errors.New("the session ended without an exit status")
}

func (l *link) notStarted(doing string, err error) *NotStartedError {
	return &NotStartedError{fault{
		Doing: doing, Err: err, code: "FD-SSH-CHANNEL", machine: l.name,
		hint: "see sshd's log on " + l.name + "; sessions and commands must be allowed there",
	}}
}
