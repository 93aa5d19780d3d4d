package deploy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A host that showed that the release is bad has done so, though its zone is cut off before
// it could be undone: no other zone gets that release.
func TestFailureBeforeItsZoneIsCutOffCounts(t *testing.T) {
	s := zonedFleet(6, true, "a", "b", "c")
	s.hosts["web3"].ignores[v2] = true
	w := wish(3)
	w.MinServing = Amount{Set: true}
	res, _ := zonal(t, s, w, func(e Event) {
		if e.Host == "web3" && e.Kind == KindError && strings.Contains(e.Detail, "the old process still serves") {
			s.cutB()
		}
	})
	want(t, "outcome", fmt.Sprint(res.Outcome, " ", res.Exit), "stuck 4")
	if got := phases(res); !strings.HasSuffix(got, "web5 staged, web6 staged") {
		t.Error(got)
	}
}

// A host in hand when its zone was cut off is no failure to whoever goes on either.
func TestResumeGoesOnOnceTheZoneIsBack(t *testing.T) {
	s := zonedFleet(6, true, "a", "b", "c")
	w := wish(3)
	w.MinServing = Amount{Set: true}
	res, _ := zonal(t, s, w, func(e Event) {
		if e.Host == "web3" && e.Phase == Reloading {
			s.cutB()
		}
	})
	want(t, "outcome", fmt.Sprint(res.Outcome, " ", res.Exit), "stuck 4")
	s.hosts["web3"].gone, s.hosts["web4"].gone, s.lbs[1].gone = false, false, false
	res = settled(t, s, goOn)
	want(t, "outcome", fmt.Sprint(res.Outcome, " ", res.Exit, " ", res.Error), "done 0 ")
	for _, b := range s.broken {
		t.Error(b)
	}
}

// A canary that nobody could watch to the end clears nothing.
func TestCanaryWhoseZoneIsCutOffWhileItBakesClearsNoOther(t *testing.T) {
	for _, bake := range []time.Duration{0, 10 * time.Second} {
		s := zonedFleet(3, true, "a", "b", "c")
		w := wish(1)
		w.MinServing, w.ZoneBake = Amount{Set: true}, bake
		res, _ := zonal(t, s, w, func(e Event) {
			if e.Host == "web1" && e.Phase == Baking {
				s.mu.Lock()
				s.hosts["web1"].gone, s.lbs[0].gone = true, true
				s.mu.Unlock()
			}
		})
		want(t, "outcome", fmt.Sprint(res.Outcome, " ", res.Exit), "paused 3")
		want(t, "hosts", phases(res), "web1 done, web2 staged, web3 staged")
	}
}

// The first zone is cut off while all of it is watched: nobody saw it through.
func TestFirstZoneThatIsCutOffWhileItIsWatchedClearsNoOther(t *testing.T) {
	s := zonedFleet(4, true, "a", "b")
	w := wish(1)
	w.MinServing, w.ZoneBake = Amount{Set: true}, 10*time.Second
	res, _ := zonal(t, s, w, func(e Event) {
		if strings.HasPrefix(e.Detail, "zone a is done: watched") {
			time.AfterFunc(time.Second, func() {
				s.mu.Lock()
				s.hosts["web1"].gone, s.hosts["web2"].gone, s.lbs[0].gone = true, true, true
				s.mu.Unlock()
			})
		}
	})
	want(t, "outcome", fmt.Sprint(res.Outcome, " ", res.Exit), "paused 3")
	want(t, "hosts", phases(res), "web1 done, web2 done, web3 staged, web4 staged")
}

// A host that could not be asked says nothing of whether its zone was begun.
func TestUnknownHostOfALaterZoneSparesTheFirstNoBake(t *testing.T) {
	d := Next(View{Parallel: 2, Canary: 1, Zones: 3, ZoneBake: true, Hosts: []HostView{
		{Name: "web1", Phase: Done, Changes: true, Changed: true},
		{Name: "web2", Phase: Staged, Changes: true, Serving: true, Zone: 1},
		{Name: "web3", Phase: Unknown, Changes: true, Changed: true, Zone: 2},
	}})
	want(t, "decision", fmt.Sprint(d.Start, d.Watch), "[web1] true")
}

// A percentage holds of the whole fleet, too, where a balancer carries all of it: what is
// left of a zone whose neighbour died carries the load of both.
func TestPercentageOfTheFleetHoldsWhileAnotherZoneIsDead(t *testing.T) {
	s := zonedFleet(8, false, "a", "b")
	w := wish(2)
	w.MinServing = Amount{N: 50, Percent: true, Set: true}
	least := 8
	s.after = func(c *call, _ simFault, err error) {
		if c.op == "drain" && err == nil {
			least = min(least, s.lbs[0].serving())
		}
	}
	res, _ := zonal(t, s, w, func(e Event) {
		if e.Host == "web1" && e.Phase == Done {
			s.mu.Lock()
			for _, n := range []string{"web5", "web6", "web7", "web8"} {
				s.hosts[n].ends()
			}
			s.mu.Unlock()
		}
	})
	if least < 4 {
		t.Errorf("%s %s: taken out while %d of 8 would serve", res.Outcome, res.Code, least)
	}
}

// Hosts of two zones that leave an nginx by one change are held to the floor of each.
func TestOneChangeKeepsTheFloorOfEveryZoneThatItTakesFrom(t *testing.T) {
	s := inZones(fleetOf(4, 2, 2, v1), false, "a", "a", "b", "b")()
	w := wish(2)
	w.MinServing = Amount{N: 25, Percent: true, Set: true}
	s.plan = s.planned(v2, w)
	for _, h := range []string{"web1", "web3"} {
		s.hosts[h].current = v2 // and v1 runs: the disk is mended while the host is out everywhere
		for _, lb := range s.lbs {
			lb.mark[h] = "us"
		}
		s.lbs[1].set(h, StateMaint)
	}
	s.hosts["web4"].ends()
	settled(t, s, leave)
	for _, b := range s.broken {
		t.Error(b)
	}
}

// What was given back everywhere after a balancer was lost is out nowhere: nobody is told
// that it may be.
func TestAHostThatWasGivenBackIsNotUnknown(t *testing.T) {
	s := newSim(2, 2, v1)
	drains, backs := 0, 0
	paused := make(chan struct{})
	s.strike = func(c *call) simFault {
		switch {
		case c.op == "drain" && c.lb == "edge2":
			if drains++; drains == 1 {
				return lostAfter
			}
			close(paused)
			return lostBefore
		case c.op == "giveback" && c.lb == "edge2":
			if backs++; backs == 1 {
				return lostBefore
			}
		}
		return fine
	}
	var res Result
	synctest.Test(t, func(*testing.T) {
		r := s.rollout(v2, wish(1))
		r.Paused = paused
		res = r.Run(context.Background(), context.Background())
	})
	want(t, "hosts", phases(res), "web1 staged, web2 staged")
	want(t, "on edge2", string(s.lbs[1].state["web1"]), "ready")
}
