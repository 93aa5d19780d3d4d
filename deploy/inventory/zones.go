package inventory

import "fmt"

// Zones are those of the hosts, in the order in which they first come; nil when there are
// none.
func (inv *Inventory) Zones() (names []string) {
	known := map[string]bool{"": true}
	for _, h := range inv.Hosts {
		if !known[h.Zone] {
			known[h.Zone] = true
			names = append(names, h.Zone)
		}
	}
	return names
}

// ZoneOf is the zone of every host, nil when there are none.
func (inv *Inventory) ZoneOf() map[string]string {
	of := map[string]string{}
	for _, h := range inv.Hosts {
		if h.Zone != "" {
			of[h.Name] = h.Zone
		}
	}
	if len(of) == 0 {
		return nil
	}
	return of
}

// Carries tells whether the balancer is one that may carry the host.
func (l LB) Carries(h Host) bool { return l.Zone == "" || l.Zone == h.Zone }

// zones adds a fault for hosts without a zone beside others that have one, for a zone that
// no balancer carries, and for a balancer's that has no host.
func (b *builder) zones() {
	of, asked := b.inv.ZoneOf(), map[string]bool{}
	for i, h := range b.inv.Hosts {
		s := b.hostFrom[i]
		switch {
		case of != nil && h.Zone == "":
			s.once("zone", "missing: other hosts have one", "give every host its zone, or none")
		case h.Zone != "" && !asked[h.Zone] && !b.carried(h):
			s.once("zone", fmt.Sprintf("no balancer carries zone %s", quote(h.Zone)), "set the zone of the balancers there, or take it out of one that carries all")
		}
		asked[h.Zone] = true
	}
	for i, l := range b.inv.LBs {
		if l.Zone != "" && !asked[l.Zone] {
			b.lbFrom[i].once("zone", fmt.Sprintf("no host is in zone %s", quote(l.Zone)), "")
		}
	}
}

func (b *builder) carried(h Host) bool {
	for _, l := range b.inv.LBs {
		if l.Carries(h) {
			return true
		}
	}
	return false
}
