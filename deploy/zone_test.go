package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func zonedFleet(hosts int, own bool, zones ...string) *sim {
	lbs := 1
	if own {
		lbs = len(zones)
	}
	var of []string
	for i := range hosts {
		of = append(of, zones[i*len(zones)/hosts])
	}
	return inZones(fleetOf(hosts, lbs, 0, v1), own, of...)()
}

// doneAt is the order in which hosts came back, and when, in whole seconds.
func (s *sim) doneAt(from time.Time) string {
	var all []string
	for _, e := range s.events {
		if e.Kind == KindHost && (e.Phase == Done || e.Phase == RolledBack) {
			all = append(all, fmt.Sprintf("%2.0fs %s", e.Time.Sub(from).Seconds(), e.Host))
		}
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// zonal runs a rollout over zones; meanwhile is told of every event.
func zonal(t *testing.T, s *sim, w Wish, meanwhile func(Event)) (res Result, order string) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		began := time.Now()
		r := s.rollout(v2, w)
		emit := r.Emit
		r.Emit = func(e Event) {
			emit(e)
			if meanwhile != nil {
				meanwhile(e)
			}
		}
		r.Timing.Host, r.Timing.Progress = time.Minute, 3*time.Minute
		res = r.Run(context.Background(), context.Background())
		order = s.doneAt(began)
	})
	for _, b := range s.broken {
		t.Error(b)
	}
	return res, order
}

func TestOneZoneAtATimeAndTheFirstIsWatched(t *testing.T) {
	w := wish(2)
	w.ZoneBake = 10 * time.Second
	res, order := zonal(t, zonedFleet(6, false, "a", "b", "c"), w, nil)
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "order", order, " 4s web1,  7s web2, 21s web3, 21s web4, 25s web5, 25s web6")
}

func TestHostThatFailsWhileItsZoneIsWatchedTurnsTheRollout(t *testing.T) {
	s := zonedFleet(4, false, "a", "b")
	w := wish(1)
	w.ZoneBake = 10 * time.Second
	res, order := zonal(t, s, w, func(e Event) {
		if strings.HasPrefix(e.Detail, "zone a is done: watched for 10s") {
			time.AfterFunc(3*time.Second, func() { s.mu.Lock(); s.hosts["web2"].healthy[v2] = false; s.mu.Unlock() })
		}
	})
	want(t, "outcome", string(res.Outcome), "rolled_back")
	want(t, "order", order, " 4s web1,  7s web2, 12s web2, 14s web1")
}

// cutB has the second of three zones of two hosts out of reach from now on.
func (s *sim) cutB() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts["web3"].gone, s.hosts["web4"].gone, s.lbs[1].gone = true, true, true
}

// Nothing of zone b leaves rotation once it cannot be reached: the run goes on in zone c,
// comes back to b, and pauses.
func TestZoneThatIsCutOffPausesThereAndNowhereElse(t *testing.T) {
	s := zonedFleet(6, true, "a", "b", "c")
	w := wish(1)
	w.MinServing = Amount{N: 1, Set: true}
	res, _ := zonal(t, s, w, func(e Event) {
		if e.Host == "web2" && e.Phase == Done {
			s.cutB()
		}
	})
	want(t, "outcome", fmt.Sprint(res.Outcome, " ", res.Exit, " ", res.Code), "paused 3 FD-PROGRESS-DEADLINE")
	want(t, "hosts", phases(res), "web1 done, web2 done, web3 staged, web4 staged, web5 done, web6 done")
}

// What is out there, or not known, keeps its slot.
func TestZoneThatIsCutOffWithAHostInHandKeepsItsSlot(t *testing.T) {
	for parallel, after := range map[int]string{2: "web5 staged, web6 staged", 3: "web5 done, web6 done"} {
		s := zonedFleet(6, true, "a", "b", "c")
		w := wish(parallel)
		w.MinServing = Amount{Set: true}
		res, _ := zonal(t, s, w, func(e Event) {
			if e.Host == "web3" && e.Phase == Reloading {
				s.cutB()
			}
		})
		want(t, "exit", fmt.Sprint(res.Exit), "4")
		if got := phases(res); !strings.HasPrefix(got, "web1 done, web2 done, web3 unknown, web4 ") || !strings.HasSuffix(got, after) {
			t.Errorf("parallel %d: %s", parallel, got)
		}
	}
}

func TestFirstZoneIsTheTrialForTheOthers(t *testing.T) {
	s := zonedFleet(4, true, "a", "b")
	s.lbs[0].gone = true
	w := wish(1)
	res, _ := zonal(t, s, w, nil)
	want(t, "outcome", fmt.Sprint(res.Outcome, " ", res.Exit), "paused 3")
	want(t, "hosts", phases(res), "web1 staged, web2 staged, web3 staged, web4 staged")
}

func phases(r Result) string {
	var all []string
	for _, n := range sorted(r.Hosts) {
		all = append(all, n+" "+string(r.Hosts[n].Phase))
	}
	return strings.Join(all, ", ")
}

func TestFloorsOfZones(t *testing.T) {
	plan := func(w Wish, zones ...string) Plan {
		p, of := Plan{}, map[string]string{}
		for i, z := range zones {
			h := fmt.Sprint("web", i+1)
			of[h] = z
			p.Hosts = append(p.Hosts, PlannedHost{Name: h, From: v1, To: v2, Ran: true, Serving: true})
		}
		p.Serving = len(zones)
		return p.InZones(of).Resolve(w)
	}
	percent := Amount{N: 50, Percent: true, Set: true}
	for _, c := range []struct {
		about string
		plan  Plan
		want  string
	}{
		{"the default", plan(Wish{Parallel: Amount{N: 2}, Canary: Amount{N: 9}}, "a", "b", "a", "a", "b"), "min 3, canary 3: web1 web3 web4 web2 web5; a 1 of 3, b 0 of 2; <nil>"},
		{"a percentage is of each", plan(Wish{Parallel: Amount{N: 4}, MinServing: percent}, "a", "a", "a", "b", "b"), "min 3, canary 0: web1 web2 web3 web4 web5; a 2 of 3, b 1 of 2; <nil>"},
		{"a zone too small for its percentage", plan(Wish{Parallel: Amount{N: 1}, MinServing: percent}, "a", "a", "b"),
			"min 2, canary 0: web1 web2 web3; a 1 of 2, b 1 of 1; zone b: 1 hosts serve and 1 have to: no host can be taken out"},
		{"a number is of all", plan(Wish{Parallel: Amount{N: 1}, MinServing: Amount{N: 2, Set: true}}, "a", "b", "c"), "min 2, canary 0: web1 web2 web3; a 0 of 1, b 0 of 1, c 0 of 1; <nil>"},
		{"downtime", plan(Wish{Parallel: Amount{N: 3}, MinServing: percent, Downtime: true}, "a", "b"), "min 0, canary 0: web1 web2; a 0 of 1, b 0 of 1; <nil>"},
	} {
		var names, zones []string
		for _, h := range c.plan.Hosts {
			names = append(names, h.Name)
		}
		for _, z := range c.plan.Zones {
			zones = append(zones, fmt.Sprintf("%s %d of %d", z.Name, z.MinServing, z.Serving))
		}
		want(t, c.about, fmt.Sprintf("min %d, canary %d: %s; %s; %v", c.plan.MinServing, c.plan.Canary,
			strings.Join(names, " "), strings.Join(zones, ", "), c.plan.Floor()), c.want)
	}
}
