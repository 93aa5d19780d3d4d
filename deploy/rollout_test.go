package deploy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

const (
	v1 = "v1-11111111"
	v2 = "v2-22222222"
)

func wish(parallel int) Wish {
	return Wish{Parallel: Amount{N: parallel}, Canary: Amount{N: 1}, OnFailure: FailRollback, Bake: 2 * time.Second}
}

// finished runs a rollout to its end in virtual time and checks the invariants.
func finished(t *testing.T, s *sim, w Wish) (res Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		res = s.rollout(v2, w).Run(context.Background(), context.Background())
	})
	for _, b := range s.broken {
		t.Error(b)
	}
	return res
}

func (s *sim) summary() string {
	var b strings.Builder
	for _, n := range s.names {
		h := s.hosts[n]
		fmt.Fprintf(&b, "%s %s/%s %s%s; ", n, RevisionOf(h.current), RevisionOf(h.runs), s.lbs[0].state[n], s.lbs[0].mark[n])
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func TestRolloutChangesEveryHost(t *testing.T) {
	s := newSim(4, 2, v1)
	res := finished(t, s, wish(2))
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v2/v2 ready; web3 v2/v2 ready; web4 v2/v2 ready")
	want(t, "least serving", fmt.Sprint(res.MinServingSeen), "2")
}

func TestRolloutStopsWhenCanaryNeverHealthy(t *testing.T) {
	s := newSim(4, 1, v1)
	for _, h := range s.hosts {
		h.healthy[v2] = false
	}
	res := finished(t, s, wish(2))
	want(t, "outcome", string(res.Outcome), "rolled_back")
	want(t, "exit", fmt.Sprint(res.Exit), "7")
	want(t, "error", res.Error, "web1: verify: /health answered 500")
	want(t, "fleet", s.summary(), "web1 v1/v1 ready; web2 v1/v1 ready; web3 v1/v1 ready; web4 v1/v1 ready")
	for _, n := range s.names[1:] {
		want(t, n+" reloads", fmt.Sprint(s.hosts[n].cycles), "0")
	}
}

func TestPauseLeavesTheRestAlone(t *testing.T) {
	s := newSim(4, 1, v1)
	s.hosts["web3"].dies[v2] = true
	w := wish(1)
	w.OnFailure = FailPause
	res := finished(t, s, w)
	want(t, "outcome", string(res.Outcome), "paused")
	want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v2/v2 ready; web3 v1/v1 ready; web4 v1/v1 ready")
}

func TestRollbackUndoesEveryChangedHost(t *testing.T) {
	s := newSim(5, 1, v1)
	s.hosts["web4"].ignores[v2] = true
	res := finished(t, s, wish(2))
	want(t, "outcome", string(res.Outcome), "rolled_back")
	want(t, "fleet", s.summary(), "web1 v1/v1 ready; web2 v1/v1 ready; web3 v1/v1 ready; web4 v1/v1 ready; web5 v1/v1 ready")
}

func TestHostOutByHandStaysOutAndUntouched(t *testing.T) {
	s := newSim(4, 1, v1)
	s.hosts["web2"].hand = true
	s.lbs[0].state["web2"] = StateMaint
	res := finished(t, s, wish(2))
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v1/v1 maint; web3 v2/v2 ready; web4 v2/v2 ready")
	want(t, "web2", string(res.Hosts["web2"].Phase), "left_out")
}

func TestFleetWhollyDownIsRepaired(t *testing.T) {
	s := newSim(3, 1, v1)
	for _, h := range s.hosts {
		h.runs = ""
	}
	res := finished(t, s, wish(2))
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v2/v2 ready; web3 v2/v2 ready")
}

func TestFloorThatIsLostPausesAtTheDeadline(t *testing.T) {
	s := newSim(3, 1, v1)
	died := false
	s.faults = func(op, host string) simFault {
		if op == "empty" && !died {
			died = true
			s.hosts["web3"].runs = "" // web3 dies while web1 is out: two more may not go
		}
		return fine
	}
	w := wish(1)
	w.MinServing = Amount{N: 2, Set: true}
	res := finished(t, s, w)
	// web3 does not serve, so repairing it costs nothing; then the rest has room.
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v2/v2 ready; web3 v2/v2 ready")
}

func TestStopGivesBackDrainedHostsAndFinishesTheRest(t *testing.T) {
	s := newSim(4, 1, v1)
	var res Result
	synctest.Test(t, func(t *testing.T) {
		stop, cancel := context.WithTimeout(context.Background(), 8*time.Second)
		defer cancel()
		res = s.rollout(v2, wish(1)).Run(context.Background(), stop)
	})
	want(t, "outcome", string(res.Outcome), "interrupted")
	want(t, "exit", fmt.Sprint(res.Exit), "130")
	for _, n := range s.names {
		if s.lbs[0].state[n] != StateReady || s.lbs[0].mark[n] != "" {
			t.Errorf("%s is %s, mark %q", n, s.lbs[0].state[n], s.lbs[0].mark[n])
		}
	}
}

func TestHostThatCannotBeReachedIsUnknownAndStaysOut(t *testing.T) {
	s := newSim(3, 1, v1)
	s.faults = func(op, host string) simFault {
		if op == "reload" && host == "web2" {
			s.hosts["web2"].gone = true
		}
		return fine
	}
	res := finished(t, s, wish(1))
	want(t, "outcome", string(res.Outcome), "stuck")
	want(t, "web2", string(res.Hosts["web2"].Phase), "unknown")
	want(t, "balancer", string(s.lbs[0].state["web2"])+s.lbs[0].mark["web2"], "maintus")
}

// Whatever fails, whenever: the invariants hold at every effect, the run ends,
// and no end state hides a host that we took out.
func TestAnyFaultAnywhereKeepsTheInvariants(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(rt, "hosts")
		s := newSim(n, rapid.IntRange(1, 2).Draw(rt, "balancers"), v1)
		s.swappers = rapid.IntRange(0, len(s.lbs)).Draw(rt, "swappers")
		w := wish(rapid.IntRange(1, 3).Draw(rt, "parallel"))
		w.OnFailure = rapid.SampledFrom([]Failure{FailRollback, FailPause}).Draw(rt, "on_failure")
		for _, name := range s.names {
			h := s.hosts[name]
			switch rapid.IntRange(0, 9).Draw(rt, name) {
			case 0:
				h.healthy[v2] = false
			case 1:
				h.dies[v2] = true
			case 2:
				h.ignores[v2] = true
			case 3:
				h.hand = true
				for _, lb := range s.lbs {
					lb.state[name] = StateMaint
				}
			case 4:
				h.runs = ""
			}
		}
		budget := rapid.IntRange(0, 3).Draw(rt, "faults")
		at := map[int]simFault{}
		for range budget {
			at[rapid.IntRange(1, 400).Draw(rt, "at")] = rapid.SampledFrom([]simFault{failsBefore, failsAfter}).Draw(rt, "kind")
		}
		count := 0
		s.faults = func(op, _ string) simFault {
			if op == "seats" || op == "unclaim" {
				return fine
			}
			count++
			return at[count]
		}
		var res Result
		synctest.Test(t, func(*testing.T) {
			r := s.rollout(v2, w)
			if r.Plan.Floor() != nil {
				return
			}
			started := time.Now()
			res = r.Run(context.Background(), context.Background())
			if d := time.Since(started); d > time.Hour {
				rt.Fatalf("ended after %s", d)
			}
		})
		for _, b := range s.broken {
			rt.Error(b)
		}
		s.noneHidden(rt, res)
	})
}

// noneHidden: a host that is out and was not out before is listed as such, and
// the exit code says so.
func (s *sim) noneHidden(t *rapid.T, res Result) {
	for _, n := range s.names {
		for _, lb := range s.lbs {
			if lb.state[n] == StateReady || s.hosts[n].hand {
				continue
			}
			switch res.Hosts[n].Phase {
			case Failed, Stuck, Unknown:
			default:
				t.Errorf("I10: %s is out on %s and listed as %s (%s)", n, lb.name, res.Hosts[n].Phase, res.Outcome)
			}
			if res.Exit == 0 || res.Exit == 7 {
				t.Errorf("I10: %s is out and the exit code is %d", n, res.Exit)
			}
		}
	}
}
