package deploy

import (
	"context"
	"errors"
	"fmt"
)

// inPlace changes a host that was out before the run came, proves it, and leaves it
// out. Its seat is nobody's to change but the person's who took it out: the host is
// only touched while every balancer keeps it out.
func (l *life) inPlace(ctx context.Context, back bool) ending {
	ctx, cancel := context.WithTimeoutCause(ctx, l.run.Timing.Host, errHostDeadline)
	defer cancel()
	if err := l.keptOut(ctx); err != nil {
		return ending{phase: LeftOut, changed: back, tried: back, err: err}
	}
	if back {
		return l.undoInPlace(ctx, nil)
	}
	err := l.whileOut(ctx, func(ctx context.Context) error { return l.change(ctx, l.plan.To) })
	switch {
	case err == nil:
		l.phase(LeftOut, RevisionOf(l.plan.To))
		l.outcome(ctx, Done, l.plan.To, "left out")
		return ending{phase: LeftOut, runs: l.plan.To, changed: true}
	case l.run.hard() && l.changed: // half way: nobody knows how well it is
		return ending{phase: l.run.phaseOf(l.host.Name()), changed: true, err: err}
	case l.run.hard():
		return ending{phase: LeftOut, err: err}
	}
	l.failure(ctx, err)
	if l.run.Plan.NoUndo || errors.Is(err, errPutBack) {
		return ending{phase: LeftOut, changed: l.changed, failed: true, tried: true, err: err}
	}
	return l.undoInPlace(ctx, err)
}

// undoInPlace brings the host back to what it ran; it stays out.
func (l *life) undoInPlace(ctx context.Context, why error) ending {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), l.run.Timing.Host, errHostDeadline)
	defer cancel()
	stop := context.AfterFunc(l.run.ctx, cancel)
	defer stop()
	err := l.whileOut(ctx, l.restore)
	switch {
	case err != nil && l.run.hard():
		return ending{phase: l.run.phaseOf(l.host.Name()), changed: true, failed: why != nil, err: errors.Join(why, err)}
	case err != nil:
		return ending{phase: Stuck, changed: true, failed: true, tried: true, err: errors.Join(why, err)}
	}
	l.phase(LeftOut, "back on "+name(l.plan.From))
	l.outcome(ctx, RolledBack, l.plan.From, "left out")
	return ending{phase: LeftOut, runs: l.plan.From, failed: why != nil, tried: true, err: why}
}

// whileOut runs work and ends it when any balancer has the host in rotation again:
// it is somebody's who gave it back.
func (l *life) whileOut(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for tick(ctx, l.run.Timing.Poll) {
			if err := l.keptOut(ctx); errors.Is(err, errPutBack) {
				cancel(err)
			}
		}
	}()
	err := work(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	cancel(nil)
	<-done
	return err
}

// keptOut is nil when every balancer that carries the host has it out.
func (l *life) keptOut(ctx context.Context) error {
	return everywhere(l.lbs, func(b Balancer) error {
		seats, err := b.Seats(ctx)
		if err == nil && seats[l.host.Name()].rotates() {
			return errPutBack
		}
		return err
	})
}

var errPutBack = &Fault{Code_: "FD-TAKEN-OVER", Err: errors.New("somebody put it into rotation meanwhile"),
	Hint_: "see what it runs with \"flipdeploy status\""}
