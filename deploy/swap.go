package deploy

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// swap makes the one change on every Swapper. Where it is refused because of those
// who leave, those who return do so alone. A balancer that is lost, or takes no change,
// is asked again for those who return, up to lb_ready_timeout; they return meanwhile on
// those that are left.
func (x *run) swap(all map[string]*parked, failed map[string]error) {
	ctx, cancel := context.WithTimeout(x.ctx, 2*x.Timing.LBReady)
	defer cancel()
	var waits []*late
	for _, b := range x.Balancers {
		if s, ok := b.(Swapper); ok {
			back, out := split(all, b, failed)
			waits = append(waits, x.swapOn(ctx, all, s, back, out, failed))
		}
	}
	x.swapLate(ctx, all, waits, failed)
}

// A late return is one that a balancer did not take at once.
type late struct {
	on   Swapper
	back []string
	err  error
}

// swapLate asks again for those who could not return, as long as they are well.
func (x *run) swapLate(ctx context.Context, all map[string]*parked, waits []*late, failed map[string]error) {
	ctx, cancel := context.WithTimeout(ctx, x.Timing.LBReady)
	defer cancel()
	left := func() bool {
		waits = slices.DeleteFunc(waits, func(l *late) bool { return len(l.back) == 0 })
		return len(waits) > 0
	}
	for _, l := range waits {
		if len(l.back) > 0 {
			x.emit(Event{Kind: KindLB, LB: l.on.Name(), Detail: "waiting to put " + strings.Join(l.back, ", ") + " back: " + l.err.Error()})
		}
	}
	for left() && tick(ctx, time.Second) {
		for i, l := range waits {
			l.back = slices.DeleteFunc(l.back, func(h string) bool {
				err := all[h].ask(ctx)
				if err != nil && ctx.Err() == nil {
					blame(failed, []string{h}, err)
				}
				return failed[h] != nil && !notReturned(failed[h])
			})
			if again := x.swapOn(ctx, all, l.on, l.back, nil, failed); len(again.back) == 0 || ctx.Err() == nil {
				waits[i] = again
			}
		}
	}
	for _, l := range waits {
		blame(failed, l.back, &gateError{about(l.on, l.err)})
	}
}

// swapOn makes the change on one balancer, with as many who leave as the floor allows;
// for any other fault that may be theirs, with none of them. What one host alone is
// refused for is no other's fault. Who could return and did not is late.
func (x *run) swapOn(ctx context.Context, all map[string]*parked, s Swapper, back, out []string, failed map[string]error) *late {
	for {
		back, out = x.stillWell(ctx, all, back, out, failed)
		if len(back)+len(out) == 0 {
			return &late{on: s}
		}
		err := s.Swap(ctx, back, out, x.budget(s, out...))
		n := len(out)
		switch {
		case err == nil:
			return &late{on: s}
		case n > 0 && refusal(err) == RefusedFloor:
			blame(failed, out[n-1:], about(s, err))
			out = out[:n-1]
		case personal(err) && len(back)+n > 1:
			return x.apart(ctx, all, s, back, out, failed)
		case len(back) > 0 && n > 0:
			blame(failed, out, about(s, err))
			out = nil
		case n > 0 || personal(err):
			blame(failed, append(back, out...), about(s, err))
			return &late{on: s}
		default:
			return &late{s, back, err}
		}
	}
}

// justNow is how long an answer counts: other balancers may have taken seconds since.
const justNow = 100 * time.Millisecond

// stillWell asks those who return once more, right before the change that has them do so.
// The slot of one that died meanwhile stays taken, and one that leaves stays in its place.
func (x *run) stillWell(ctx context.Context, all map[string]*parked, back, out []string, failed map[string]error) (well, leave []string) {
	for {
		dead := map[string]error{}
		old := map[string]*parked{}
		for _, h := range back {
			if p := all[h]; time.Since(p.asked) > justNow {
				old[h] = p
			}
		}
		each(old, true, dead, func(_ string, p *parked) error { return p.ask(ctx) })
		if len(dead) == 0 || ctx.Err() != nil {
			return back, out
		}
		for h, err := range dead {
			blame(failed, []string{h}, err)
		}
		back = slices.DeleteFunc(slices.Clone(back), func(h string) bool { return dead[h] != nil })
		room := max(0, len(out)-len(dead))
		blame(failed, out[room:], errNoRoom)
		out = out[:room]
	}
}

// apart makes a change of its own for each host; as many stay as could not return.
func (x *run) apart(ctx context.Context, all map[string]*parked, s Swapper, back, out []string, failed map[string]error) *late {
	left := &late{on: s}
	in := 0
	for _, h := range back {
		own := map[string]error{}
		l := x.swapOn(ctx, all, s, []string{h}, nil, own)
		switch {
		case own[h] != nil:
			blame(failed, []string{h}, own[h])
		case len(l.back) > 0:
			left.back, left.err = append(left.back, h), l.err
		default:
			in++
		}
	}
	room := max(0, len(out)-(len(back)-in))
	blame(failed, out[room:], errNoRoom)
	for _, h := range out[:room] {
		x.swapOn(ctx, all, s, nil, []string{h}, failed)
	}
	return left
}

// personal tells of a refusal that is about what somebody did to one host.
func personal(err error) bool {
	switch refusal(err) {
	case RefusedForeign, RefusedOut, RefusedChanged:
		return true
	}
	return false
}

// about names the balancer that an error is of.
func about(b Balancer, err error) error {
	return everywhere([]Balancer{b}, func(Balancer) error { return err })
}

// split are the hosts that return to and leave b, in order.
func split(all map[string]*parked, b Balancer, failed map[string]error) (back, out []string) {
	for _, host := range sorted(all) {
		p := all[host]
		switch {
		case !slices.Contains(p.lbs, b):
		case p.returns() && (failed[host] == nil || notReturned(failed[host])):
			back = append(back, host)
		case failed[host] == nil:
			out = append(out, host)
		}
	}
	return back, out
}

func blame(failed map[string]error, hosts []string, err error) {
	for _, h := range hosts {
		failed[h] = errors.Join(failed[h], err)
	}
}
