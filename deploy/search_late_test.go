package deploy

import (
	"maps"
	"slices"
	"strings"
)

// arrive has a call that nobody waits for any more, or whose deployer is frozen, take effect, if the fence lets it.
func (st *stage) arrive(c *call) choice {
	return choice{"late: " + c.String(), func() {
		st.s.mu.Lock()
		knew := st.knew(c)
		err := st.s.carry(c, fine)
		knew()
		i := slices.Index(st.lates, c)
		st.lates = slices.Delete(slices.Clone(st.lates), i, i+1)
		st.s.mu.Unlock()
		st.handOver()
		c.answer <- err
	}}
}

// onTheirWay leaves what the deployer asked for last under way.
func (st *stage) onTheirWay() {
	st.d.late = true
	for _, c := range st.calls {
		if !isRead(c.op) && c.op != "journal" && class(c.op) == "" {
			own := *c
			own.answer = make(chan error, 1)
			st.lates = append(st.lates, &own)
		}
	}
}

// freeze has the deployer go on beside the next: it does not know that it lost its lock.
func (st *stage) freeze() {
	ended, stop := st.ended, st.stop
	st.frozen = append(st.frozen, func() { <-ended; stop() })
	st.lates = append(st.lates, st.calls...)
	st.calls = nil
}

// lag has the deployer give a call up that is still under way, and go on without it.
func (st *stage) lag(c *call) {
	own := *c
	own.answer, own.unheard = make(chan error, 1), true
	st.lates = append(st.lates, &own)
	st.s.mu.Lock()
	own.turn = c.by.turns[c.machine()]
	c.by.doubt[c.machine()] = true
	c.trying()
	st.remember(c, lostBefore, &simGone{})
	st.s.mu.Unlock()
	st.answer(c, &simGone{})
}

// trying notes what balancers would take for the deployer's own, if it came to be.
func (c *call) trying() {
	told := map[string]State{"drain": StateDrain, "swap": StateDrain, "empty": StateMaint}[c.op]
	for _, lb := range c.by.lbs {
		if told != "" && lb.name == c.lb {
			for host := range strings.SplitSeq(c.host, "+") {
				lb.tried[host] = told
			}
		}
	}
}

// knew has a call that nobody waits for teach its deployer nothing: the returned function
// brings back what it knew.
func (st *stage) knew(c *call) func() {
	if !c.unheard {
		return func() {}
	}
	c.by.unheard = true
	left := make([]map[string]simLeft, len(c.by.lbs))
	for i, lb := range c.by.lbs {
		left[i] = maps.Clone(lb.left)
	}
	return func() {
		c.by.unheard = false
		for i, lb := range c.by.lbs {
			lb.left = left[i]
		}
	}
}

// lags tells that a call may be given up and take effect later.
func (st *stage) lags(c *call) bool {
	return st.left.lags > 0 && c.by == st.d && slices.Contains(st.set.lag, c.op)
}

// lateSets have one call time out on our side and take effect later, while the same run
// goes on.
func lateSets() (sets []faultSet) {
	for _, op := range []string{"hold", "claim", "unclaim", "drain", "empty", "ready", "giveback", "flip", "reload", "restore", "swap"} {
		set := faultSet{name: "late-same-epoch " + op, fleet: fleetOf(2, 1, 0, v1), wish: searchWish(1), ways: []settling{goOn, goBack},
			lag: []string{op}, budget: budget{lags: 1, settles: 1}}
		switch op {
		case "restore":
			set.fleet = spoilt(set.fleet, func(h *simHost) { h.healthy[v2] = false })
		case "giveback":
			set.budget.stops = 1
		case "hold":
			set.budget.forgets, set.budget.polls = 1, 2
		case "swap":
			set.fleet = fleetOf(2, 1, 1, v1)
		}
		sets = append(sets, set)
	}
	return sets
}
