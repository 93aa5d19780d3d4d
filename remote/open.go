package remote

import (
	"context"
	"io"
	"time"
)

// A Session is a script that runs for as long as it is wanted: reads give its
// stdout, writes reach its stdin.
type Session struct {
	p    *proc
	out  *io.PipeReader
	stop func() bool
}

// Open returns once the script has begun and reads its stdin. The session ends
// with ctx, with the connection, and with Close.
func (m *Machine) Open(ctx context.Context, script string) (*Session, error) {
	passed(m.cfg.Name, script)
	release, err := m.Hold(ctx)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	p, err := m.start(ctx, script, true, w)
	if err != nil {
		_ = r.Close() // it may have begun: who writes there would wait for ever
		release()
		return nil, err
	}
	p.l.spawn(func() { <-p.done; release() })
	p.l.spawn(func() { closeAfter(p, w) })
	select {
	case <-p.out.seen:
	case <-p.done:
		if !p.out.started() {
			return nil, p.ending(ctx, "open")
		}
	case <-ctx.Done():
		_ = r.Close()
		p.l.drop(p.ch)
		return nil, p.unsure(ctx, "open")
	}
	free := p.l.slots.hold()
	p.l.spawn(func() { <-p.done; free() })
	s := &Session{p: p, out: r}
	s.stop = context.AfterFunc(ctx, s.abort)
	return s, nil
}

// closeAfter ends the reader's stream where the script's output ends.
func closeAfter(p *proc, w *io.PipeWriter) {
	select {
	case <-p.out.over:
	case <-p.done:
	case <-p.l.dead:
	}
	_ = w.Close()
}

func (s *Session) abort() {
	_ = s.out.Close()
	s.p.l.drop(s.p.ch)
}

// Read reads what the script writes to its stdout. Unread output holds the
// script up.
func (s *Session) Read(b []byte) (int, error) { return s.out.Read(b) }

// Write writes to the script's stdin.
func (s *Session) Write(b []byte) (int, error) { return s.p.ch.Write(b) }

// CloseWrite ends the script's stdin.
func (s *Session) CloseWrite() error { return s.p.ch.CloseWrite() }

// Done is closed once the session has ended, for whatever reason.
func (s *Session) Done() <-chan struct{} { return s.p.done }

// Wait returns once the script has ended: nil for exit 0, else an *ExitError or
// an *UnknownError. What it writes must be read meanwhile.
func (s *Session) Wait() error {
	<-s.p.done
	s.stop()
	return s.p.ending(context.Background(), "session")
}

// closeGrace is how long a script may take to end without its stdin.
const closeGrace = time.Second

// Close ends the script's stdin, gives the script a second to end by itself, and
// ends the session. It is safe to call more than once.
func (s *Session) Close() error {
	s.stop()
	_ = s.out.Close()
	t := time.AfterFunc(closeGrace, func() { s.p.l.drop(s.p.ch) })
	defer t.Stop()
	_ = s.p.ch.CloseWrite()
	hard := time.NewTimer(2 * closeGrace)
	defer hard.Stop()
	select {
	case <-s.p.done:
	case <-hard.C:
	}
	return nil
}
