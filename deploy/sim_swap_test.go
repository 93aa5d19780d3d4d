package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// A simSwapper is a balancer that reloads at every change.
type simSwapper struct{ *simLB }

func (lb *simSwapper) Swap(ctx context.Context, back, out []string, b Budget) error {
	all := strings.Join(append(slices.Clone(back), out...), "+")
	return lb.do(ctx, "swap", all, 300*time.Millisecond, lb.fenced(func() error { return lb.change(back, out, b) }))
}

func (lb *simSwapper) change(back, out []string, b Budget) error {
	if err := lb.maySwap(back, out, b); err != nil {
		return err
	}
	lb.s.reloads++
	for _, h := range back {
		lb.returns(h)
	}
	for _, h := range out {
		lb.leaves(h)
	}
	return nil
}

func (lb *simSwapper) maySwap(back, out []string, b Budget) error {
	serving := lb.serving()
	for _, h := range append(slices.Clone(back), out...) {
		if err := lb.owned(h, func() error { return nil })(); err != nil {
			return err
		}
	}
	for _, h := range back {
		if lb.state[h] != StateReady {
			if _, err := lb.keep(h); err != nil {
				return err
			}
			if lb.s.hosts[h].well() {
				serving++
			}
		}
	}
	lowers := false
	for _, h := range out {
		if err := lb.mayLeave(h); err != nil {
			return err
		}
		if lb.lowers(h) {
			serving--
			lowers = true
		}
	}
	if lowers && (serving < b.MinServing || lb.short(b, back, out)) && !lb.s.rules.noFloor {
		return &simRefusal{RefusedFloor}
	}
	return nil
}

func (lb *simSwapper) Drain(context.Context, string, Budget) error {
	return errors.New("hosts leave such a balancer by waves")
}

func (lb *simSwapper) Ready(context.Context, string, func(string)) error {
	return errors.New("hosts return to such a balancer by waves")
}
