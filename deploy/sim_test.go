package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// A sim is a fleet in memory: real enough that the engine cannot tell, strict
// enough that every invariant is checked at every effect.
type sim struct {
	mu      sync.Mutex
	hosts   map[string]*simHost
	names   []string
	lbs     []*simLB
	faults  func(op, host string) simFault // what goes wrong with an operation
	broken  []string                       // invariants that did not hold
	intents map[string]Phase               // last journaled intent of each host
	records []Record
	events  []Event
	plan    Plan

	swappers int // so many of the balancers change by waves
	reloads  int // of theirs
}

type simFault int

const (
	fine simFault = iota
	failsBefore
	failsAfter
)

type simHost struct {
	s                *sim
	name             string
	current, runs    string
	healthy          map[string]bool // by release; absent means healthy
	ignores, dies    map[string]bool // a reload to this release is ignored; kills the app
	verified         string          // release that answered the health check since its last flip or reload
	hand             bool            // a person took it out before
	restores, cycles int
	slowReady        time.Duration
	personOn         string // the balancer on which a person puts it back during a reload
	gone             bool   // unreachable
}

type simLB struct {
	s     *sim
	name  string
	state map[string]State
	mark  map[string]string

	person string // a host that a person put back
}

func newSim(n, lbs int, release string) *sim {
	s := &sim{hosts: map[string]*simHost{}, intents: map[string]Phase{},
		faults: func(string, string) simFault { return fine }}
	for i := range n {
		name := fmt.Sprintf("web%d", i+1)
		s.names = append(s.names, name)
		s.hosts[name] = &simHost{s: s, name: name, current: release, runs: release,
			healthy: map[string]bool{}, ignores: map[string]bool{}, dies: map[string]bool{}}
	}
	for i := range lbs {
		lb := &simLB{s: s, name: fmt.Sprintf("edge%d", i+1), state: map[string]State{}, mark: map[string]string{}}
		for _, h := range s.names {
			lb.state[h] = StateReady
		}
		s.lbs = append(s.lbs, lb)
	}
	return s
}

// do carries out one operation: a delay, a fault, an effect, the invariants.
func (s *sim) do(ctx context.Context, op, host string, d time.Duration, effect func() error) error {
	if !tick(ctx, d) {
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.faults(op, host)
	if f == failsBefore {
		return fmt.Errorf("%s %s: simulated fault", op, host)
	}
	if h := s.hosts[host]; h != nil && h.gone && !isLB(op) {
		return &simGone{}
	}
	err := effect()
	s.check(op, host)
	if err == nil && f == failsAfter {
		return fmt.Errorf("%s %s: simulated fault after the effect", op, host)
	}
	return err
}

func isLB(op string) bool {
	switch op {
	case "swap", "seats", "claim", "unclaim", "drain", "empty", "hold", "ready", "giveback", "counters":
		return true
	}
	return false
}

type simGone struct{}

func (*simGone) Error() string        { return "no route to host" }
func (*simGone) OutcomeUnknown() bool { return true }

type simRefusal struct{ reason string }

func (e *simRefusal) Error() string   { return "refused: " + e.reason }
func (e *simRefusal) Refusal() string { return e.reason }
func (e *simRefusal) Code() string    { return "FD-SIM" }

func (h *simHost) well() bool {
	if h.runs == "" || h.gone {
		return false
	}
	ok, set := h.healthy[h.runs]
	return ok || !set
}

func (lb *simLB) serving() int {
	n := 0
	for _, name := range lb.s.names {
		if lb.state[name] == StateReady && lb.s.hosts[name].well() {
			n++
		}
	}
	return n
}

func (lb *simLB) ours() int {
	n := 0
	for h, m := range lb.mark {
		if m == "us" && lb.state[h] != StateReady {
			n++
		}
	}
	return n
}

// marked counts our marks, but those of hosts that make room.
func (lb *simLB) marked(beside []string) int {
	n := 0
	for h, m := range lb.mark {
		if m == "us" && !slices.Contains(beside, h) {
			n++
		}
	}
	return n
}

func (s *sim) violated(format string, args ...any) {
	s.broken = append(s.broken, fmt.Sprintf(format, args...))
}

// check holds what must be true after every effect.
func (s *sim) check(op, host string) {
	for _, lb := range s.lbs {
		if n := lb.ours(); n > s.plan.Parallel {
			s.violated("I2: %d out on %s after %s %s", n, lb.name, op, host)
		}
		for name, h := range s.hosts {
			if h.hand && lb.state[name] != StateMaint {
				s.violated("I3: %s was out by hand and was put back by %s", name, op)
			}
			if lb.state[name] != StateReady && !h.hand && lb.mark[name] == "" {
				s.violated("I10: %s is out on %s without a mark after %s", name, lb.name, op)
			}
		}
	}
}

func (h *simHost) out() bool {
	for _, lb := range h.s.lbs {
		if lb.state[h.name] == StateReady {
			return false
		}
	}
	return true
}

// --- balancer

func (lb *simLB) Name() string { return lb.name }

func (lb *simLB) Seats(ctx context.Context) (m map[string]Seat, err error) {
	err = lb.s.do(ctx, "seats", "", time.Millisecond, func() error {
		m = map[string]Seat{}
		for _, n := range lb.s.names {
			m[n] = Seat{State: lb.state[n], Serving: lb.state[n] == StateReady && lb.s.hosts[n].well(), Owner: lb.mark[n]}
		}
		return nil
	})
	return m, err
}

func (lb *simLB) Claim(ctx context.Context, host string, b Budget) error {
	return lb.s.do(ctx, "claim", host, 5*time.Millisecond, func() error {
		switch {
		case lb.mark[host] == "us":
			return nil
		case lb.state[host] != StateReady:
			return &simRefusal{RefusedOut}
		case lb.s.hosts[host].well() && lb.serving()-1 < b.MinServing:
			return &simRefusal{RefusedFloor}
		case lb.marked(b.Beside) >= b.Parallel:
			return &simRefusal{RefusedBudget}
		}
		lb.mark[host] = "us"
		return nil
	})
}

func (lb *simLB) Unclaim(ctx context.Context, host string) error {
	return lb.s.do(ctx, "unclaim", host, time.Millisecond, func() error {
		if lb.mark[host] == "us" {
			delete(lb.mark, host)
		}
		return nil
	})
}

func (lb *simLB) Drain(ctx context.Context, host string, b Budget) error {
	return lb.s.do(ctx, "drain", host, 5*time.Millisecond, func() error {
		if lb.mark[host] != "us" {
			return &simRefusal{RefusedForeign}
		}
		if lb.state[host] != StateReady {
			return nil
		}
		if lb.s.hosts[host].well() && lb.serving()-1 < b.MinServing {
			return &simRefusal{RefusedFloor}
		}
		if lb.s.intents[host] != Draining {
			lb.s.violated("I7: %s drained without an intent", host)
		}
		lb.state[host] = StateDrain
		return nil
	})
}

func (lb *simLB) Cut(context.Context, string) error { return nil }

func (lb *simLB) Empty(ctx context.Context, host string, _ func(string)) error {
	return lb.s.do(ctx, "empty", host, 300*time.Millisecond, func() error {
		lb.state[host] = StateMaint
		return nil
	})
}

func (lb *simLB) Hold(ctx context.Context, host string) (again bool, err error) {
	err = lb.s.do(ctx, "hold", host, time.Millisecond, func() error {
		if lb.person == host {
			return &simRefusal{RefusedChanged}
		}
		if lb.state[host] == StateReady {
			lb.state[host], again = StateMaint, true
		}
		return nil
	})
	return again, err
}

func (lb *simLB) Ready(ctx context.Context, host string, _ func(string)) error {
	return lb.s.do(ctx, "ready", host, 200*time.Millisecond+lb.s.hosts[host].slowReady, func() error {
		h := lb.s.hosts[host]
		if h.verified != h.runs {
			lb.s.violated("I4: %s put back on %q, verified was %q", host, h.runs, h.verified)
		}
		if !h.well() {
			return errors.New("the check never rose")
		}
		lb.state[host] = StateReady
		return nil
	})
}

func (lb *simLB) GiveBack(ctx context.Context, host string) error {
	return lb.s.do(ctx, "giveback", host, 5*time.Millisecond, func() error {
		if lb.mark[host] == "us" {
			lb.state[host] = StateReady
		}
		return nil
	})
}

func (lb *simLB) Counters(ctx context.Context, host string) (c Counters, err error) {
	return c, lb.s.do(ctx, "counters", host, time.Millisecond, func() error { return nil })
}

// --- host

func (h *simHost) Name() string { return h.name }

func (h *simHost) Stage(ctx context.Context, _ Release, _ func(int64)) (int64, error) {
	return 0, h.s.do(ctx, "stage", h.name, time.Second, func() error { return nil })
}
func (h *simHost) Prune(context.Context, []string) error    { return nil }
func (h *simHost) Current(context.Context) (string, error)  { return h.current, nil }
func (h *simHost) Log(context.Context) []string             { return []string{"log of " + h.name} }
func (h *simHost) Running(context.Context) (Running, error) { return Running{Release: h.runs}, nil }

func (h *simHost) Flip(ctx context.Context, id string) error {
	return h.s.do(ctx, "flip", h.name, 10*time.Millisecond, func() error {
		h.guarded("flip", Flipping)
		h.current = id
		return nil
	})
}

func (h *simHost) guarded(op string, want Phase) {
	if !h.out() {
		h.s.violated("I5: %s of %s while it is in rotation", op, h.name)
	}
	if h.s.intents[h.name] != want {
		h.s.violated("I7: %s of %s without an intent (last: %s)", op, h.name, h.s.intents[h.name])
	}
}

func (h *simHost) Reload(ctx context.Context, id string) error {
	return h.s.do(ctx, "reload", h.name, 100*time.Millisecond, func() error {
		h.guarded("reload", Reloading)
		h.cycles++
		for _, lb := range h.s.lbs {
			if lb.name == h.personOn {
				lb.state[h.name], lb.person = StateReady, h.name
			}
		}
		h.verified = ""
		switch {
		case h.ignores[id]:
			return errors.New("the old process still serves")
		case h.dies[id]:
			h.runs = ""
			return errors.New("the app is dead")
		}
		h.runs = h.current
		return nil
	})
}

func (h *simHost) Settled(ctx context.Context, id string) error {
	return h.s.do(ctx, "settled", h.name, time.Second, func() error { return h.is(id) })
}

func (h *simHost) Alive(ctx context.Context, id string) error {
	return h.s.do(ctx, "alive", h.name, time.Millisecond, func() error { return h.is(id) })
}

func (h *simHost) is(id string) error {
	if h.runs != id {
		return fmt.Errorf("%s runs %q, not %q", h.name, h.runs, id)
	}
	return nil
}

func (h *simHost) Restore(ctx context.Context, id string) error {
	return h.s.do(ctx, "restore", h.name, 100*time.Millisecond, func() error {
		h.guarded("restore", Reloading)
		h.restores++
		h.verified = ""
		h.runs = id
		return nil
	})
}

// --- checker, journal

func (s *sim) Healthy(ctx context.Context, host, _ string) error {
	return s.do(ctx, "healthy", host, 600*time.Millisecond, func() error { return s.hosts[host].probe() })
}

func (s *sim) Probe(ctx context.Context, host string) error {
	return s.do(ctx, "probe", host, time.Millisecond, func() error { return s.hosts[host].probe() })
}

func (h *simHost) probe() error {
	if !h.well() {
		return fmt.Errorf("/health answered 500")
	}
	h.verified = h.runs
	return nil
}

func (s *sim) Append(ctx context.Context, r Record) error {
	return s.do(ctx, "journal", r.Host, time.Millisecond, func() error {
		s.records = append(s.records, r)
		if r.Kind == "intent" {
			s.intents[r.Host] = r.Act
		}
		return nil
	})
}

// rollout is a run to release over all hosts of the simulation.
func (s *sim) rollout(release string, w Wish) *Rollout {
	p := Plan{Rollout: "us", App: "shop", Mode: ModeRollout, Release: release, Revision: RevisionOf(release), Previous: "v1"}
	hosts := map[string]Host{}
	carries := map[string][]Balancer{}
	var lbs []Balancer
	for i, lb := range s.lbs {
		if i < s.swappers {
			lbs = append(lbs, &simSwapper{simLB: lb})
		} else {
			lbs = append(lbs, lb)
		}
	}
	for _, n := range s.names {
		h := s.hosts[n]
		ph := PlannedHost{Name: n, From: h.current, To: release, Ran: h.runs != "", Serving: h.well() && !h.hand}
		if h.hand {
			ph.Out = "by hand"
		}
		if ph.Serving {
			p.Serving++
		}
		p.Hosts = append(p.Hosts, ph)
		hosts[n], carries[n] = h, lbs
	}
	p = p.Resolve(w)
	s.plan = p
	return &Rollout{Plan: p, Hosts: hosts, Balancers: lbs, Carries: carries, Checker: s, Journal: s,
		Emit: func(e Event) { s.events = append(s.events, e) }}
}
