package deploy

// index finds hosts by their names, and balancers their shared questions.
func (x *run) index() {
	x.at, x.plans, x.looks = make(map[string]int, len(x.hosts)), make(map[string]PlannedHost, len(x.Plan.Hosts)), map[string]*Shared[map[string]Seat]{}
	x.counts = map[string]*Shared[map[string]Counters]{}
	for i, v := range x.hosts {
		x.at[v.Name], x.names = i, append(x.names, v.Name)
	}
	for _, h := range x.Plan.Hosts {
		x.plans[h.Name] = h
	}
	x.zones, x.floors = x.Plan.members(), map[string]int{}
	places := x.Plan.zonePlaces()
	for i := range x.hosts {
		x.hosts[i].Zone = places[x.plans[x.hosts[i].Name].Zone]
	}
	for _, b := range x.Balancers {
		x.looks[b.Name()], x.counts[b.Name()] = &Shared[map[string]Seat]{}, &Shared[map[string]Counters]{}
		x.floors[b.Name()] = x.floor(b)
	}
}

func (x *run) with(host string, f func(*HostView)) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if i, ok := x.at[host]; ok {
		f(&x.hosts[i])
	}
}

func (x *run) setPhase(host string, p Phase) { x.with(host, func(v *HostView) { v.Phase = p }) }

func (x *run) phaseOf(host string) (p Phase) {
	x.with(host, func(v *HostView) { p = v.Phase })
	return p
}

func (x *run) planned(host string) PlannedHost {
	if h, ok := x.plans[host]; ok {
		return h
	}
	return PlannedHost{Name: host}
}
