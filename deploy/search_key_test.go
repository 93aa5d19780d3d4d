package deploy

import (
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"strings"
	"time"
)

var seed = maphash.MakeSeed()

// remember keeps what the engine has learnt from calls: with the calls that are under
// way it says where each part of it stands. What a poll saw as it was is nothing new.
func (st *stage) remember(c *call, f simFault, err error) {
	if c.by != st.d || c.unheard {
		return
	}
	since, ok := st.begun[c.host]
	if !ok {
		since = st.began
	}
	if c.op == "hold" && err == nil && f == fine {
		return
	}
	if c.op == "journal" && err == nil && (c.arg[:3] != "int") {
		st.moved = time.Now()
	}
	stream := c.host + " " + c.lb + class(c.op)
	said := fmt.Sprint(c.op, c.arg, c.saw, err)
	if err != nil || c.op == "counters" || c.op == "probe" || c.op == "alive" { // a second try, an undo or a bake began now, or one goes on
		said += time.Since(since).String()
	}
	if c.op == "seats" { // only the last answer counts; what a survey made of it is kept by course
		st.hist[stream] = maphash.String(seed, said)
		return
	}
	st.hist[stream] = st.hist[stream]*1099511628211 ^ maphash.String(seed, said)
}

// class: calls of one class about one host on one balancer follow each other.
func class(op string) string {
	switch op {
	case "healthy", "probe":
		return "c"
	case "journal":
		return "j"
	case "seats", "hold", "counters":
		return op
	}
	return ""
}

// key is a hash of all that what follows depends on.
func (st *stage) key() uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	s := st.s
	fmt.Fprint(&h, st.left, st.d.epoch, st.how, st.ran, st.isOver(), time.Since(st.began), time.Since(st.moved))
	if !st.bidden.IsZero() {
		fmt.Fprint(&h, time.Since(st.bidden))
	}
	st.knows(&h)
	for _, n := range s.names {
		m := s.hosts[n]
		fmt.Fprint(&h, m.current, m.runs, m.upstart, m.life, st.d.hosts[n].verified, st.d.hosts[n].proved, m.gone, m.touched, m.died > 0 && m.died < st.d.noted, m.fence,
			st.d.intents[n], st.d.acts["forward "+n], st.d.acts["undo "+n])
		for _, lb := range s.lbs {
			fmt.Fprint(&h, lb.state[n], lb.mark[n], lb.epochs[n], lb.taken[n], lb.claimed[n], lb.unseen(n))
			if by := st.d.lbs; len(by) > 0 {
				for _, own := range by {
					if l, ok := own.left[n]; ok && own.name == lb.name {
						fmt.Fprint(&h, l)
					}
					if own.name == lb.name {
						fmt.Fprint(&h, own.tried[n])
					}
				}
			}
		}
	}
	for _, lb := range s.lbs {
		fmt.Fprint(&h, lb.fence, lb.lives, lb.sticky)
	}
	fmt.Fprint(&h, st.d.doubt)
	for _, c := range st.calls {
		fmt.Fprint(&h, c, c.hung, c.gaveUp(), time.Since(c.since))
	}
	for _, c := range st.lates {
		fmt.Fprint(&h, "late", c, c.turn < c.by.turns[c.machine()])
	}
	fmt.Fprint(&h, s.standing()) // what the journal tells whoever comes next
	sum := uint64(0)
	for stream, v := range st.hist {
		sum += maphash.String(seed, fmt.Sprint(stream, v))
	}
	fmt.Fprint(&h, sum)
	return h.Sum64()
}

// knows is what the engine has of hosts that nobody is at, and how long it has been at
// the others; remember keeps what their lives have learnt.
func (st *stage) knows(h io.Writer) {
	x := st.d.x
	if x == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	fmt.Fprint(h, x.hosts, x.dir, CodeOf(x.pause), x.pause != nil, x.stop.Err(), x.ctx.Err(), x.marked.hosts)
	for _, v := range x.hosts {
		if v.Busy {
			fmt.Fprint(h, time.Since(st.begun[v.Name]))
		}
	}
}

// forget drops what was learnt by lives that are over: the engine has their endings, and
// nothing else of them.
func (st *stage) forget() {
	x := st.d.x
	if x == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, v := range x.hosts {
		was := st.busy[v.Name]
		st.busy[v.Name] = v.Busy
		if !v.Busy || st.known != x {
			st.begun[v.Name] = time.Now()
		}
		if (!was || v.Busy) && st.known == x { // what is asked of hosts in nobody's hands is asked for the run
			continue
		}
		maps.DeleteFunc(st.hist, func(stream string, _ uint64) bool { return strings.HasPrefix(stream, v.Name+" ") })
	}
	st.known = x
}

// rested holds what must be true when a deployer has come to its end.
func (st *stage) rested() {
	if st.d.dead {
		return
	}
	if st.err == nil {
		st.s.hidesNone(st.res)
		st.d.provesAll(st.res)
	}
}

// hidesNone: a host that is out and was not out before is listed as such, and the exit
// code says so.
func (s *sim) hidesNone(res Result) {
	for _, n := range s.names {
		for _, lb := range s.lbs {
			if lb.state[n] == StateReady || s.hosts[n].hand || lb.taken[n] || !lb.carries(n) {
				continue
			}
			switch p := res.Hosts[n].Phase; p {
			case Failed, Stuck, Unknown:
			default:
				if res.Outcome != OutcomeInterrupted && (res.Outcome != OutcomePaused || p == Done || p == RolledBack || p == Staged || p == LeftOut || p == Pending) {
					s.violated("I10: %s is out on %s and listed as %s (%s)", n, lb.name, p, res.Outcome)
				}
			}
			if res.Exit == 0 || res.Exit == 7 {
				s.violated("I10: %s is out on %s and the exit code is %d", n, lb.name, res.Exit)
			}
		}
	}
}

// provesAll: who is called done runs the release that the result names, proven.
func (d *deployer) provesAll(res Result) {
	s := d.s
	for _, n := range s.names {
		h, r := s.hosts[n], res.Hosts[n]
		if res.Exit != 0 || r.Phase != Done {
			continue
		}
		if r.Release != h.runs && h.runs != "" {
			s.violated("I7: %s is done on %q and runs %q", n, r.Release, h.runs)
		}
		if !d.leaves && h.runs == "" && h.died > 0 && h.died < d.noted {
			s.violated("I7: %s is called done, and died before the last host was finished", n)
		}
	}
}

// finally: where nothing but the deployer went wrong, the fleet is uniform in the end,
// no mark is left and nothing is unfinished.
func (st *stage) finally() {
	if !st.set.mends {
		return
	}
	s := st.s
	if !s.standing().closed {
		s.violated("settled: the rollout is unfinished (%s: %s, %v)", st.res.Outcome, st.res.Error, st.err)
	}
	for _, n := range s.names {
		h := s.hosts[n]
		if h.hand {
			continue
		}
		if h.runs != s.hosts[s.names[0]].runs || h.current != h.runs {
			s.violated("settled: %s runs %q, its disk has %q", n, h.runs, h.current)
		}
		for _, lb := range s.lbs {
			if lb.carries(n) && (lb.state[n] != StateReady || lb.mark[n] != "") {
				s.violated("settled: %s is %s on %s, mark %q", n, lb.state[n], lb.name, lb.mark[n])
			}
		}
	}
}

// ending is how the last deployer ended, in one word.
func (st *stage) ending() string {
	if st.err != nil {
		return "error"
	}
	return string(st.res.Outcome)
}
