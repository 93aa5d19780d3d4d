package deploy

import (
	"context"
	"errors"
	"time"
)

// A life is one host's way through a run, in one direction.
type life struct {
	run  *run
	host Host
	plan PlannedHost
	lbs  []Balancer // those that carry the host

	held     bool      // an earlier run left it out
	loose    bool      // a balancer that was lost may have it out
	changed  bool      // flipped to another release and not undone
	runs     string    // the release that was last proven to run
	verdict  string    // of the judge
	doubted  bool      // by it, so that others may not follow
	readied  bool      // putting it back was begun: some balancers may send requests again
	restored bool      // its undo got as far as the old release, proven
	clock    *clock    // of the work in hand
	out      time.Time // since when the host is out
	since    time.Time // of the last drain
	returned time.Time // when it was back, until a record has that
}

// An ending is what became of a host.
type ending struct {
	phase   Phase
	runs    string // what was proven to run, "" where it is as before
	changed bool
	failed  bool
	blocked bool // no capacity now; try again
	pause   bool // the run has to stop here though the host is well
	doubt   bool // since too little was seen of it
	tried   bool
	loose   bool // a balancer that was lost may have it out
	away    bool // its zone cannot be reached
	err     error
}

// forward brings the host to its new release: drained, flipped, reloaded,
// verified, put back, baked. A host that fails is undone before it returns.
func (l *life) forward(ctx context.Context) ending {
	ctx, cancel := l.timed(ctx)
	defer cancel()
	if l.held {
		l.changed = true // as far as anybody knows
		if err := l.retake(ctx); err != nil {
			return l.notRetaken(ctx, err)
		}
	} else if err := l.takeOut(ctx); err != nil {
		return l.notTaken(ctx, err)
	} else if l.run.leaving() {
		return l.givenBack(ctx)
	}
	change := func(ctx context.Context) error { return l.change(ctx, l.plan.To) }
	if l.held && l.changedBefore(ctx) {
		change = func(ctx context.Context) error { return l.verify(ctx, l.plan.To) }
	}
	if err := l.holding(ctx, change); err != nil {
		return l.failedOut(ctx, err)
	}
	if err := l.putBack(ctx); notReturned(err) {
		return l.halfBack(err)
	} else if err != nil {
		return l.failedOut(ctx, err)
	}
	if err := l.bake(ctx); err != nil {
		return l.failedBake(err)
	}
	l.done(ctx)
	return ending{phase: Done, runs: l.plan.To, changed: l.changed}
}

// done tells and keeps that the host is, and what the judge said of it.
func (l *life) done(ctx context.Context) {
	said := RevisionOf(l.plan.To)
	if l.verdict != "" {
		said += "; " + l.verdict
	}
	l.phase(Done, said)
	l.outcome(ctx, Done, l.plan.To, l.verdict)
}

// changedBefore tells that an earlier run got as far as the takeover: it is not asked
// for again, only verified.
func (l *life) changedBefore(ctx context.Context) bool {
	if l.plan.Again {
		return false
	}
	current, err := l.host.Current(ctx)
	if err != nil || current != l.plan.To {
		return false
	}
	r, err := l.host.Running(ctx)
	if err != nil || r.Release != l.plan.To {
		return false
	}
	l.runs = r.Release
	return true
}

// halfBack: the host is well and serves on the balancers that are left; on one that
// was lost it is out, and marked. The run pauses, or its zone does.
func (l *life) halfBack(err error) ending {
	l.served()
	away := l.plan.Zone != "" && onlyLost(err)
	return ending{phase: Failed, runs: l.runs, changed: l.changed, pause: !away, away: away, tried: true, err: err}
}

// change flips, reloads and verifies; the host is out all the while.
func (l *life) change(ctx context.Context, to string) error {
	// A crash after an intent and before its act leaves nothing; after the act, the
	// next run sees by the mark that the host is out and by `current` what it has.
	if err := l.intent(ctx, Flipping, to); err != nil {
		return err
	}
	l.changed = true
	if err := l.host.Flip(ctx, to); err != nil {
		return fault(l.host.Name(), Flipping, err)
	}
	if l.run.turned() {
		return errTurned
	}
	// A crash here leaves current at the new release with the old process running.
	if err := l.intent(ctx, Reloading, to); err != nil {
		return err
	}
	if err := l.host.Reload(ctx, to); err != nil {
		return fault(l.host.Name(), Reloading, err)
	}
	l.runs = to
	return l.verify(ctx, to)
}

// verify proves that the host is well on the release: healthy in a row, the old
// process gone, settled, and still the process whose takeover was proven.
func (l *life) verify(ctx context.Context, to string) error {
	l.phase(Verifying, RevisionOf(to))
	// Where both fail, what the host says of its processes is the cause, and comes first.
	err := both(
		func() error { return l.host.Settled(ctx, to) },
		func() error { return l.run.Checker.Healthy(ctx, l.host.Name(), RevisionOf(to)) },
	)
	if err == nil {
		err = both(
			func() error { return l.host.Alive(ctx, to) },
			func() error { return l.run.Checker.Probe(ctx, l.host.Name()) },
		)
	}
	if err != nil {
		return l.withLog(ctx, fault(l.host.Name(), Verifying, err))
	}
	return nil
}

// putBack returns the verified host into rotation.
func (l *life) putBack(ctx context.Context) error {
	if l.run.turned() {
		return errTurned
	}
	if err := l.intent(ctx, Readying, l.plan.To); err != nil {
		return err
	}
	return l.ready(ctx)
}

// notTaken: the host was not taken out, or is back as it was found.
func (l *life) notTaken(ctx context.Context, err error) ending {
	var nb *notBack
	reason := refusal(err)
	switch {
	case onlyLost(err): // waited for, like capacity
		return ending{phase: Staged, blocked: true, away: l.plan.Zone != "", loose: l.loose || errors.As(err, &nb), err: err}
	case !l.out.IsZero() && (reason == RefusedForeign || reason == RefusedChanged): // while it left
		return l.takenOver(ctx, err)
	case errors.As(err, &nb):
		return ending{phase: Stuck, failed: true, err: err}
	case errors.Is(err, errStopped):
		return ending{phase: Staged}
	case reason == RefusedFloor || reason == RefusedBudget:
		return ending{phase: Staged, blocked: true, err: err}
	case reason == RefusedForeign || reason == RefusedOut || reason == RefusedChanged:
		return ending{phase: LeftOut, err: err}
	case CodeOf(err) == codeDrainTimeout:
		return ending{phase: Staged, pause: true, err: err}
	}
	return ending{phase: Staged, failed: true, pause: true, err: err}
}

// givenBack gives back a host that was drained and not changed, because the run
// stops or turns.
func (l *life) givenBack(ctx context.Context) ending {
	if err := l.giveBack(ctx); err != nil {
		return ending{phase: Stuck, failed: true, err: err}
	}
	return ending{phase: Staged}
}

// failedOut undoes a host that is out.
func (l *life) failedOut(ctx context.Context, err error) ending {
	why := refusal(err)
	switch {
	case why == RefusedChanged || why == RefusedForeign:
		return l.takenOver(ctx, err)
	case l.run.hard():
		return ending{phase: l.run.phaseOf(l.host.Name()), changed: l.changed, err: err}
	}
	turned := errors.Is(err, errTurned)
	cut := !turned && !l.run.Plan.NoUndo && unreachable(err) && l.cutOff()
	switch {
	case cut: // no failure, to whoever goes on either
		l.run.fail(l.host.Name(), err)
	case !turned:
		l.failure(ctx, err)
	}
	if l.run.Plan.NoUndo {
		return ending{phase: Failed, changed: l.changed, failed: true, err: err}
	}
	e := l.undo(ctx)
	if e.err == nil {
		e.err = err
	}
	if cut && !e.away { // it is there again, and was given up
		l.outcome(ctx, Failed, l.plan.To, err.Error())
	}
	e.failed = e.failed || !turned && !(cut && e.away)
	return e
}

// takenOver: a person changed the host on a balancer. It is left as it stands
// there, and our mark is dropped; where it is out as we left it, it stays ours.
func (l *life) takenOver(ctx context.Context, err error) ending {
	l.run.warn(l.host.Name(), "", "FD-TAKEN-OVER", "a person took the host over: left as it is")
	ctx, cancel := l.run.kept(ctx)
	defer cancel()
	ours := everywhere(l.lbs, func(b Balancer) error {
		_, err := b.Hold(ctx, l.host.Name())
		if why := refusal(err); why == RefusedChanged || why == RefusedForeign {
			return b.Unclaim(ctx, l.host.Name())
		}
		return errStillOurs
	})
	if ours == nil {
		return ending{phase: LeftOut, changed: l.changed, tried: true, err: err}
	}
	return ending{phase: Stuck, changed: l.changed, failed: true, tried: true, err: err}
}

// failedBake takes the host out once more, within the budget, and undoes it.
func (l *life) failedBake(err error) ending {
	if l.run.hard() || errors.Is(err, errTurned) || errors.Is(err, errStopped) {
		return ending{phase: Done, runs: l.plan.To, changed: l.changed}
	}
	if CodeOf(err) == codeDoubt {
		l.doubted = true
		l.done(l.run.ctx)
		return ending{phase: Done, runs: l.plan.To, changed: l.changed, pause: true, doubt: true, err: err}
	}
	if unreachable(err) && l.cutOff() { // it serves, as far as anybody knows: the look at the whole fleet in the end tells
		return ending{phase: Done, runs: l.plan.To, changed: l.changed, away: true, pause: l.run.clears(l.host.Name()), err: err}
	}
	l.failure(l.run.ctx, err)
	if l.run.Plan.NoUndo {
		return ending{phase: Done, runs: l.plan.To, changed: l.changed, failed: true, err: err}
	}
	ctx, cancel := l.timed(l.run.ctx)
	defer cancel()
	l.run.setPhase(l.host.Name(), Draining)   // from here on it wants its slot back: no other is begun
	if out := l.claimAgain(ctx); out != nil { // it could not be taken out: it serves, and the run pauses
		return ending{phase: Done, runs: l.plan.To, changed: true, failed: true, pause: true, err: errors.Join(err, out)}
	}
	l.out = time.Now()
	if out := l.outAgain(ctx); out != nil {
		return ending{phase: Failed, changed: true, failed: true, pause: true, tried: true, err: errors.Join(err, out)}
	}
	e := l.undo(ctx)
	e.failed = true
	if e.err == nil {
		e.err = err
	}
	return e
}

// claimAgain claims the host; capacity that is not there now is waited for: in waves
// its slot was given on, and is free when the next wave returns. That one does not
// wait for it.
func (l *life) claimAgain(ctx context.Context) error {
	for {
		err := l.claim(ctx)
		why := refusal(err)
		if err == nil || why != RefusedFloor && why != RefusedBudget {
			return err
		}
		l.run.with(l.host.Name(), func(v *HostView) { v.Blocked = true })
		if !tick(ctx, l.run.Timing.Blocked) {
			return err
		}
	}
}

// back brings a changed host to what it ran before this rollout, for an automatic
// rollback: drained and proven like any other change, without bake.
func (l *life) back(ctx context.Context) ending {
	l.changed = true
	ctx, cancel := l.timed(ctx)
	defer cancel()
	if l.held {
		if err := l.retake(ctx); err != nil {
			return l.notRetaken(ctx, err)
		}
		return l.undo(ctx)
	}
	if err := l.takeOut(ctx); err != nil {
		e := l.notTaken(ctx, err)
		e.changed = true
		if e.phase == Staged { // it still runs the new release, in rotation
			e.phase = Done
		}
		return e
	}
	return l.undo(ctx)
}

// both runs two checks side by side and joins their errors.
func both(a, b func() error) error {
	c := make(chan error, 1)
	go func() { c <- a() }()
	err := b()
	return errors.Join(<-c, err)
}
