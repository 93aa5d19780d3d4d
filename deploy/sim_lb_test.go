package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A simEdge is a balancer as it is, whoever asks.
type simEdge struct {
	s             *sim
	name          string
	state         map[string]State
	mark          map[string]string
	epochs        map[string]int64 // epoch of the mark
	claimed       map[string]bool  // the mark says that the host is only about to leave
	fence, raised int64            // raised is what fence would be without mutants
	up            int              // in rotation
	lives         int              // grows when it restarts and forgets
	taken         map[string]bool  // by a person, since the run began
	back          map[string]time.Time
	person        string // a host that a person put back
	zone          string // whose hosts alone it carries; "" all
	gone          bool   // unreachable
	sticky        bool   // some clients come to a host in drain all the same; of a plain fleet
}

// A simLB is a balancer in one deployer's hands.
type simLB struct {
	*simEdge
	by    *deployer
	left  map[string]simLeft // what this deployer left
	tried map[string]State   // what it told a host to be, and nobody knows whether it is
}

type simLeft struct {
	state State
	lives int
}

func (e *simEdge) serving() int {
	n := 0
	if len(e.s.names) > large { // counted as it changes
		n = e.up
		for name := range e.s.unwell {
			if e.state[name] == StateReady {
				n--
			}
		}
		return n
	}
	for _, name := range e.s.names {
		if e.state[name] == StateReady && e.s.hosts[name].well() {
			n++
		}
	}
	return n
}

// large fleets are counted as they change.
const large = 16

func (e *simEdge) set(host string, st State) {
	if e.state[host] == StateReady {
		e.up--
	}
	if st == StateReady {
		e.up++
	}
	e.state[host] = st
}

// marked counts our marks, but those of hosts that make room.
func (e *simEdge) marked(beside []string) int {
	room := make(map[string]bool, len(beside))
	for _, h := range beside {
		room[h] = true
	}
	n := 0
	for h, m := range e.mark {
		if m == "us" && !room[h] {
			n++
		}
	}
	return n
}

// --- by a person, and by itself

// takes is a person who takes a host out, on the balancer's own socket.
func (e *simEdge) takes(host string) {
	e.set(host, StateMaint)
	e.taken[host] = true
	delete(e.back, host)
}

// gives is a person who puts a host back.
func (e *simEdge) gives(host string) {
	e.set(host, StateReady)
	e.back[host] = time.Now()
	delete(e.taken, host)
}

// forgets is a restart without a state file.
func (e *simEdge) forgets() {
	e.lives++
	e.sticky = e.sticky || e.s.plain // it was configured anew
	for _, h := range e.s.names {
		if e.carries(h) && e.state[h] != StateReady && !e.s.hosts[h].hand {
			e.gives(h)
		}
	}
}

// --- by a deployer

func (lb *simLB) Name() string { return lb.name }

func (lb *simLB) do(ctx context.Context, op, host string, d time.Duration, effect func() error) error {
	return (&call{by: lb.by, op: op, lb: lb.name, host: host, takes: d, effect: effect}).do(ctx)
}

// fenced has an effect behind the fence.
func (lb *simLB) fenced(effect func() error) func() error {
	return func() error {
		if lb.fence != lb.by.epoch && !lb.s.rules.noFence {
			return &simRefusal{RefusedFenced}
		}
		if lb.raised > lb.by.epoch {
			lb.s.violated("I6: a call of epoch %d took effect on %s behind the fence of epoch %d", lb.by.epoch, lb.name, lb.raised)
		}
		return effect()
	}
}

// owned has one behind fence and mark.
func (lb *simLB) owned(host string, effect func() error) func() error {
	return lb.fenced(func() error {
		if (lb.mark[host] != "us" || lb.epochs[host] != lb.by.epoch) && !lb.s.rules.noOwner {
			return &simRefusal{RefusedForeign}
		}
		return effect()
	})
}

func (lb *simLB) Seats(ctx context.Context) (m map[string]Seat, err error) {
	c := &call{by: lb.by, op: "seats", lb: lb.name, takes: time.Millisecond + time.Duration(len(lb.s.names)/large)*100*time.Microsecond}
	c.effect = func() error {
		m = make(map[string]Seat, len(lb.s.names))
		for _, n := range lb.s.names {
			if !lb.carries(n) {
				m[n] = Seat{State: StateAbsent}
				continue
			}
			m[n] = Seat{State: lb.state[n], Serving: lb.state[n] == StateReady && lb.s.hosts[n].well(), Owner: lb.mark[n],
				Taken: lb.claimed[n] && lb.state[n] != StateReady}
		}
		if lb.s.park != nil {
			c.saw = fmt.Sprint(m)
		}
		return nil
	}
	return m, c.do(ctx)
}

func (lb *simLB) Claim(ctx context.Context, host string, b Budget) error {
	return lb.do(ctx, "claim", host, 5*time.Millisecond, lb.fenced(func() error {
		_, held := lb.left[host]
		switch {
		case lb.mark[host] != "us" && lb.mark[host] != "" && !lb.s.rules.noOwner:
			return &simRefusal{RefusedForeign}
		case lb.mark[host] != "us" && lb.marked(b.Beside) >= b.Parallel && !lb.s.rules.anyBudget:
			return &simRefusal{RefusedBudget}
		case lb.state[host] != StateReady && !held && !lb.s.rules.noSurprise:
			return &simRefusal{RefusedOut}
		case lb.lowers(host) && (lb.serving()-1 < b.MinServing || lb.short(b, nil, []string{host})):
			return &simRefusal{RefusedFloor}
		}
		if lb.mark[host] == "" {
			lb.claimed[host] = true
		}
		lb.mark[host], lb.epochs[host] = "us", lb.by.epoch
		return nil
	}))
}

func (e *simEdge) lowers(host string) bool {
	return e.state[host] == StateReady && e.s.hosts[host].well()
}

func (lb *simLB) Unclaim(ctx context.Context, host string) error {
	return lb.do(ctx, "unclaim", host, time.Millisecond, lb.fenced(func() error {
		if lb.mark[host] == "us" && lb.epochs[host] == lb.by.epoch {
			delete(lb.mark, host)
			delete(lb.epochs, host)
			delete(lb.claimed, host)
		}
		return nil
	}))
}

func (lb *simLB) Drain(ctx context.Context, host string, b Budget) error {
	return lb.do(ctx, "drain", host, 5*time.Millisecond, lb.owned(host, func() error {
		if err := lb.mayLeave(host); err != nil {
			return err
		}
		if lb.lowers(host) && (lb.serving()-1 < b.MinServing || lb.short(b, nil, []string{host})) && !lb.s.rules.noFloor {
			return &simRefusal{RefusedFloor}
		}
		lb.leaves(host)
		return nil
	}))
}

// mayLeave refuses a host that somebody else has taken out.
func (lb *simLB) mayLeave(host string) error {
	was, held := lb.left[host]
	_, claimed := lb.epochs[host]
	switch st := lb.state[host]; {
	case st == StateReady, held && st == was.state, lb.s.rules.noSurprise, !claimed: // else it is a test's own mark
		return nil
	}
	return &simRefusal{RefusedOut}
}

func (lb *simLB) leaves(host string) {
	h := lb.by.hosts[host]
	delete(lb.claimed, host)
	if lb.state[host] != StateReady {
		return
	}
	h.intended("drain", Draining)
	if h.well() && lb.serving()-1 < lb.fewest() {
		lb.s.violated("I1: %s was drained on %s, where %d serve now", host, lb.name, lb.serving()-1)
	}
	lb.inItsZone(h)
	lb.set(host, StateDrain)
	h.touched = false
	delete(lb.back, host)
	lb.left[host] = simLeft{StateDrain, lb.lives}
}

func (lb *simLB) Cut(context.Context, string) error { return nil }

func (lb *simLB) Empty(ctx context.Context, host string, _ func(string)) error {
	return lb.do(ctx, "empty", host, 300*time.Millisecond, func() error {
		if h := lb.s.hosts[host]; h.busy {
			return &simBusy{}
		}
		if _, err := lb.keep(host); err != nil {
			return err
		}
		if lb.state[host] == StateMaint || lb.drainWillDo() {
			return nil
		}
		return lb.owned(host, func() error {
			lb.set(host, StateMaint)
			lb.left[host] = simLeft{StateMaint, lb.lives}
			return nil
		})()
	})
}

// drainWillDo: it is proven that nobody comes to a host in drain.
func (e *simEdge) drainWillDo() bool { return e.s.plain && !e.sticky || e.s.rules.noMaint }

type simBusy struct{}

func (*simBusy) Error() string { return "still 1 session after 30s" }
func (*simBusy) Code() string  { return codeDrainTimeout }

func (lb *simLB) Hold(ctx context.Context, host string) (again bool, err error) {
	err = lb.do(ctx, "hold", host, time.Millisecond, func() (err error) {
		again, err = lb.keep(host)
		return err
	})
	return again, err
}

// keep has a host stand as this deployer left it.
func (lb *simLB) keep(host string) (again bool, err error) {
	was, held := lb.left[host]
	st := lb.state[host]
	switch {
	case lb.person == host:
		return false, &simRefusal{RefusedChanged}
	case !held && st != StateReady && (lb.mark[host] == "us" || lb.s.rules.noOwner):
		lb.left[host] = simLeft{st, lb.lives}
		return false, nil
	case held && st == was.state, st != StateReady && (st == lb.tried[host] || lb.s.rules.noSurprise):
		lb.left[host] = simLeft{st, lb.lives}
		return false, nil
	case held && st == StateReady && lb.lives != was.lives:
		return true, lb.owned(host, func() error {
			if was.state == StateDrain && lb.s.plain && !lb.drainWillDo() {
				was.state = StateMaint
			}
			lb.set(host, was.state)
			lb.left[host] = simLeft{was.state, lb.lives}
			delete(lb.back, host)
			return nil
		})()
	}
	return false, &simRefusal{RefusedChanged}
}

func (lb *simLB) Ready(ctx context.Context, host string, _ func(string)) error {
	h := lb.s.hosts[host]
	return lb.do(ctx, "ready", host, 200*time.Millisecond+h.slowReady, lb.owned(host, func() error {
		if lb.state[host] == StateReady {
			delete(lb.left, host)
			delete(lb.tried, host)
			return nil
		}
		if _, err := lb.keep(host); err != nil {
			return err
		}
		if !h.well() {
			return errors.New("the check never rose")
		}
		lb.returns(host)
		return nil
	}))
}

func (lb *simLB) returns(host string) {
	h := lb.by.hosts[host]
	lb.proven(h)
	if lb.state[host] != StateReady {
		h.intended("ready", Readying)
	}
	lb.set(host, StateReady)
	delete(lb.left, host)
	delete(lb.tried, host)
	h.touched = false
}

func (lb *simLB) GiveBack(ctx context.Context, host string) error {
	return lb.do(ctx, "giveback", host, 5*time.Millisecond, func() error {
		was, held := lb.left[host]
		switch {
		case !held && lb.tried[host] == "" || lb.state[host] == StateReady:
			return nil
		case was.state != lb.state[host] && lb.tried[host] != lb.state[host]:
			return &simRefusal{RefusedChanged}
		}
		return lb.owned(host, func() error {
			if h := lb.s.hosts[host]; h.touched && h.runs != "" {
				lb.s.violated("I4: %s was changed and is given back as it is", host)
			}
			lb.set(host, StateReady)
			delete(lb.left, host)
			delete(lb.tried, host)
			return nil
		})()
	})
}

func (lb *simLB) Counters(ctx context.Context, hosts []string) (m map[string]Counters, err error) {
	return m, lb.do(ctx, "counters", hosts[0], time.Millisecond, func() error {
		m = make(map[string]Counters, len(hosts))
		for _, h := range hosts {
			m[h] = Counters{Generation: fmt.Sprint(lb.lives)}
		}
		return nil
	})
}
