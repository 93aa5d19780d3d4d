package deploy

import (
	"context"
	"fmt"
	"time"
)

// bake watches a host in rotation for the bake time: health, process, unit, and
// the balancers' own counters. It ends early, without a fault, when the run
// stops or turns.
func (l *life) bake(ctx context.Context) error {
	t := l.trial()
	if l.run.Plan.Bake <= 0 && !t.asked {
		return nil
	}
	l.phase(Baking, l.run.Plan.Bake.String())
	t.before = l.count(ctx)
	if err := l.stays(ctx, l.run.Plan.Bake); err != nil {
		return err
	}
	return t.judge(ctx)
}

// stays returns once the host has stayed well for that long.
func (l *life) stays(ctx context.Context, long time.Duration) error {
	for end := time.Now().Add(long); time.Now().Before(end); {
		if err := l.stillWell(ctx); err != nil {
			return err
		}
		tick(ctx, min(l.run.Timing.BakePoll, time.Until(end)))
		switch {
		case l.run.turned():
			return errTurned
		case l.run.stop.Err() != nil:
			return errStopped
		}
	}
	return l.stillWell(ctx)
}

func (l *life) stillWell(ctx context.Context) error {
	err := l.answers(ctx)
	if err == nil {
		err = l.host.Alive(ctx, l.plan.To)
	}
	if err != nil {
		return l.withLog(ctx, fault(l.host.Name(), Baking, err))
	}
	return nil
}

// answers: one bad answer may be the network's; a second one is the host's.
func (l *life) answers(ctx context.Context) error {
	if l.run.Checker.Probe(ctx, l.host.Name()) == nil {
		return nil
	}
	tick(ctx, l.run.Timing.Poll)
	return l.run.Checker.Probe(ctx, l.host.Name())
}

// wellStill tells that a host which waited to be put back is as it was proven. That it
// could not be asked over SSH just now says nothing against it, as long as it answers.
func (l *life) wellStill(ctx context.Context) error {
	err := l.answers(ctx)
	if err == nil {
		err = l.host.Alive(ctx, l.runs)
		if unreachable(err) && ctx.Err() == nil {
			err = nil
		}
	}
	if err == nil {
		return nil
	}
	return l.withLog(ctx, fault(l.host.Name(), Readying, err))
}

// hard looks at what only a bad host shows.
func (l *life) hard(lb string, host, old Counters) error {
	switch {
	case host.ChecksDown > 0:
		return l.bakeFault(fmt.Errorf("%s's own checks took it down %d times during bake", lb, host.ChecksDown))
	case host.Connect >= leastErrors && old.Connect == 0:
		return l.bakeFault(fmt.Errorf("%d connections from %s failed during bake", host.Connect, lb))
	}
	return nil
}

func (l *life) bakeFault(err error) error {
	return &Fault{Host: l.host.Name(), Phase: Baking, Code_: "FD-BAKE", Err: err,
		Hint_: "look at the app's log on the host: it passed its health check and did not stay well"}
}
