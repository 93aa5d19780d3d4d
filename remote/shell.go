package remote

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// command is all that sshd ever gets to run: no quoting by a login shell, no
// argument in a process list.
const command = "exec /bin/sh -s"

// idleShells is how many shells of a connection may wait for their next scripts.
const idleShells = 4

// A shell runs on the machine, one script after another: the next has to wait for one
// round trip instead of three, and costs the machine neither a session of sshd nor the
// account's login shell and start files, which are most of what a short script costs.
type shell struct {
	l              *link
	ch             ssh.Channel
	runs           bool // it was asked for, and reads scripts
	stdout, stderr outlet

	exited chan struct{} // closed once an exit status came
	done   chan struct{} // closed once the other side closed the session and all was read
	status exitStatus    // valid once exited is closed
}

type exitStatus struct {
	code   int
	signal string
}

// An outlet hands what a shell writes to the script that it runs now.
type outlet struct {
	mu sync.Mutex
	to *frame
}

func (o *outlet) turn(to *frame) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to = to
}

func (o *outlet) Write(p []byte) (int, error) {
	o.mu.Lock()
	to := o.to
	o.mu.Unlock()
	if to == nil {
		return len(p), nil // what a server says before it was asked anything
	}
	return to.Write(p)
}

// newShell returns one that waits, or waits for a free slot and opens a session in it. A
// refused session never started, so asking again is safe.
func (l *link) newShell(ctx context.Context) (*shell, error) {
	var began time.Time
	for ; ; time.Sleep(sessionPause) {
		if s, err := l.room(ctx); s != nil || err != nil {
			return s, err
		}
		if began.IsZero() {
			began = time.Now()
		}
		s, err := l.openShell(ctx)
		var refused *ssh.OpenChannelError
		if !errors.As(err, &refused) || refused.Reason == ssh.Prohibited {
			return s, err
		}
		switch since := time.Since(began); {
		case l.slots.lower(since):
			began = time.Time{}
		case since > sessionPatience:
			return nil, l.fewSessions(err)
		}
	}
}

// room is a shell that waits, or nil and a slot for another.
func (l *link) room(ctx context.Context) (*shell, error) {
	for {
		if ctx.Err() != nil {
			return nil, l.notStarted("wait for a free session", context.Cause(ctx))
		}
		if s := l.takeIdle(); s != nil {
			return s, nil
		}
		changed, ok := l.slots.take()
		if ok {
			return nil, nil
		}
		select {
		case s := <-l.idle:
			if s.waits() {
				return s, nil
			}
		case <-changed:
		case <-ctx.Done():
			return nil, l.notStarted("wait for a free session", context.Cause(ctx))
		case <-l.dead:
			return nil, l.notStarted("open a session", l.cause)
		}
	}
}

// takeIdle is a shell that waits, nil where none does.
func (l *link) takeIdle() *shell {
	for {
		select {
		case s := <-l.idle:
			if s.waits() {
				return s
			}
		default:
			return nil
		}
	}
}

func (s *shell) waits() bool { return !isClosed(s.done) && !s.hasExited() }

// leave has the shell wait for its next script where the one before ended by itself, and
// ends it otherwise: what it runs may still write.
func (p *proc) leave() {
	if p.well() && p.waits() {
		select {
		case p.l.idle <- p.shell:
			return
		default:
		}
	}
	p.l.drop(p.ch)
}

// ran returns once the script has begun; false when it certainly did not, because the
// shell had ended while it waited.
func (p *proc) ran(ctx context.Context) bool {
	select {
	case <-p.out.seen:
	case <-p.done:
	case <-p.exited:
		p.collect(ctx)
	case <-ctx.Done():
		return true
	}
	return p.out.started() || p.whole && (!p.hasExited() || !p.closed(ctx))
}

// openShell opens the session; the slot is given back when it has ended.
func (l *link) openShell(ctx context.Context) (*shell, error) {
	ch, reqs, err := l.openChannel(ctx, "session", nil, l.slots.give)
	if err != nil {
		return nil, l.notStarted("open a session", err)
	}
	s := &shell{l: l, ch: ch, exited: make(chan struct{}), done: make(chan struct{})}
	l.spawn(func() { s.follow(reqs) })
	return s, nil
}

// exec asks for the shell.
func (s *shell) exec() error {
	ok, err := s.ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{command}))
	if err == nil && !ok {
		err = errors.New("sshd refused to run " + command)
	}
	return err
}

// follow reads all that the session says until it ends, wanted or not: unread
// output would hold the script up.
func (s *shell) follow(reqs <-chan *ssh.Request) {
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(&s.stdout, s.ch) })
	reading.Go(func() { _, _ = io.Copy(&s.stderr, s.ch.Stderr()) })
	s.readRequests(reqs)
	reading.Wait()
	_ = s.ch.Close()
	close(s.done)
	s.l.slots.give()
}

func (s *shell) readRequests(reqs <-chan *ssh.Request) {
	for r := range reqs {
		if status, ok := parseExit(r); ok && !s.hasExited() {
			s.status = status
			close(s.exited)
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
}

func (s *shell) hasExited() bool { return isClosed(s.exited) }

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
