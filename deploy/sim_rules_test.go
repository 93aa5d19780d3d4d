package deploy

import (
	"fmt"
	"time"
)

func (s *sim) violated(format string, args ...any) {
	s.broken = append(s.broken, fmt.Sprintf(format, args...))
}

// check holds what must be true after every effect.
func (s *sim) check(c *call) {
	names := s.names
	if len(names) > large { // of a large fleet, what the call was about
		names = []string{c.host}
	}
	for _, lb := range s.lbs {
		if len(s.names) > large && (c.lb != lb.name || lb.state[c.host] == StateReady && c.op != "swap") {
			continue // no more are out there than before
		}
		if n := lb.ours(); n > s.plan.Parallel {
			s.violated("I2: %d out on %s after %s %s", n, lb.name, c.op, c.host)
		}
		for _, name := range names {
			if h := s.hosts[name]; h != nil {
				lb.seatStands(h, c)
			}
		}
	}
}

func (e *simEdge) seatStands(h *simHost, c *call) {
	st := e.state[h.name]
	if !e.carries(h.name) {
		return
	}
	if h.hand && st != StateMaint {
		e.s.violated("I3: %s was out by hand and was put back by %s", h.name, c.op)
	}
	if e.taken[h.name] && st == StateReady {
		e.s.violated("I3: %s was taken out by a person on %s and put back by %s", h.name, e.name, c.op)
	}
	if st != StateReady && !h.hand && !e.taken[h.name] && e.mark[h.name] == "" {
		e.s.violated("I10: %s is out on %s without a mark after %s", h.name, e.name, c.op)
	}
}

// ours counts the hosts that are out with our mark.
func (e *simEdge) ours() int {
	n := 0
	for h, m := range e.mark {
		if m == "us" && e.state[h] != StateReady && !e.taken[h] {
			n++
		}
	}
	return n
}

// guarded holds what must be true when the app of a host is changed.
func (h *simHost) guarded(op string, want Phase) {
	for _, lb := range h.s.lbs {
		if lb.state[h.name] == StateReady && !lb.justBack(h.name) {
			h.s.violated("I5: %s of %s while it is in rotation on %s", op, h.name, lb.name)
		}
		if lb.state[h.name] == StateDrain && lb.sticky {
			h.s.violated("I5: %s of %s while it is only in drain on %s, which keeps clients with it", op, h.name, lb.name)
		}
		if lb.taken[h.name] && !h.hand && (lb.mark[h.name] == "" || lb.claimed[h.name]) {
			h.s.violated("I3: %s of %s, which a person took out on %s", op, h.name, lb.name)
		}
	}
	h.intended(op, want)
}

func (h *simHost) intended(op string, want ...Phase) {
	if h.by.unheard { // it had its intent when it was asked for
		return
	}
	for _, p := range want {
		if h.by.intents[h.name] == p {
			return
		}
	}
	h.s.violated("I7: %s of %s without an intent (last: %s)", op, h.name, h.by.intents[h.name])
}

// justBack: somebody else put it into rotation, and the next poll has yet to see it.
func (e *simEdge) justBack(host string) bool { return e.unseen(host) > 0 }

// unseen is for how long yet it may be that no poll has seen that somebody else put the
// host into rotation.
func (e *simEdge) unseen(host string) time.Duration {
	at, ok := e.back[host]
	if !ok {
		return 0
	}
	return max(0, 2*e.s.timing.filled().Poll+1-time.Since(at))
}

// proven holds what must be true of a host that is put into rotation.
func (e *simEdge) proven(h *simHost) {
	switch {
	case e.state[h.name] == StateReady:
	case h.runs == "" && h.died > 0 && time.Since(h.diedAt) < 600*time.Millisecond: // after it was asked last, while the balancer reloads
	case h.verified != h.life+1:
		e.s.violated("I4: %s is put back and was not found healthy since its last change in this run", h.name)
	case h.proved != h.life+1:
		e.s.violated("I4: %s is put back and what it runs was not proven since its last change in this run", h.name)
	case h.upstart != "":
		e.s.violated("I4: %s is put back while a process of %s may still take over", h.name, h.upstart)
	}
}

// once counts the tries of a deployer: one forward and one undo a host.
func (h *simHost) once(way string, f string) {
	h.by.acts[way+" "+h.name]++
	if n := h.by.acts[way+" "+h.name]; n > 1 {
		h.s.violated("I8: %s was %s %d times", h.name, f, n)
	}
}
