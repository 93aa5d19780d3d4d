package deploy

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// A Swapper is a balancer on which every change costs something, as each reload of
// nginx does: hosts that return and hosts that leave share one.
type Swapper interface {
	Balancer
	// Swap puts the hosts of back into rotation and takes those of out away, all of
	// them claimed, by one change that is live on return, or changes nothing. The floor
	// is checked where it acts, with both taken together.
	Swap(ctx context.Context, back, out []string, b Budget) error
}

// A gate gathers the hosts of a wave where they leave and where they return, so that
// the wave that comes back and the one that goes next share one change. It is there
// only when a balancer is a Swapper.
type gate struct {
	mu      sync.Mutex
	waiting map[string]*parked
	wake    chan struct{} // somebody came
}

// A parked host waits for its change.
type parked struct {
	returns bool
	lbs     []Balancer
	done    chan error
}

// newGate is nil where no balancer is a Swapper: hosts then go one by one.
func newGate(lbs []Balancer) *gate {
	for _, b := range lbs {
		if _, ok := b.(Swapper); ok {
			return &gate{waiting: map[string]*parked{}, wake: make(chan struct{}, 1)}
		}
	}
	return nil
}

// woken is told when a host came to the gate; nil, which never is, without a gate.
func (g *gate) woken() <-chan struct{} {
	if g == nil {
		return nil
	}
	return g.wake
}

// pass waits at the gate until the host's change was made, or ctx ended. The host's
// own deadline does not run here: it waits for others.
func (g *gate) pass(ctx context.Context, host string, returns bool, lbs []Balancer) error {
	p := &parked{returns: returns, lbs: lbs, done: make(chan error, 1)}
	g.mu.Lock()
	g.waiting[host] = p
	g.mu.Unlock()
	select {
	case g.wake <- struct{}{}:
	default:
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.waiting, host)
		return context.Cause(ctx)
	}
}

// parkedHosts are those that wait now, and whether they return.
func (g *gate) parkedHosts() map[string]bool {
	m := map[string]bool{}
	if g == nil {
		return m
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for host, p := range g.waiting {
		m[host] = p.returns
	}
	return m
}

// take empties the gate.
func (g *gate) take() map[string]*parked {
	g.mu.Lock()
	defer g.mu.Unlock()
	all := g.waiting
	g.waiting = map[string]*parked{}
	return all
}

// open makes one change for all that wait: who returns is put back on the balancers
// that take hosts one by one, then the one change is made on the others, and then who
// leaves is drained on the first.
func (x *run) open() {
	all := x.gate.take()
	failed := map[string]error{}
	for host, p := range all {
		if !p.returns && x.stop.Err() != nil {
			failed[host] = errStopped
		}
	}
	x.oneByOne(all, true, failed)
	keepRoom(all, failed)
	x.swap(all, failed)
	x.oneByOne(all, false, failed)
	for host, p := range all {
		p.done <- failed[host]
	}
}

// keepRoom has as many stay as could not return: the slot of each is still taken.
func keepRoom(all map[string]*parked, failed map[string]error) {
	short := 0
	for host, p := range all {
		if p.returns && failed[host] != nil {
			short++
		}
	}
	for _, host := range slices.Backward(sorted(all)) {
		if p := all[host]; !p.returns && failed[host] == nil && short > 0 {
			failed[host] = errNoRoom
			short--
		}
	}
}

// oneByOne puts hosts back, or drains them, on balancers that are no Swapper.
func (x *run) oneByOne(all map[string]*parked, returns bool, failed map[string]error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for host, p := range all {
		if p.returns != returns || failed[host] != nil {
			continue
		}
		l := &life{run: x, host: x.Hosts[host], lbs: singles(p.lbs)}
		wg.Go(func() {
			err := l.alone(returns)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[host] = err
			}
		})
	}
	wg.Wait()
}

func (l *life) alone(returns bool) error {
	if !returns {
		return everywhere(l.lbs, func(b Balancer) error { return b.Drain(l.run.ctx, l.host.Name(), l.budget()) })
	}
	ctx, cancel := context.WithTimeout(l.run.ctx, l.run.Timing.LBReady)
	defer cancel()
	return everywhere(l.lbs, func(b Balancer) error { return l.readyOn(ctx, b) })
}

// swap makes the one change on every Swapper. Where it is refused because of those
// who leave, those who return do so alone.
func (x *run) swap(all map[string]*parked, failed map[string]error) {
	ctx, cancel := context.WithTimeout(x.ctx, x.Timing.LBReady)
	defer cancel()
	for _, b := range x.Balancers {
		s, ok := b.(Swapper)
		if !ok {
			continue
		}
		back, out := split(all, b, failed)
		if len(back)+len(out) == 0 {
			continue
		}
		if err := x.swapOn(ctx, s, back, &out, failed); err != nil {
			blame(failed, out, about(b, err))
			blame(failed, back, &gateError{about(b, err)})
		}
	}
}

// swapOn makes the change on one balancer, with as many who leave as the floor
// allows; for any other fault that may be theirs, with none of them.
func (x *run) swapOn(ctx context.Context, s Swapper, back []string, out *[]string, failed map[string]error) error {
	for {
		err := s.Swap(ctx, back, *out, x.budget())
		n := len(*out)
		if err == nil || n == 0 || len(back) == 0 && (n == 1 || refusal(err) != RefusedFloor) {
			return err
		}
		keep := 0
		if refusal(err) == RefusedFloor {
			keep = n - 1
		}
		blame(failed, (*out)[keep:], about(s, err))
		*out = (*out)[:keep]
	}
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
		case failed[host] != nil || !slices.Contains(p.lbs, b):
		case p.returns:
			back = append(back, host)
		default:
			out = append(out, host)
		}
	}
	return back, out
}

func blame(failed map[string]error, hosts []string, err error) {
	for _, h := range hosts {
		failed[h] = err
	}
}

// singles are the balancers that take hosts one by one.
func singles(lbs []Balancer) (list []Balancer) {
	for _, b := range lbs {
		if _, ok := b.(Swapper); !ok {
			list = append(list, b)
		}
	}
	return list
}

// errNoRoom is waited for, like any want of capacity.
var errNoRoom = &noRoom{}

type noRoom struct{}

func (*noRoom) Error() string   { return "a host could not return, and its slot is still taken" }
func (*noRoom) Refusal() string { return RefusedBudget }
func (*noRoom) Code() string    { return "FD-BUDGET" }
func (*noRoom) Hint() string    { return "see why that host could not return; it goes on when it does" }

// A gateError says that hosts which are well could not return: the balancer did not
// take the change.
type gateError struct{ err error }

func (e *gateError) Error() string { return e.err.Error() }
func (e *gateError) Unwrap() error { return e.err }

// notReturned tells whether a host is well and out for want of a balancer.
func notReturned(err error) bool {
	var g *gateError
	return onlyLost(err) || errors.As(err, &g)
}

// full tells whether everybody who is on the way has come to the gate; nobody waits
// for the others once the run stops.
func (x *run) full() bool {
	here := len(x.gate.parkedHosts())
	if here == 0 {
		return false
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	way := 0
	for _, h := range x.hosts {
		if h.Busy && h.Phase != Baking {
			way++
		}
	}
	return here >= way || x.stop.Err() != nil
}
