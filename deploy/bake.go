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
	if l.run.Plan.Bake <= 0 {
		return nil
	}
	l.phase(Baking, l.run.Plan.Bake.String())
	before := l.counters(ctx)
	end := time.Now().Add(l.run.Plan.Bake)
	for time.Now().Before(end) {
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
	if err := l.stillWell(ctx); err != nil {
		return err
	}
	return l.judge(before, l.counters(ctx))
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

// counters are kept a balancer; one that cannot be asked has none.
func (l *life) counters(ctx context.Context) map[string]Counters {
	m := make(map[string]Counters)
	for _, b := range l.lbs {
		if c, err := b.Counters(ctx, l.host.Name()); err == nil {
			m[b.Name()] = c
		}
	}
	return m
}

// judge looks at what only a bad host shows: failed checks and failed
// connections. Errors that the app answers need a comparison with other hosts.
func (l *life) judge(before, after map[string]Counters) error {
	for lb, a := range after {
		b, ok := before[lb]
		if !ok || a.Generation != b.Generation {
			continue
		}
		if d := a.ChecksDown - b.ChecksDown; d > 0 {
			return l.bakeFault(lb, fmt.Errorf("%s's own checks took it down %d times during bake", lb, d))
		}
		if d := a.Connect - b.Connect; d >= 3 {
			return l.bakeFault(lb, fmt.Errorf("%d connections from %s failed during bake", d, lb))
		}
	}
	return nil
}

func (l *life) bakeFault(lb string, err error) error {
	return &Fault{Host: l.host.Name(), Phase: Baking, Code_: "FD-BAKE", Err: err,
		Hint_: "look at the app's log on the host: it passed its health check and did not stay well"}
}
