package deploy

import (
	"slices"
	"strings"
	"time"
)

// inZones gives the hosts of a simulated fleet their zones, one after the other. With own,
// each zone has a balancer of its own, which carries no other hosts.
func inZones(fleet func() *sim, own bool, zones ...string) func() *sim {
	return func() *sim {
		s := fleet()
		s.zones = map[string]string{}
		for i, n := range s.names {
			s.zones[n] = zones[i]
		}
		if own {
			for i, z := range slices.Compact(slices.Clone(zones)) {
				s.lbs[i].of(z)
			}
		}
		return s
	}
}

// of has the balancer carry that zone's hosts alone.
func (e *simEdge) of(zone string) {
	e.zone = zone
	for n, z := range e.s.zones {
		if z != zone {
			e.set(n, "")
			delete(e.state, n)
		}
	}
}

func (e *simEdge) carries(host string) bool { return e.state[host] != "" }

// among counts those of hosts that serve.
func (e *simEdge) among(hosts []string) (n int) {
	for _, h := range hosts {
		if e.lowers(h) {
			n++
		}
	}
	return n
}

// short tells that a zone's floor would not be kept.
func (e *simEdge) short(b Budget, back, out []string) bool {
	for _, f := range b.Zones {
		n := e.among(f.Hosts)
		for _, h := range f.Hosts {
			switch {
			case slices.Contains(out, h) && e.lowers(h):
				n--
			case slices.Contains(back, h) && e.state[h] != StateReady && e.s.hosts[h].well():
				n++
			}
		}
		if n < f.Min {
			return true
		}
	}
	return false
}

// fewest is how many of all its hosts have to serve.
func (e *simEdge) fewest() int {
	if z := e.s.plan.zoneOf(e.zone); z != nil && e.s.plan.EachZone {
		return min(z.MinServing, e.s.plan.MinServing)
	}
	return e.s.plan.MinServing
}

// cutOff tells that the call goes to a balancer that cannot be reached. The journal is on
// all of them.
func (s *sim) cutOff(c *call) bool {
	if !isLB(c.op) || c.op == "journal" {
		return false
	}
	i := slices.IndexFunc(s.lbs, func(lb *simLB) bool { return lb.name == c.lb })
	return i >= 0 && s.lbs[i].gone
}

// heard keeps which hosts the deployer said that it failed with, or cannot reach.
func (d *deployer) heard(e Event) {
	waits := e.Kind == KindWarning && strings.HasPrefix(e.Detail, "waiting: ") && strings.Contains(e.Detail, (&simGone{}).Error())
	if e.Host != "" && (e.Kind == KindError || waits) {
		d.gaveUp.Store(e.Host, true)
	}
}

// inItsZone holds what must be true of zones when a host leaves.
func (lb *simLB) inItsZone(h *simHost) {
	s := lb.s
	z := s.plan.zoneOf(s.zones[h.name])
	if z == nil {
		return
	}
	if left := lb.among(s.plan.members()[z.Name]) - 1; h.well() && left < z.MinServing {
		s.violated("I1: %s was drained on %s, where %d of zone %s serve now", h.name, lb.name, left, z.Name)
	}
	if lb.by.unheard || lb.by.leaves { // who abandons puts back what is out, of all zones
		return
	}
	for _, other := range s.names {
		_, given := lb.by.gaveUp.Load(other)
		if s.zones[other] == z.Name || given || lb.by.intents[other] == "" {
			continue
		}
		for _, e := range s.lbs {
			if st := e.state[other]; e.carries(other) && st != StateReady && e.mark[other] == "us" && !e.taken[other] {
				s.violated("I11: %s of zone %s was drained while %s of zone %s is out on %s", h.name, z.Name, other, s.zones[other], e.name)
			}
		}
	}
}

// cut has a zone out of reach for a while: its hosts, and the balancers that are its own.
func (k *soaking) cut(zone string) {
	if zone == "" {
		return
	}
	away := func(is bool) {
		for n, z := range k.s.zones {
			if h := k.s.hosts[n]; z == zone {
				h.gone = is
				h.weighed()
			}
		}
		for _, lb := range k.s.lbs {
			if lb.zone == zone {
				lb.gone = is
			}
		}
	}
	away(true)
	time.AfterFunc(40*time.Second, func() {
		k.s.mu.Lock()
		defer k.s.mu.Unlock()
		away(false)
	})
}
