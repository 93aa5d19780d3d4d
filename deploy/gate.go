package deploy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
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
	lbs   []Balancer
	well  func(context.Context) error // who returns: is it still as it was proven? nil for who leaves
	asked time.Time                   // when it was found so last
	done  chan error
}

func (p *parked) returns() bool { return p.well != nil }

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
func (g *gate) pass(ctx context.Context, host string, p *parked) error {
	p.done = make(chan error, 1)
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
		m[host] = p.returns()
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
		if !p.returns() && x.stop.Err() != nil {
			failed[host] = errStopped
		}
	}
	x.proven(all, failed)
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
		if p.returns() && failed[host] != nil {
			short++
		}
	}
	for _, host := range slices.Backward(sorted(all)) {
		if p := all[host]; !p.returns() && failed[host] == nil && short > 0 {
			failed[host] = errNoRoom
			short--
		}
	}
}

// proven asks those who return once more: they waited for others, and may have died
// meanwhile.
func (x *run) proven(all map[string]*parked, failed map[string]error) {
	each(all, true, failed, func(_ string, p *parked) error {
		ctx, cancel := context.WithTimeout(x.ctx, 20*time.Second)
		defer cancel()
		return p.ask(ctx)
	})
}

// ask is nil where who returns is well now.
func (p *parked) ask(ctx context.Context) error {
	err := p.well(ctx)
	p.asked = time.Now()
	return err
}

// oneByOne puts hosts back, or drains them, on balancers that are no Swapper.
func (x *run) oneByOne(all map[string]*parked, returns bool, failed map[string]error) {
	each(all, returns, failed, func(host string, p *parked) error {
		l := &life{run: x, host: x.Hosts[host], lbs: singles(p.lbs)}
		return l.alone(returns)
	})
}

// each does one thing with all who return, or leave, side by side, but for those that
// failed already.
func each(all map[string]*parked, returns bool, failed map[string]error, do func(string, *parked) error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	defer wg.Wait()
	mu.Lock() // nobody enters a failure before the last was begun with
	defer mu.Unlock()
	for host, p := range all {
		if p.returns() != returns || failed[host] != nil {
			continue
		}
		wg.Go(func() {
			err := do(host, p)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed[host] = err
			}
		})
	}
}

func (l *life) alone(returns bool) error {
	if !returns {
		return everywhere(l.lbs, func(b Balancer) error { return b.Drain(l.run.ctx, l.host.Name(), l.budget(b)) })
	}
	ctx, cancel := context.WithTimeout(l.run.ctx, l.run.Timing.LBReady)
	defer cancel()
	return everywhere(l.lbs, func(b Balancer) error { return l.readyOn(ctx, b) })
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
		if h.Busy && h.Phase != Baking && !h.Blocked {
			way++
		}
	}
	return here >= way || x.stop.Err() != nil
}
