package deploy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A story is all that is special about a simulated rollout.
type story struct {
	seed                 uint64
	hosts, lbs, swappers int
	wish                 Wish
	back                 bool // it is a rollback
	quirks               []quirk
	blows                []blow
	ways                 []settling // what follows an end that leaves something, one after the other
	rules                simRules
	zones                int  // one after the other in the order of hosts; 0: none
	own                  bool // each has a balancer of its own
}

// A quirk is what is wrong with a host from the start.
type quirk struct {
	host int
	what string
}

// A blow is what happens at the n-th call that takes effect.
type blow struct {
	at   int
	what string
	host int
}

var (
	quirks = []string{"bad", "dies", "deaf", "hangs", "by hand", "stopped", "busy", "bad before"}
	blows  = []string{"fails", "fails after", "lost", "answer lost", "killed", "killed after", "killed, late calls",
		"host dies", "host away", "taken", "given", "forgets", "stop", "pause", "zone away"}
)

// tale makes a story up. More than half of all have a blow.
func tale(seed uint64) story {
	r := rand.New(rand.NewPCG(seed, 1))
	y := story{seed: seed, hosts: 1 + r.IntN(8), lbs: 1 + r.IntN(2), back: r.IntN(8) == 0}
	if r.IntN(3) == 0 {
		y.swappers = r.IntN(y.lbs + 1)
	}
	y.wish = Wish{Parallel: Amount{N: 1 + r.IntN(3)}, Canary: Amount{N: r.IntN(3)}, NoUndo: r.IntN(16) == 0,
		OnFailure: []Failure{FailRollback, FailRollback, FailPause, FailContinue}[r.IntN(4)], Bake: []time.Duration{0, 0, 2 * time.Second}[r.IntN(3)]}
	if r.IntN(3) == 0 {
		y.wish.MinServing = Amount{N: r.IntN(y.hosts + 1), Set: true}
	}
	for range []int{0, 0, 0, 1, 1, 2}[r.IntN(6)] {
		y.quirks = append(y.quirks, quirk{r.IntN(y.hosts), quirks[r.IntN(len(quirks))]})
	}
	for range []int{0, 1, 1, 1, 2, 3}[r.IntN(6)] {
		y.blows = append(y.blows, blow{1 + r.IntN(40*y.hosts), blows[r.IntN(len(blows)-1)], r.IntN(y.hosts)})
	}
	for range r.IntN(4) {
		y.ways = append(y.ways, []settling{goOn, goBack, goOn, goBack, leave}[r.IntN(5)])
	}
	return y.inZones(rand.New(rand.NewPCG(seed, 2)))
}

// inZones gives one story in four zones; of a fleet with as many balancers, some times each
// zone its own. A zone may then be cut off.
func (y story) inZones(r *rand.Rand) story {
	if r.IntN(4) > 0 || y.hosts < 2 {
		return y
	}
	y.zones = 2 + r.IntN(min(3, y.hosts)-1)
	y.own = y.lbs == y.zones && r.IntN(2) == 0
	y.wish.ZoneBake = []time.Duration{0, 3 * time.Second}[r.IntN(2)]
	if r.IntN(4) == 0 {
		y.wish.MinServing = Amount{N: 10 + 40*r.IntN(2), Percent: true, Set: true}
	}
	if r.IntN(3) == 0 {
		y.blows = append(y.blows, blow{1 + r.IntN(40*y.hosts), "zone away", r.IntN(y.hosts)})
	}
	return y
}

// zone is that of the n-th host.
func (y story) zone(n int) string { return string(rune('a' + n*y.zones/y.hosts)) }

func mix(seed uint64, at string, n uint64) uint64 {
	h := seed*0x9e3779b97f4a7c15 + n
	for i := range len(at) {
		h = (h ^ uint64(at[i])) * 1099511628211
	}
	h ^= h >> 29
	return h * 0xbf58476d1ce4e5b9 >> 8
}

func (y story) to() string {
	if y.back {
		return v1
	}
	return v2
}

func (y story) fit(p *Plan) {
	if y.back {
		p.Mode, p.OnFailure, p.Canary = ModeRollback, FailPause, 0
	}
}

// mends: nothing but the deployer goes wrong, and somebody is there to settle it.
func (y story) mends() bool {
	for _, b := range y.blows {
		if len(b.what) < 6 || b.what[:6] != "killed" {
			return false
		}
	}
	return len(y.quirks) == 0 && len(y.ways) > len(y.blows) && !slices.Contains(y.ways, leave)
}

func (y story) fleet() *sim {
	from, to := v1, v2
	if y.back {
		from, to = v2, v1
	}
	s := newSim(y.hosts, y.lbs, from)
	s.swappers = y.swappers
	if y.zones > 0 {
		var zones []string
		for i := range y.hosts {
			zones = append(zones, y.zone(i))
		}
		s = inZones(func() *sim { return s }, y.own, zones...)()
	}
	for _, q := range y.quirks {
		h := s.hosts[s.names[q.host]]
		switch q.what {
		case "bad":
			h.healthy[to] = false
		case "bad before":
			h.healthy[from] = false
		case "dies":
			h.dies[to] = true
		case "deaf":
			h.ignores[to] = true
		case "hangs":
			h.hangs[to] = true
		case "by hand":
			h.hand = true
			for _, lb := range s.lbs {
				if lb.carries(h.name) {
					lb.set(h.name, StateMaint)
				}
			}
		case "stopped":
			h.becomes("")
		case "busy":
			h.busy = true
		}
		h.weighed()
	}
	return s
}

func (y story) String() string {
	return fmt.Sprintf("seed %d: %d hosts, %d balancers, %d by waves, parallel %d, canary %d, on failure %s, bake %s, min serving %v, no undo %v, back %v, %d zones (%v, watched %s); %v; %v; then %v",
		y.seed, y.hosts, y.lbs, y.swappers, y.wish.Parallel.N, y.wish.Canary.N, y.wish.OnFailure, y.wish.Bake, y.wish.MinServing, y.wish.NoUndo, y.back, y.zones, y.own, y.wish.ZoneBake, y.quirks, y.blows, y.ways)
}

// blow strikes.
func (k *soaking) blow(c *call, b blow) simFault {
	h := k.s.hosts[k.s.names[b.host]]
	lb := k.s.lbs[b.at%len(k.s.lbs)]
	k.seen.count(k.phaseOf(c), b.what)
	if k.tell {
		k.told = append(k.told, fmt.Sprintf("%6.2fs  %s (%s)", time.Since(k.begun).Seconds(), b.what, h.name))
	}
	switch b.what {
	case "fails":
		return failsBefore
	case "fails after":
		return failsAfter
	case "lost":
		return lostBefore
	case "answer lost":
		return lostAfter
	case "killed":
		return diesBefore
	case "killed after":
		return diesAfter
	case "killed, late calls":
		c.by.late = !c.by.dead
		return diesBefore
	}
	k.meanwhile(b, h, lb)
	return fine
}

// meanwhile is what others do.
func (k *soaking) meanwhile(b blow, h *simHost, lb *simLB) {
	switch st := lb.state[h.name]; b.what {
	case "host dies":
		h.ends()
	case "host away":
		h.gone = true
		h.weighed()
		time.AfterFunc(20*time.Second, func() {
			k.s.mu.Lock()
			defer k.s.mu.Unlock()
			h.gone = false
			h.weighed()
		})
	case "taken":
		// Known: in the moments between its return and the end of our mark it is taken for
		// ours, when the deployer dies before it sees that.
		if st == StateReady && (lb.mark[h.name] == "" || lb.claimed[h.name]) {
			lb.takes(h.name)
		}
	case "given":
		if st != StateReady && !h.hand && lb.carries(h.name) {
			lb.gives(h.name)
		}
	case "zone away":
		k.cut(k.s.zones[h.name])
	case "forgets":
		lb.forgets()
	case "stop":
		k.stop()
	case "pause":
		select {
		case <-k.paused:
		default:
			close(k.paused)
		}
	}
}

// phaseOf is where the host of a call stands.
func (k *soaking) phaseOf(c *call) string {
	switch c.op {
	case "raise", "fence", "adopt", "current", "running":
		return "settling"
	case "seats":
		return "looking"
	case "swap":
		return "a wave"
	}
	if c.host == "" {
		return "no host"
	}
	if p := k.phase[c.host]; p != "" {
		return string(p)
	}
	return "claiming"
}
