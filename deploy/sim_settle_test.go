package deploy

import (
	"context"
	"errors"
	"slices"
	"time"
)

func (s *sim) wrong() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.broken) > 0
}

// journal is what was written, the plan first.
func (s *sim) journal() []Record {
	s.mu.Lock() // a run that died may still be on its way out
	defer s.mu.Unlock()
	return append([]Record{{Rollout: "us", Kind: "plan", Plan: &s.plan}}, s.records...)
}

type settling = Settling

const (
	goOn   = GoOn
	goBack = GoBack
	leave  = Leave
)

// standing is what the journal says, and whether it says that nothing is left to do.
type standing struct {
	Standing
	closed bool
}

func (s *sim) standing() standing {
	all := s.journal()
	return standing{StandingOf(all), !Unfinished(all)}
}

// settle ends an unfinished rollout as the program does, but for what it asks machines.
func (d *deployer) settle(ctx, stop context.Context, how settling) (Result, error) {
	d.leaves = how == leave
	both, done := context.WithCancel(ctx)
	defer done()
	defer context.AfterFunc(stop, done)()
	r := d.engine(d.s.plan)
	if d.with != nil {
		d.with(r)
	}
	t := Takeover{Rollout: r, Standing: d.s.standing().Standing, How: how, Who: "another", Trust: d.trusts, Fence: d.fence,
		Adopt: func(ctx context.Context, on Balancer, host string) error {
			i := slices.IndexFunc(d.lbs, func(lb *simLB) bool { return lb.name == on.Name() })
			return d.lbs[i].adopt(ctx, host)
		}}
	return t.Run(both, ctx)
}

// fence shuts earlier deployers out, the balancers first.
func (d *deployer) fence(ctx context.Context, hosts []string) (map[string]error, error) {
	err := everyone(d.lbs, func(lb *simLB) error {
		return lb.do(ctx, "raise", "", time.Millisecond, func() error {
			if lb.fence >= d.epoch { // a fence only rises
				return &simRefusal{RefusedFenced}
			}
			lb.fence, lb.raised = d.epoch, d.epoch
			return nil
		})
	})
	if err != nil || d.s.rules.noHostFence {
		return nil, err
	}
	why := make([]error, len(hosts))
	_ = everyone(hosts, func(name string) error {
		h := d.hosts[name]
		why[slices.Index(hosts, name)] = h.do(ctx, "fence", "", time.Millisecond, func() error {
			if h.fence > d.epoch {
				return &simRefusal{RefusedFenced}
			}
			h.fence, h.raised = d.epoch, d.epoch
			return nil
		})
		return nil
	})
	unfenced := map[string]error{}
	for i, err := range why {
		if err != nil {
			unfenced[hosts[i]] = err
		}
	}
	return unfenced, nil
}

// adopt takes what stands under our mark as ours.
func (lb *simLB) adopt(ctx context.Context, host string) error {
	return lb.do(ctx, "adopt", host, time.Millisecond, lb.fenced(func() error {
		if lb.mark[host] != "us" && lb.mark[host] != "" {
			return &simRefusal{RefusedForeign}
		}
		lb.mark[host], lb.epochs[host] = "us", lb.by.epoch
		return nil
	}))
}

// everyone asks all side by side.
func everyone[T any](all []T, ask func(T) error) error {
	errs := make(chan error, len(all))
	for _, x := range all {
		go func() { errs <- ask(x) }()
	}
	var joined []error
	for range all {
		joined = append(joined, <-errs)
	}
	return errors.Join(slices.DeleteFunc(joined, func(err error) bool { return err == nil })...)
}
