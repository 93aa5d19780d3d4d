package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A budget is how often each thing out of the ordinary may happen in a run.
type budget struct {
	faults, hangs, crashes, deaths, takes, gives, forgets, stops, pauses, polls, settles, lags int
}

// A faultSet names what may go wrong, and the fleet on which it does.
type faultSet struct {
	name   string
	fleet  func() *sim
	wish   Wish
	back   bool       // the run is a rollback
	kinds  []simFault // of calls
	ways   []settling // what follows a crash, or an end that leaves something
	frozen bool       // the deployer may be stopped, lose its lock, and go on
	late   bool       // calls that are under way in a crash may arrive later
	lag    []string   // calls that may be given up, and arrive later while the same run goes on
	quick  bool       // calls about one host alone are not interleaved with those about others
	mends  bool       // nothing goes wrong but the deployer: in the end all is well
	budget budget
}

func (f faultSet) to() string {
	if f.back {
		return v1
	}
	return v2
}

// on is the fleet, in words.
func (f faultSet) on() string {
	s := f.fleet()
	return fmt.Sprintf("%d hosts, %d lb, parallel %d", len(s.names), len(s.lbs), f.wish.Parallel.N)
}

func (f faultSet) plan(p *Plan) {
	if f.back {
		p.Mode, p.OnFailure, p.Canary = ModeRollback, FailPause, 0
	}
}

// A choice is one thing that may happen next.
type choice struct {
	about string
	do    func()
}

// choices are what may happen next, the ordinary first. None is left when the run has
// come to its end.
func (st *stage) choices() []choice {
	if !st.rid() {
		if len(st.s.broken) > 0 || !st.ran {
			return nil
		}
		st.ran = false
		return st.ways()
	}
	if c := st.alone(); c != nil {
		all := append([]choice{st.carry(c, fine)}, st.faulty(c)...)
		if c.op == "journal" && !c.gaveUp() { // an intent that was not written yet tells the next deployer nothing
			all = append(all, st.ends()...)
		}
		return all
	}
	var all, odd []choice
	for _, c := range st.calls {
		if !c.hung.IsZero() {
			continue
		}
		all = append(all, st.carry(c, fine))
		odd = append(odd, st.faulty(c)...)
	}
	for _, c := range st.lates {
		odd = append(odd, st.arrive(c))
	}
	return append(append(all, odd...), append(st.meanwhile(), st.ends()...)...)
}

// rid answers calls that were given up before they came anywhere, until none is left: they
// have no effect, and whether one was asked for at all before its end is left to chance. It
// is false when the run has come to its end.
func (st *stage) rid() bool {
	for st.settled() {
		i := slices.IndexFunc(st.calls, func(c *call) bool { return c.gaveUp() && c.hung.IsZero() })
		if i < 0 {
			return true
		}
		st.take(st.carry(st.calls[i], fine))
	}
	return false
}

// alone is a call that takes effect now, before anything else is tried: one that nothing
// else has a part in. An intent changes nothing that
// other calls of the deployer read or change, and so does not care which comes first; only
// the next deployer reads it, so that the death of this one before it is a choice, too. A
// question changes nothing; that something else comes first and is seen by it, is the
// same as that coming before the question is asked, which was a choice then.
func (st *stage) alone() *call {
	for _, c := range st.calls {
		if c.gaveUp() {
			return c
		}
	}
	for _, c := range st.calls {
		if !c.hung.IsZero() {
			continue
		}
		switch {
		case c.op == "seats" || c.op == "counters" || c.op == "current" || c.op == "running":
			return c
		case c.op == "journal" && c.arg[:3] == "int":
			return c
		case st.set.quick && !isLB(c.op):
			return c
		}
	}
	return nil
}

func (st *stage) take(c choice) {
	st.told = append(st.told, fmt.Sprintf("%4.1fs  %s", time.Since(st.began).Seconds(), c.about))
	c.do()
}

func (st *stage) carry(c *call, f simFault) choice {
	about := c.String()
	if f != fine {
		about += ": " + f.String()
	}
	if c.gaveUp() {
		return choice{about + ": given up", func() { st.answer(c, c.why()) }}
	}
	return choice{about, func() {
		st.s.mu.Lock()
		err := st.s.carry(c, f)
		st.s.mu.Unlock()
		st.answer(c, err)
	}}
}

func (st *stage) answer(c *call, err error) {
	st.drop(c)
	st.handOver()
	c.answer <- err
}

func (st *stage) drop(c *call) {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
	for i := range st.calls {
		if st.calls[i] == c {
			st.calls = append(st.calls[:i:i], st.calls[i+1:]...)
			return
		}
	}
}

// faulty are the ways in which a call may go wrong.
func (st *stage) faulty(c *call) (all []choice) {
	switch {
	case c.gaveUp() && !c.hung.IsZero(): // it took effect, and nobody knows
		return []choice{{c.String() + ": took effect in the end", func() {
			st.s.mu.Lock()
			_ = st.s.carry(c, lostAfter)
			st.s.mu.Unlock()
			st.answer(c, c.why())
		}}}
	case c.gaveUp() || isRead(c.op):
		return nil
	}
	if st.left.faults > 0 {
		for _, f := range st.set.kinds {
			fault := st.carry(c, f)
			all = append(all, choice{fault.about, func() { st.left.faults--; fault.do() }})
		}
	}
	if st.lags(c) {
		all = append(all, choice{c.String() + ": is given up, and still under way", func() { st.left.lags--; st.lag(c) }})
	}
	if st.left.hangs > 0 && !strings.HasPrefix(c.arg, "plan") && c.op != "adopt" && c.op != "raise" && c.op != "fence" {
		all = append(all, choice{c.String() + ": hangs", func() { st.left.hangs--; c.hung = time.Now() }})
	}
	return all
}

// gaveUp: nobody waits for its answer any more. No call to a machine lasts for ever.
func (c *call) gaveUp() bool {
	return c.ctx.Err() != nil || !c.hung.IsZero() && time.Since(c.hung) >= 4*time.Second
}

func (c *call) why() error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	return &simGone{}
}

func isRead(op string) bool {
	switch op {
	case "seats", "counters", "current", "running":
		return true
	}
	return false
}

// meanwhile is what others may do to the fleet.
func (st *stage) meanwhile() (all []choice) {
	add := func(n *int, about string, do func()) {
		if *n > 0 {
			all = append(all, choice{about, func() { *n--; st.s.mu.Lock(); do(); st.s.mu.Unlock() }})
		}
	}
	for _, name := range st.s.names {
		h := st.s.hosts[name]
		if h.runs != "" {
			add(&st.left.deaths, name+" dies", h.ends)
		}
		for _, lb := range st.s.lbs {
			switch lb.state[name] {
			case "": // it does not carry the host
			case StateReady:
				// Known: whoever takes a host out in the moments between its return and the end
				// of our mark, when the deployer dies before it sees that, is taken for us.
				if st.set.budget.crashes+st.set.budget.settles > 0 && lb.mark[name] != "" && !lb.claimed[name] {
					continue
				}
				// Known, too: out, in by a person and out by a person between two looks of ours is
				// as we left it.
				if st.holds(name, lb.simEdge) {
					continue
				}
				add(&st.left.takes, "a person takes "+name+" out on "+lb.name, func() { lb.takes(name) })
			default:
				if !h.hand {
					add(&st.left.gives, "a person puts "+name+" back on "+lb.name, func() { lb.gives(name) })
				}
			}
		}
	}
	for _, lb := range st.s.lbs {
		if len(lb.mark) > 0 {
			add(&st.left.forgets, lb.name+" forgets what it was told", lb.forgets)
		}
	}
	if st.left.polls > 0 && !slices.ContainsFunc(st.calls, func(c *call) bool { return c.op == "hold" }) {
		all = append(all, choice{"a poll passes", func() { st.left.polls--; st.handOver(); time.Sleep(searchTiming.Poll) }})
	}
	if st.left.stops > 0 {
		all = append(all, choice{"the run is told to stop", func() { st.left.stops--; st.bidden = time.Now(); st.stop() }})
	}
	if st.left.pauses > 0 {
		all = append(all, choice{"the run is asked to pause", func() { st.left.pauses--; close(st.paused) }})
	}
	return all
}

// holds tells that the deployer has the host for one that it took out there.
func (st *stage) holds(host string, e *simEdge) bool {
	return slices.ContainsFunc(st.d.lbs, func(lb *simLB) bool { return lb.simEdge == e && lb.left[host] != simLeft{} })
}

// ends are the ways in which the deployer may die here.
func (st *stage) ends() (all []choice) {
	if st.left.crashes == 0 {
		return nil
	}
	for _, how := range st.set.ways {
		all = append(all, choice{"the deployer is killed; another: " + string(how), func() {
			st.left.crashes--
			if st.set.late {
				st.onTheirWay()
			}
			st.die()
			st.settle(how)
		}})
		if st.set.frozen {
			all = append(all, choice{"the deployer is frozen; another: " + string(how), func() {
				st.left.crashes--
				st.freeze()
				st.settle(how)
			}})
		}
	}
	return all
}

// ways are what may follow an end that leaves something unfinished.
func (st *stage) ways() (all []choice) {
	st.rested()
	if st.left.settles == 0 || st.s.standing().closed || len(st.s.broken) > 0 {
		return nil
	}
	for _, how := range st.set.ways {
		all = append(all, choice{string(how), func() {
			st.left.settles--
			st.die()
			st.settle(how)
		}})
	}
	return all
}

func (st *stage) settle(how settling) {
	st.s.mu.Lock()
	d := st.s.another()
	st.how = how
	st.s.mu.Unlock()
	st.start(d, func(ctx, stop context.Context) (Result, error) { return d.settle(ctx, stop, how) })
}
