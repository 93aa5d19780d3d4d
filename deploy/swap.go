package deploy

import (
	"context"
	"errors"
	"slices"
)

// swap makes the one change on every Swapper. Where it is refused because of those
// who leave, those who return do so alone; on one that is lost or takes no change they
// stay out, and return on those that are left.
func (x *run) swap(all map[string]*parked, failed map[string]error) {
	for _, b := range x.Balancers {
		s, ok := b.(Swapper)
		if !ok {
			continue
		}
		ctx, cancel := context.WithTimeout(x.ctx, x.Timing.LBReady)
		back, out := split(all, b, failed)
		x.swapOn(ctx, s, back, out, failed)
		cancel()
	}
}

// swapOn makes the change on one balancer, with as many who leave as the floor allows;
// for any other fault that may be theirs, with none of them. What one host alone is
// refused for is no other's fault.
func (x *run) swapOn(ctx context.Context, s Swapper, back, out []string, failed map[string]error) {
	for len(back)+len(out) > 0 {
		err := s.Swap(ctx, back, out, x.budget())
		n := len(out)
		switch {
		case err == nil:
			return
		case n > 0 && refusal(err) == RefusedFloor:
			blame(failed, out[n-1:], about(s, err))
			out = out[:n-1]
		case personal(err) && len(back)+n > 1:
			x.apart(ctx, s, back, out, failed)
			return
		case len(back) > 0 && n > 0:
			blame(failed, out, about(s, err))
			out = nil
		case n > 0 || personal(err):
			blame(failed, append(back, out...), about(s, err))
			return
		default:
			blame(failed, back, &gateError{about(s, err)})
			return
		}
	}
}

// apart makes a change of its own for each host; as many stay as could not return.
func (x *run) apart(ctx context.Context, s Swapper, back, out []string, failed map[string]error) {
	room := len(out)
	for _, h := range back {
		own := map[string]error{}
		if x.swapOn(ctx, s, []string{h}, nil, own); own[h] != nil {
			blame(failed, []string{h}, own[h])
			room = max(0, room-1)
		}
	}
	blame(failed, out[room:], errNoRoom)
	for _, h := range out[:room] {
		x.swapOn(ctx, s, nil, []string{h}, failed)
	}
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
