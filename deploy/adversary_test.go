package deploy

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// during runs a rollout with contexts of the test's own making, in virtual time.
func during(t *testing.T, s *sim, w Wish, change func(r *Rollout) (ctx, stop context.Context)) (res Result, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := s.rollout(v2, w)
		ctx, stop := change(r)
		began := time.Now()
		res = r.Run(ctx, stop)
		took = time.Since(began)
	})
	for _, b := range s.broken {
		t.Error(b)
	}
	return res, took
}

func TestLockLostInBakeLeavesTheHostServing(t *testing.T) {
	s := newSim(3, 1, v1)
	w := wish(1)
	w.Bake = time.Minute
	res, _ := during(t, s, w, func(*Rollout) (context.Context, context.Context) {
		lock, lose := context.WithCancelCause(context.Background())
		time.AfterFunc(10*time.Second, func() { lose(errors.New("lock lost on edge1")) })
		return lock, lock // as the command line has it
	})
	want(t, "outcome", string(res.Outcome), "paused")
	want(t, "error", res.Error, "lock lost on edge1")
	want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v1/v1 ready; web3 v1/v1 ready")
}

func TestAPersonOnOneBalancerDoesNotMakeUsForgetTheOther(t *testing.T) {
	s := newSim(3, 2, v1)
	s.hosts["web2"].personOn = "edge1"
	res := finished(t, s, wish(1))
	want(t, "outcome", string(res.Outcome), "stuck")
	want(t, "web2", string(res.Hosts["web2"].Phase), "stuck")
	want(t, "edge2", string(s.lbs[1].state["web2"])+" "+s.lbs[1].mark["web2"], "maint us")
	want(t, "edge1", string(s.lbs[0].state["web2"])+" "+s.lbs[0].mark["web2"], "ready ")
}

func TestRollbackOfARepairedOutageKeepsWhatServes(t *testing.T) {
	s := newSim(3, 1, v1)
	for _, h := range s.hosts {
		h.runs = ""
	}
	s.hosts["web2"].dies[v2] = true
	began := time.Now()
	res := finished(t, s, wish(1))
	want(t, "outcome", string(res.Outcome), "paused")
	want(t, "web1", s.hosts["web1"].runs, v2)
	want(t, "journal closed", s.records[len(s.records)-1].Kind, "end")
	if d := time.Since(began); d > 5*time.Minute {
		t.Errorf("ended after %s", d)
	}
}

func TestAHostNoLongerInTheInventoryIsNotHidden(t *testing.T) {
	p := Plan{Rollout: "us", Hosts: []PlannedHost{{Name: "web1", From: v1, To: v2, Ran: true}, {Name: "web2", From: v1, To: v2, Ran: true}}}
	survey := Survey{
		Current: map[string]string{"web2": v1}, Running: map[string]Running{"web2": {Release: v1}},
		Seats: map[string]map[string]Seat{"edge1": {"web2": {State: StateReady, Serving: true}}},
	}
	views := survey.Resume(p)
	want(t, "web1", string(views[0].Phase), "unknown")
	want(t, "outcome", string(outcomeOf(views, Back, Back, false, false)), "stuck")
	want(t, "closed", fmt.Sprint(leavesNothing(OutcomeStuck, views, Back)), "false")
}

func TestNoUndoLeavesEverythingAsItIs(t *testing.T) {
	s := newSim(3, 1, v1)
	s.hosts["web2"].healthy[v2] = false
	w := wish(1)
	w.NoUndo = true
	res := finished(t, s, w)
	want(t, "outcome", string(res.Outcome), "paused")
	want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v2/v2 maintus; web3 v1/v1 ready")
	want(t, "web2", string(res.Hosts["web2"].Phase), "failed")
}

func TestAHostThatDiesAfterItsTurnIsNoSuccess(t *testing.T) {
	s := newSim(3, 1, v1)
	s.faults = func(op, host string) simFault {
		if op == "flip" && host == "web3" {
			s.hosts["web1"].runs = ""
		}
		return fine
	}
	res := finished(t, s, wish(1))
	want(t, "outcome", string(res.Outcome), "paused")
	want(t, "code", res.Hosts["web1"].Code, "FD-FLEET-CHECK")
}

func TestWaitingIsToldOnce(t *testing.T) {
	s := newSim(2, 1, v1)
	for _, lb := range s.lbs {
		lb.mark["web9"] = "us" // an earlier run's, of a host that is not in the plan
	}
	w := wish(1)
	res := finished(t, s, w)
	warnings := 0
	for _, e := range s.events {
		if e.Kind == KindWarning {
			warnings++
		}
	}
	want(t, "outcome", string(res.Outcome), "paused")
	want(t, "code", res.Code, "FD-PROGRESS-DEADLINE")
	if warnings > 2 {
		t.Errorf("%d warnings", warnings)
	}
}

func TestStopBeforeAnyChangeLeavesNothingUnfinished(t *testing.T) {
	s := newSim(3, 1, v1)
	res, _ := during(t, s, wish(1), func(*Rollout) (context.Context, context.Context) {
		stop, cancel := context.WithCancel(context.Background())
		cancel()
		return context.Background(), stop
	})
	want(t, "outcome", string(res.Outcome), "interrupted")
	want(t, "end", s.records[len(s.records)-1].Kind, "end")
}

func TestStopIsBounded(t *testing.T) {
	s := newSim(3, 1, v1)
	s.hosts["web1"].slowReady = 50 * time.Second
	var stopped time.Time
	res, took := during(t, s, wish(1), func(*Rollout) (context.Context, context.Context) {
		stop, cancel := context.WithCancel(context.Background())
		time.AfterFunc(3*time.Second, func() { stopped = time.Now(); cancel() })
		return context.Background(), stop
	})
	if took > 10*time.Second {
		t.Errorf("ended %s after its start, stopped at %s", took, stopped)
	}
	want(t, "outcome", string(res.Outcome), "interrupted")
	want(t, "web1", string(res.Hosts["web1"].Phase), "readying")
}

// A run that is stopped, or loses its lock, at any moment, and is then settled by
// another: the fleet is uniform again, and no mark is left.
func TestAnyEndCanBeSettled(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newSim(rapid.IntRange(2, 5).Draw(rt, "hosts"), rapid.IntRange(1, 2).Draw(rt, "balancers"), v1)
		s.swappers = rapid.IntRange(0, len(s.lbs)).Draw(rt, "swappers")
		w := wish(rapid.IntRange(1, 2).Draw(rt, "parallel"))
		if rapid.Bool().Draw(rt, "bad") {
			s.hosts["web2"].healthy[v2] = false
		}
		at := time.Duration(rapid.IntRange(0, 30000).Draw(rt, "at")) * time.Millisecond
		hard := rapid.Bool().Draw(rt, "hard")
		synctest.Test(t, func(t *testing.T) {
			r := s.rollout(v2, w)
			ctx, cancel := context.WithTimeout(context.Background(), at)
			defer cancel()
			lock, stop := context.Background(), ctx
			if hard {
				lock, stop = ctx, context.Background()
			}
			res := r.Run(lock, stop)
			if last := s.records[len(s.records)-1]; last.Kind == "end" {
				return
			}
			survey, err := Look(context.Background(), r.Hosts, r.Balancers)
			if err != nil {
				rt.Fatal(err)
			}
			for _, lb := range s.lbs {
				for h := range lb.mark {
					if survey.InRotation(h) {
						delete(lb.mark, h) // as the next run does
					}
				}
			}
			back := *r
			back.Direction, back.Start = Back, survey.Resume(r.Plan)
			res = back.Run(context.Background(), context.Background())
			if res.Outcome != OutcomeDone {
				rt.Errorf("settled as %s: %s", res.Outcome, res.Error)
			}
			for _, n := range s.names {
				for _, lb := range s.lbs {
					if s.hosts[n].runs != v1 || s.hosts[n].current != v1 || lb.state[n] != StateReady || lb.mark[n] != "" {
						rt.Errorf("%s", s.summary())
					}
				}
			}
		})
		for _, b := range s.broken {
			rt.Error(b)
		}
	})
}

// taking is a balancer on which a person takes a host out as soon as it is drained.
type taking struct {
	*simLB
	host string
}

func (b taking) Drain(ctx context.Context, host string, budget Budget) error {
	err := b.simLB.Drain(ctx, host, budget)
	if host == b.host {
		b.s.mu.Lock()
		defer b.s.mu.Unlock()
		b.takes(host)
	}
	return err
}

func TestAPersonWhoTakesAHostThatLeavesHasIt(t *testing.T) {
	s := newSim(3, 1, v1)
	w := wish(1)
	w.MinServing = Amount{N: 1, Set: true}
	res := reviewed(t, s, w, func(r *Rollout) { r.with(0, taking{r.Balancers[0].(*simLB), "web2"}) })
	want(t, "outcome", string(res.Outcome), "paused")
	want(t, "web2", string(res.Hosts["web2"].Phase), "left_out")
	want(t, "web2's seat", s.seats("web2"), "maint")
	want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v1/v1 maint; web3 v2/v2 ready")
}
