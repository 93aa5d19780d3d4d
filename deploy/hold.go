package deploy

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// holding runs work while a host is out and watches at each poll that every
// balancer still keeps it so: a balancer that forgot is told again, a person who
// took the host over ends the work with a refusal.
func (l *life) holding(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	for _, b := range l.lbs {
		wg.Go(func() { l.watch(ctx, b, cancel) })
	}
	err := work(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = fmt.Errorf("%w (%w)", cause, err)
	}
	cancel(nil)
	wg.Wait()
	return err
}

func (l *life) watch(ctx context.Context, b Balancer, cancel context.CancelCauseFunc) {
	for tick(ctx, l.run.Timing.Poll) {
		if err := l.keep(ctx, b); refusal(err) != "" {
			cancel(err)
			return
		}
		// A balancer that cannot be asked is asked again; it cannot change by our hand.
	}
}

// keep has the balancer keep the host out.
func (l *life) keep(ctx context.Context, b Balancer) error {
	again, err := b.Hold(ctx, l.host.Name())
	if again {
		l.run.warn(l.host.Name(), b.Name(), "FD-LB-FORGOT", "the balancer restarted and forgot that the host is out: taken out again")
	}
	return err
}

// heldStill looks again at a host that nobody watched for a while, unless it is on its
// way back.
func (l *life) heldStill(ctx context.Context) error {
	if l.readied || l.restored {
		return nil
	}
	return everywhere(l.lbs, func(b Balancer) error { return l.keep(ctx, b) })
}

// tick waits one interval; false when ctx ended first.
func tick(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
