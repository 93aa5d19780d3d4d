package deploy

import (
	"context"
	"time"
)

// A clock is the time that one host may take. It stands still while the host waits at
// the gate: what others take is not its fault.
type clock struct {
	timer *time.Timer
	left  time.Duration
	since time.Time
}

// timed ends with ctx, or when the host has had its time.
func (l *life) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	l.clock = &clock{left: l.run.Timing.Host, since: time.Now()}
	timer := time.AfterFunc(l.clock.left, func() { cancel(errHostDeadline) })
	l.clock.timer = timer
	return ctx, func() { timer.Stop(); cancel(nil) }
}

// halt stops the clock until the returned function is called.
func (c *clock) halt() (goOn func()) {
	if c == nil || !c.timer.Stop() {
		return func() {}
	}
	c.left -= time.Since(c.since)
	return func() {
		c.since = time.Now()
		c.timer.Reset(c.left)
	}
}
