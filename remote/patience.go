package remote

import (
	"context"
	"fmt"
	"io"
	"time"
)

type patienceKey struct{}

// Patient lets calls under ctx take up to d, for scripts whose work grows with what is
// there: copies, sums. Others are given up after Config.CallTimeout.
func Patient(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, d)
}

type openedKey struct{}

// Opened has a call under ctx tell when the machine has given it a session: none that is
// asked for after that can take its place.
func Opened(ctx context.Context, tell func()) context.Context {
	return context.WithValue(ctx, openedKey{}, tell)
}

func tellOpened(ctx context.Context) {
	if tell, wanted := ctx.Value(openedKey{}).(func()); wanted {
		tell()
	}
}

type heardKey struct{}

// Heard has a Stream under ctx pass on what the script writes to its stdout, as it comes:
// one that brings something by itself can tell how far it is. The call's time begins anew
// with each piece.
func Heard(ctx context.Context, hear io.Writer) context.Context {
	return context.WithValue(ctx, heardKey{}, hear)
}

func (m *Machine) patience(ctx context.Context) (time.Duration, error) {
	d, given := ctx.Value(patienceKey{}).(time.Duration)
	if !given {
		d = m.cfg.CallTimeout
	}
	return d, overdue(d)
}

// overdue is that a call was waited for so long.
type overdue time.Duration

func (o overdue) Error() string { return fmt.Sprintf("no answer for %s", time.Duration(o)) }

// within ends with ctx, and when a call has been waited for long enough: sshd answers for
// a machine whose disk or sudo hangs.
func (m *Machine) within(ctx context.Context) (context.Context, context.CancelFunc) {
	d, cause := m.patience(ctx)
	return context.WithTimeoutCause(ctx, d, cause)
}

// A pulse is within for a call that moves bytes: the time begins anew with each that do.
type pulse struct {
	end   context.CancelCauseFunc
	timer *time.Timer
	d     time.Duration
}

func (m *Machine) pulse(ctx context.Context) (context.Context, *pulse) {
	d, cause := m.patience(ctx)
	ctx, end := context.WithCancelCause(ctx)
	return ctx, &pulse{end, time.AfterFunc(d, func() { end(cause) }), d}
}

func (p *pulse) beat() { p.timer.Reset(p.d) }

func (p *pulse) stop() {
	p.timer.Stop()
	p.end(nil)
}

// reader has the pulse beat with each read of r.
func (p *pulse) reader(r io.Reader) io.Reader { return pulseReader{p, r} }

type pulseReader struct {
	p *pulse
	r io.Reader
}

func (r pulseReader) Read(b []byte) (int, error) {
	defer r.p.beat()
	return r.r.Read(b)
}

// heard is out, which somebody else may hear, too.
func (p *pulse) heard(ctx context.Context, out io.Writer) io.Writer {
	if hear, wanted := ctx.Value(heardKey{}).(io.Writer); wanted {
		return io.MultiWriter(out, pulseWriter{p, hear})
	}
	return out
}

type pulseWriter struct {
	p *pulse
	w io.Writer
}

func (w pulseWriter) Write(b []byte) (int, error) {
	w.p.beat()
	return w.w.Write(b)
}
