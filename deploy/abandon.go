package deploy

import (
	"context"
	"errors"
)

// asIs puts a host that an earlier run left out back with whatever it runs, once that
// is proven and healthy. The disk is made to agree with the process first: what
// starts the app again one day starts the release that was proven. On a failure the
// host stays out, with its mark.
func (l *life) asIs(ctx context.Context) ending {
	ctx, cancel := context.WithTimeoutCause(ctx, l.run.Timing.Host, errHostDeadline)
	defer cancel()
	release, err := l.standsOn(ctx)
	if err == nil {
		err = l.onlyThat(ctx, release)
	}
	if err == nil {
		err = l.holding(ctx, func(ctx context.Context) error { return l.verify(ctx, release) })
	}
	if err == nil {
		l.runs = release
		err = l.intent(ctx, Readying, release)
	}
	if err == nil {
		err = l.ready(ctx)
	}
	if err != nil {
		l.run.fail(l.host.Name(), err)
		return ending{phase: Failed, runs: release, failed: true, tried: true, err: err}
	}
	l.phase(Done, RevisionOf(release))
	l.outcome(ctx, Done, release, "abandoned")
	return ending{phase: Done, runs: release}
}

// standsOn is the release that runs and that the disk points at by now.
func (l *life) standsOn(ctx context.Context) (string, error) {
	r, err := l.host.Running(ctx)
	if err != nil {
		return "", fault(l.host.Name(), Verifying, err)
	}
	if r.Release == "" || r.Release == foreign {
		return "", &Fault{Host: l.host.Name(), Phase: Verifying, Code_: "FD-NOT-PROVEN",
			Err:   errors.New("no release of ours runs here: " + or(r.Detail, "nothing does")),
			Hint_: "start it on the host; when it is well, put it back with \"flipdeploy ready --force " + l.host.Name() + "\""}
	}
	current, err := l.host.Current(ctx)
	if err != nil || current == r.Release {
		return r.Release, err
	}
	if err := l.retake(ctx); err != nil { // the disk changes only while the host is out everywhere
		return r.Release, err
	}
	if err := l.intent(ctx, Flipping, r.Release); err != nil {
		return r.Release, err
	}
	return r.Release, l.host.Flip(ctx, r.Release)
}

// onlyThat ends what a reload of an earlier run left half way, which might take over
// later. A host that serves on some balancer and may not leave it is not touched.
func (l *life) onlyThat(ctx context.Context, release string) error {
	if l.keptOut(ctx) != nil {
		switch err := l.retake(ctx); refusal(err) {
		case RefusedFloor, RefusedBudget:
			return l.amid()
		default:
			if err != nil {
				return err
			}
		}
	}
	return l.holding(ctx, func(ctx context.Context) error {
		if err := l.intent(ctx, Reloading, release); err != nil {
			return err
		}
		if err := l.host.Restore(ctx, release); err != nil {
			return fault(l.host.Name(), Reloading, err)
		}
		l.tidied()
		return nil
	})
}

// abandonedOutcome: a host that is still out needs a person.
func abandonedOutcome(hosts []HostView, stopped, paused bool) Outcome {
	out := false
	for _, h := range hosts {
		out = out || h.Phase == Failed || h.Phase == Stuck || h.Phase == Unknown || h.Loose
	}
	switch {
	case out && stopped:
		return OutcomeInterrupted
	case out && paused:
		return OutcomePaused
	case out:
		return OutcomeStuck
	}
	return OutcomeDone
}

// abandoned closes the journal whatever is left, unless the run was stopped: nobody
// is to go on with this rollout. The fleet may run several releases now.
func (x *run) abandoned(res *Result) {
	res.Revision, res.Previous = "", ""
	if x.closed = res.Outcome != OutcomeInterrupted && res.Outcome != OutcomePaused; x.closed {
		x.close(Abandoned)
	}
}
