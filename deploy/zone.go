package deploy

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// A Zone is a part of the fleet that may fail as one. A run changes one zone at a time,
// the first of them alone until it has been watched for a while.
type Zone struct {
	Name       string `json:"name"`
	Serving    int    `json:"serving"`     // hosts of it that served when the plan was made
	MinServing int    `json:"min_serving"` // of them must serve, on every balancer that carries them
}

// InZones has the hosts of the plan zone by zone, in the order in which zones first come,
// each with its zone's name.
func (p Plan) InZones(of map[string]string) Plan {
	at := map[string]int{}
	for i := range p.Hosts {
		h := &p.Hosts[i]
		h.Zone = of[h.Name]
		if _, known := at[h.Zone]; !known && h.Zone != "" {
			at[h.Zone] = len(p.Zones)
			p.Zones = append(p.Zones, Zone{Name: h.Zone})
		}
	}
	slices.SortStableFunc(p.Hosts, func(a, b PlannedHost) int { return at[a.Zone] - at[b.Zone] })
	return p
}

// zoned resolves what is of each zone: a percentage is of its hosts in rotation; a number
// is of the whole fleet, and never more of a zone leave at a time than parallel. The first
// hosts are the first zone's.
func (p Plan) zoned(w Wish) Plan {
	if len(p.Zones) == 0 {
		return p
	}
	p.Zones = slices.Clone(p.Zones)
	p.Canary, p.ZoneBake = min(p.Canary, p.firstChanges()), w.ZoneBake
	p.EachZone = w.MinServing.Percent
	for i := range p.Zones {
		z, rotation := &p.Zones[i], 0
		z.Serving = 0
		for _, h := range p.Hosts {
			if h.Zone == z.Name && h.Out == "" {
				rotation++
			}
			if h.Zone == z.Name && h.Serving {
				z.Serving++
			}
		}
		z.MinServing = max(0, z.Serving-p.Parallel)
		switch {
		case w.Downtime:
			z.MinServing = 0
		case w.MinServing.Percent:
			z.MinServing = w.MinServing.up(rotation)
		}
	}
	return p
}

// Refloor puts another floor in the place of that of each zone: a percentage, or the
// zone's own without one.
func (p *Plan) Refloor(least Amount) {
	p.Zones, p.EachZone = slices.Clone(p.Zones), least.Percent && len(p.Zones) > 0
	for i := range p.Zones {
		z := &p.Zones[i]
		z.MinServing = max(0, z.Serving-p.Parallel)
		if least.Percent {
			z.MinServing = least.up(len(p.members()[z.Name]))
		}
		if p.MinServing == 0 {
			z.MinServing = 0
		}
	}
}

// firstChanges counts the hosts that change in the first zone of which any does.
func (p Plan) firstChanges() (n int) {
	zone := ""
	for _, h := range p.Hosts {
		if !h.Changes() {
			continue
		}
		if zone == "" {
			zone = h.Zone
		}
		if h.Zone == zone {
			n++
		}
	}
	return n
}

// Served are the hosts that served when the plan was made: on every balancer that carries
// them where there are zones, else the fewest on any.
func (p Plan) Served() int {
	n := 0
	for _, z := range p.Zones {
		n += z.Serving
	}
	if len(p.Zones) == 0 {
		return p.Serving
	}
	return n
}

// zoneOf is the zone of that name, nil for none.
func (p Plan) zoneOf(name string) *Zone {
	i := slices.IndexFunc(p.Zones, func(z Zone) bool { return z.Name == name })
	if i < 0 {
		return nil
	}
	return &p.Zones[i]
}

// zoneFloor is nil when every zone can spare a host that is to change there.
func (p Plan) zoneFloor() error {
	for _, z := range p.Zones {
		gain, serving := 0, false
		for _, h := range p.Hosts {
			if h.Zone != z.Name || !h.Changes() {
				continue
			}
			if !h.Serving && h.Out == "" {
				gain++
			}
			serving = serving || h.Serving
		}
		if serving && z.Serving+gain-1 < z.MinServing {
			return &Fault{Code_: "FD-FLOOR",
				Err:   fmt.Errorf("zone %s: %d hosts serve and %d have to: no host can be taken out", z.Name, z.Serving, z.MinServing),
				Hint_: "bring more hosts of that zone into rotation, or give min_serving as a number, which is of the whole fleet"}
		}
	}
	return nil
}

// zonePlaces is the place of each zone in plan order.
func (p Plan) zonePlaces() map[string]int {
	at := map[string]int{}
	for i, z := range p.Zones {
		at[z.Name] = i
	}
	return at
}

// members are the hosts of each zone.
func (p Plan) members() map[string][]string {
	m := map[string][]string{}
	for _, h := range p.Hosts {
		if h.Zone != "" {
			m[h.Zone] = append(m[h.Zone], h.Name)
		}
	}
	return m
}

// zoneFloors are those of the hosts' zones.
func (x *run) zoneFloors(hosts []string) (all []Floor) {
	for _, z := range x.Plan.Zones {
		if slices.ContainsFunc(hosts, func(h string) bool { return x.planned(h).Zone == z.Name }) {
			all = append(all, Floor{z.MinServing, x.zones[z.Name]})
		}
	}
	return all
}

// floor is how many of all its hosts have to serve on the balancer. A percentage of the
// fleet is no more than that of the zones there.
func (x *run) floor(b Balancer) int {
	if !x.Plan.EachZone {
		return x.Plan.MinServing
	}
	there := 0
	for _, z := range x.Plan.Zones {
		if slices.ContainsFunc(x.zones[z.Name], func(h string) bool { return slices.Contains(x.Carries[h], b) }) {
			there += z.MinServing
		}
	}
	return min(there, x.Plan.MinServing)
}

// watchZone tells that the first zone is done, and that its hosts are watched from now on,
// before the next zone is begun.
func (x *run) watchZone(hosts []string) {
	x.emit(Event{Kind: KindPlan, Detail: fmt.Sprintf("zone %s is done: watched for %s before the next",
		x.planned(hosts[0]).Zone, x.Plan.ZoneBake)})
	x.mu.Lock()
	defer x.mu.Unlock()
	x.watching = len(hosts)
	for _, h := range hosts {
		x.hosts[x.at[h]].Watched = true
	}
}

// zoneBake watches a host of the first zone, which is done, together with all of that zone.
// What a host shows there is its failure like any in its own bake.
func (l *life) zoneBake() ending {
	l.changed, l.runs = true, l.plan.To
	l.run.setPhase(l.host.Name(), Baking)
	// Each of thousands is not asked each second.
	every := max(l.run.Timing.BakePoll, time.Duration(l.run.watching)*10*time.Millisecond)
	for end := time.Now().Add(l.run.Plan.ZoneBake); time.Now().Before(end) && !l.run.leaving(); {
		tick(l.run.ctx, min(every, time.Until(end)))
		if err := l.stillWell(l.run.ctx); err != nil {
			return l.failedBake(err)
		}
	}
	l.run.setPhase(l.host.Name(), Done)
	return ending{phase: Done, runs: l.plan.To, changed: true}
}

// there asks a host of a zone before it is taken out whether it can be reached: where a
// zone is cut off, nothing of it leaves rotation.
func (l *life) there(ctx context.Context) error {
	if l.plan.Zone == "" {
		return nil
	}
	if _, err := l.host.Current(ctx); unreachable(err) {
		return &lbLost{"host", err}
	}
	return nil
}

// clears tells that others wait for what is seen of the host: no zone but its own was begun.
func (x *run) clears(host string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	v := View{Hosts: x.hosts, Zones: len(x.Plan.Zones), AnyZone: x.Plan.Mode == ModeRollback || x.dir != Forward}
	t := v.tally()
	return v.tries(&t, x.hosts[x.at[host]].Zone)
}

// cutOff tells that none of the balancers which carry the host can be asked either: it is
// not the host that failed, but the way to its zone.
func (l *life) cutOff() bool {
	if l.plan.Zone == "" || len(l.lbs) == 0 {
		return false
	}
	ctx, cancel := l.run.kept(l.run.ctx)
	defer cancel()
	var reached atomic.Bool
	_ = everywhere(l.lbs, func(b Balancer) error {
		if _, err := b.Seats(ctx); !unreachable(err) {
			reached.Store(true)
		}
		return nil
	})
	return !reached.Load()
}
