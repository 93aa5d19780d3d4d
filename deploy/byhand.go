package deploy

import (
	"context"
	"time"
)

// Hand is the owner word of a mark that a person left.
const Hand = "hand"

// DrainByHand takes one host out for a person, by the guard and the waiting of a
// rollout, and returns once no request is in flight to it on any balancer. The marks
// stay: later rollouts leave the host alone. On an error it is back as it was found.
func (r *Rollout) DrainByHand(ctx context.Context, host string) error {
	l, done := r.byHand(ctx, host)
	defer done()
	if err := l.takeOut(ctx); err != nil {
		return err
	}
	return nil
}

// ReadyByHand puts a host back that carries a hand's mark, once it is healthy, and
// returns when every balancer says up and in rotation. On an error it stays out.
func (r *Rollout) ReadyByHand(ctx context.Context, host string) error {
	l, done := r.byHand(ctx, host)
	defer done()
	l.phase(Verifying, "")
	if err := r.Checker.Healthy(ctx, host, ""); err != nil {
		return fault(host, Verifying, err)
	}
	l.phase(Readying, "")
	if err := l.ready(ctx); err != nil {
		return err
	}
	l.phase(Done, "in rotation")
	return nil
}

// byHand is a life outside of any plan: nothing of it is to be gone on with, so it
// keeps no journal. Its safety is in marks and fence, like any other's.
func (r *Rollout) byHand(ctx context.Context, host string) (*life, func()) {
	r.Timing = r.Timing.filled()
	r.Journal = unkept{}
	ctx, cancel := context.WithCancel(ctx)
	x := &run{Rollout: r, ctx: ctx, stop: ctx, moved: time.Now(), marked: newLeftMarks(), errs: map[string]error{}, outFor: map[string]time.Duration{},
		hosts: []HostView{{Name: host}}, low: r.Plan.Serving}
	x.index()
	return &life{run: x, host: r.Hosts[host], plan: PlannedHost{Name: host}, lbs: r.Carries[host]}, cancel
}

type unkept struct{}

func (unkept) Append(context.Context, Record) error { return nil }
