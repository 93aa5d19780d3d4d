package deploy

import (
	"context"
	"errors"
	"time"
)

// undo brings a host that is out back to what it ran before this rollout, proves
// it and puts it back. It has a deadline of its own. A host that cannot be
// reached is asked again until then.
func (l *life) undo(ctx context.Context) ending {
	ctx, cancel := l.timed(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(l.run.ctx, cancel) // the lock was lost, or the grace is over
	defer stop()
	for {
		err := l.undoOnce(ctx)
		if err == nil {
			l.changed, l.runs = false, l.plan.From
			l.phase(RolledBack, RevisionOf(l.plan.From))
			l.outcome(ctx, RolledBack, l.plan.From, "")
			return ending{phase: RolledBack, runs: l.runs, tried: true}
		}
		if unreachable(err) && l.run.ctx.Err() == nil && tick(ctx, 2*time.Second) {
			if err = l.heldStill(ctx); refusal(err) == "" {
				continue
			}
		}
		return l.notUndone(err)
	}
}

func (l *life) undoOnce(ctx context.Context) error {
	if l.changed && l.readied && !l.restored {
		if err := l.outAgain(ctx); err != nil {
			return err
		}
	}
	if l.changed && !l.restored { // once: what follows may be tried again
		if err := l.holding(ctx, l.restore); err != nil {
			return err
		}
		l.restored = true
	}
	if !l.plan.Ran || !l.changed {
		return l.giveBack(ctx) // as it was found: nothing ran here, or nothing was done
	}
	l.phase(Readying, RevisionOf(l.plan.From))
	if err := l.record(ctx, "intent", Readying, l.plan.From, "undo"); err != nil {
		return err
	}
	return l.ready(ctx)
}

// restore puts the old release on disk first: whatever restarts the app from here
// on starts the old one.
func (l *life) restore(ctx context.Context) error {
	from := l.plan.From
	l.phase(Flipping, "back to "+name(from))
	if err := l.record(ctx, "intent", Flipping, from, "undo"); err != nil {
		return err
	}
	if err := l.host.Flip(ctx, from); err != nil {
		return fault(l.host.Name(), Failed, err)
	}
	l.phase(Reloading, "back to "+name(from))
	if err := l.record(ctx, "intent", Reloading, from, "undo"); err != nil {
		return err
	}
	runs := from
	if !l.plan.Ran {
		runs = ""
	}
	if err := l.host.Restore(ctx, runs); err != nil {
		return fault(l.host.Name(), Failed, err)
	}
	if runs == "" {
		return nil
	}
	l.phase(Verifying, name(from))
	if err := l.run.Checker.Healthy(ctx, l.host.Name(), RevisionOf(from)); err != nil {
		return l.withLog(ctx, fault(l.host.Name(), Failed, err))
	}
	if err := l.aliveStill(ctx, from); err != nil {
		return err
	}
	l.runs = from
	return nil
}

func (l *life) aliveStill(ctx context.Context, id string) error {
	if err := l.host.Alive(ctx, id); err != nil {
		return fault(l.host.Name(), Failed, err)
	}
	return nil
}

func (l *life) notUndone(err error) ending {
	why := refusal(err)
	e := ending{phase: Stuck, runs: l.runs, changed: l.changed, failed: true, tried: true, err: err}
	var nb *notBack
	switch {
	case why == RefusedChanged || why == RefusedForeign:
		return l.takenOver(l.run.ctx, err)
	case l.run.hard():
		e.phase, e.failed = l.run.phaseOf(l.host.Name()), false
	case errors.Is(err, errStopped): // it is out as before
		e.phase, e.failed = Failed, false
	case unreachable(err) && !errors.As(err, &nb):
		e.phase = Unknown
		if l.cutOff() {
			e.failed, e.away = false, true
		}
	}
	return e
}

func name(release string) string {
	if release == "" {
		return "nothing, as found"
	}
	return RevisionOf(release)
}
