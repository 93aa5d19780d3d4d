package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What a review suspected, each with the fleet that shows it.

// lost has every operation of one balancer fail between two moments of a run.
type lostSwapper struct {
	*simSwapper
	from, to time.Time
	taken    string // a host that a person has taken over here
}

func (b *lostSwapper) away() error {
	if now := time.Now(); now.After(b.from) && now.Before(b.to) {
		return &simGone{}
	}
	return nil
}

func (b *lostSwapper) Swap(ctx context.Context, back, out []string, budget Budget) error {
	if err := b.away(); err != nil {
		return err
	}
	if b.taken != "" && slices.Contains(back, b.taken) {
		b.s.mu.Lock()
		defer b.s.mu.Unlock()
		b.person, b.state[b.taken] = b.taken, StateReady
		return &simRefusal{RefusedChanged}
	}
	return b.simSwapper.Swap(ctx, back, out, budget)
}

// slow is a host whose reload takes its time.
type slowHost struct {
	*simHost
	takes time.Duration
}

func (h *slowHost) Reload(ctx context.Context, id string) error {
	if !tick(ctx, h.takes) {
		return ctx.Err()
	}
	return h.simHost.Reload(ctx, id)
}

// with puts a balancer in the place of another.
func (r *Rollout) with(i int, b Balancer) {
	r.Balancers = slices.Clone(r.Balancers)
	r.Balancers[i] = b
	for h := range r.Carries {
		r.Carries[h] = r.Balancers
	}
}

func (s *sim) seats(host string) string {
	var all []string
	for _, lb := range s.lbs {
		all = append(all, string(lb.state[host])+lb.mark[host])
	}
	return strings.Join(all, " ")
}

func reviewed(t *testing.T, s *sim, w Wish, change func(r *Rollout)) (res Result) {
	t.Helper()
	res, _ = during(t, s, w, func(r *Rollout) (context.Context, context.Context) {
		change(r)
		return context.Background(), context.Background()
	})
	return res
}

// HAProxy and nginx together; a wave of which one host is refused at once.
func TestAWaveMayFailOnOneHostWhileOthersAreAsked(t *testing.T) {
	s := newSim(16, 2, v1)
	s.swappers = 1
	s.faults = func(op, host string) simFault {
		if op == "drain" && host != "web1" {
			return failsBefore
		}
		return fine
	}
	w := wish(15)
	w.Canary, w.OnFailure = Amount{}, FailPause
	res := finished(t, s, w)
	want(t, "outcome", string(res.Outcome), "paused")
}

func TestAHostThatHadTheReleaseAndDiedIsNoSuccess(t *testing.T) {
	s := newSim(3, 1, v1)
	s.hosts["web1"].current, s.hosts["web1"].runs = v2, v2
	s.faults = func(op, host string) simFault {
		if op == "flip" && host == "web3" {
			s.hosts["web1"].runs = ""
		}
		return fine
	}
	res := finished(t, s, wish(1))
	want(t, "outcome", string(res.Outcome), "paused")
	want(t, "web1", string(res.Hosts["web1"].Phase)+" "+res.Hosts["web1"].Code, "failed FD-FLEET-CHECK")
}

// countsErrors is a balancer that sees connections to a host fail.
type countsErrors struct {
	*simLB
	host string
	n    atomic.Int64
}

func (b *countsErrors) Counters(_ context.Context, hosts []string) (map[string]Counters, error) {
	if hosts[0] != b.host {
		return map[string]Counters{}, nil
	}
	return map[string]Counters{b.host: {Connect: b.n.Add(3)}}, nil
}

func TestABakeThatFailedWithoutUndoIsNoSuccess(t *testing.T) {
	s := newSim(3, 1, v1)
	w := wish(1)
	w.NoUndo = true
	res := reviewed(t, s, w, func(r *Rollout) { r.with(0, &countsErrors{simLB: s.lbs[0], host: "web3"}) })
	want(t, "outcome", string(res.Outcome), "paused")
	want(t, "error", res.Error, "web3: bake: 3 connections from edge1 failed during bake")
}

func TestAChangeInPlaceThatWasCutOffIsNoSuccess(t *testing.T) {
	s := newSim(3, 1, v1)
	w := wish(3)
	w.Canary = Amount{}
	w.MinServing = Amount{N: 0, Set: true}
	s.hosts["web3"].hand = true
	s.lbs[0].state["web3"] = StateMaint
	var slow *slowHost
	res, _ := during(t, s, w, func(r *Rollout) (context.Context, context.Context) {
		r.Plan.Hosts[2].InPlace = true
		slow = &slowHost{s.hosts["web3"], time.Minute}
		r.Hosts["web3"] = slow
		lock, lose := context.WithCancelCause(context.Background())
		time.AfterFunc(30*time.Second, func() { lose(errors.New("lock lost on edge1")) })
		return lock, context.Background()
	})
	want(t, "outcome", string(res.Outcome), "paused")
	want(t, "web3", s.hosts["web3"].current+" "+s.hosts["web3"].runs, v2+" "+v1)
}

func TestAChangeInPlaceThatFailedWithoutUndoIsNoSuccess(t *testing.T) {
	s := newSim(3, 1, v1)
	w := wish(3)
	w.Canary, w.NoUndo = Amount{}, true
	w.MinServing = Amount{N: 0, Set: true}
	s.hosts["web3"].hand = true
	s.hosts["web3"].healthy[v2] = false
	s.lbs[0].state["web3"] = StateMaint
	res := reviewed(t, s, w, func(r *Rollout) {
		r.Plan.Hosts[2].InPlace = true
		r.Hosts["web3"] = &slowHost{s.hosts["web3"], time.Minute}
	})
	want(t, "outcome", string(res.Outcome), "paused")
}

func TestAStopWhileUndoingInPlaceIsInterrupted(t *testing.T) {
	s := newSim(2, 1, v1)
	s.hosts["web2"].hand = true
	s.hosts["web2"].healthy[v2] = false
	s.lbs[0].state["web2"] = StateMaint
	s.faults = func(op, host string) simFault {
		if op == "restore" {
			s.hosts["web2"].gone = true
		}
		return fine
	}
	res, _ := during(t, s, wish(1), func(r *Rollout) (context.Context, context.Context) {
		r.Plan.Hosts[1].InPlace = true
		r.Hosts["web2"] = &slowRestore{s.hosts["web2"]}
		stop, cancel := context.WithCancel(context.Background())
		time.AfterFunc(4*time.Second, cancel)
		return context.Background(), stop
	})
	want(t, "outcome", string(res.Outcome), "interrupted")
}

type slowRestore struct{ *simHost }

func (h *slowRestore) Restore(ctx context.Context, _ string) error {
	tick(ctx, time.Minute)
	return ctx.Err()
}

func TestAPersonWhoTakesOneHostOfAWaveKeepsNoOtherOut(t *testing.T) {
	s := newSim(4, 1, v1)
	s.swappers = 1
	w := wish(2)
	w.Canary = Amount{}
	res := reviewed(t, s, w, func(r *Rollout) {
		r.with(0, &lostSwapper{simSwapper: &simSwapper{s.lbs[0]}, taken: "web1"})
	})
	want(t, "web1", string(res.Hosts["web1"].Phase), "left_out")
	want(t, "web2", s.seats("web2"), "ready")
	want(t, "web2", string(res.Hosts["web2"].Phase), "done")
}

func TestAWaveReturnsOnTheBalancerThatIsLeft(t *testing.T) {
	for _, swappers := range []int{1, 2} {
		t.Run(fmt.Sprint(swappers), func(t *testing.T) {
			s := newSim(4, 2, v1)
			s.swappers = swappers
			w := wish(2)
			w.Canary = Amount{}
			res := reviewed(t, s, w, func(r *Rollout) {
				lost := time.Now().Add(2 * time.Second)
				if swappers == 2 {
					r.with(0, &lostSwapper{simSwapper: &simSwapper{s.lbs[0]}, from: lost, to: lost.Add(time.Hour)})
				} else {
					r.with(1, &lostLB{simLB: s.lbs[1], from: lost, to: lost.Add(time.Hour)})
				}
			})
			want(t, "outcome", string(res.Outcome), "paused")
			left := map[int]*simLB{1: s.lbs[0], 2: s.lbs[1]}[swappers]
			want(t, "web1", string(left.state["web1"]), "ready")
			want(t, "web2", string(left.state["web2"]), "ready")
		})
	}
}

type lostLB struct {
	*simLB
	from, to time.Time
}

func (b *lostLB) away() error {
	if now := time.Now(); now.After(b.from) && now.Before(b.to) {
		return &simGone{}
	}
	return nil
}

func (b *lostLB) Ready(ctx context.Context, host string, say func(string)) error {
	if err := b.away(); err != nil {
		return err
	}
	return b.simLB.Ready(ctx, host, say)
}

func (b *lostLB) Drain(ctx context.Context, host string, budget Budget) error {
	if err := b.away(); err != nil {
		return err
	}
	return b.simLB.Drain(ctx, host, budget)
}

func TestAHostThatDiedAtTheGateIsNotPutBack(t *testing.T) {
	s := newSim(4, 1, v1)
	s.swappers = 1
	w := wish(2)
	w.Canary = Amount{}
	res := reviewed(t, s, w, func(r *Rollout) {
		r.Hosts["web2"] = &slowHost{s.hosts["web2"], time.Minute}
		time.AfterFunc(30*time.Second, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.hosts["web1"].runs = ""
		})
	})
	want(t, "outcome", string(res.Outcome), "rolled_back")
}

func TestWaitingAtTheGateIsNotTheHostsOwnTime(t *testing.T) {
	s := newSim(4, 1, v1)
	s.swappers = 1
	s.hosts["web2"].healthy[v2] = false
	w := wish(2)
	w.Canary, w.OnFailure, w.Bake = Amount{}, FailPause, 20*time.Second
	res := reviewed(t, s, w, func(r *Rollout) {
		r.Hosts["web2"] = &slowHost{s.hosts["web2"], 4*time.Minute + 50*time.Second}
	})
	want(t, "outcome", string(res.Outcome), "paused")
	want(t, "web1", string(res.Hosts["web1"].Phase)+" "+s.hosts["web1"].runs, "done "+v2)
}

func TestAMarkThatCouldNotBeRemovedTakesNoSlot(t *testing.T) {
	s := newSim(3, 2, v1)
	times := 0
	s.faults = func(op, host string) simFault {
		if op == "unclaim" && host == "web1" {
			if times++; times < 3 {
				return failsBefore
			}
		}
		return fine
	}
	res := finished(t, s, wish(1))
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "web1", s.seats("web1"), "ready ready")
}

func TestAHostIsUndoneOnceThoughABalancerIsLost(t *testing.T) {
	s := newSim(3, 2, v1)
	s.hosts["web1"].healthy[v2] = false
	outs := 0
	res := reviewed(t, s, wish(1), func(r *Rollout) {
		lost := time.Now().Add(1500 * time.Millisecond)
		r.with(1, &lostLB{simLB: s.lbs[1], from: lost, to: lost.Add(90 * time.Second)})
		time.AfterFunc(85*time.Second, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.lbs[0].state["web1"] != StateReady {
				outs++
			}
		})
	})
	want(t, "outcome", string(res.Outcome), "rolled_back")
	want(t, "undone", fmt.Sprint(s.hosts["web1"].restores), "1")
	want(t, "out on the other", fmt.Sprint(outs), "0")
}

func TestAStopWhileTheWayBackDrainsIsInterrupted(t *testing.T) {
	s := newSim(3, 2, v1)
	s.hosts["web1"].healthy[v2] = false
	for _, lb := range s.lbs { // as an earlier run left it
		lb.state["web1"], lb.mark["web1"] = StateMaint, "us"
	}
	s.hosts["web1"].current = v2
	res, _ := during(t, s, wish(1), func(r *Rollout) (context.Context, context.Context) {
		r.Direction = Back
		r.Start = []HostView{{Name: "web1", Phase: Failed, Changes: true, Changed: true, Release: v1}}
		stop, cancel := context.WithCancel(context.Background())
		time.AfterFunc(100*time.Millisecond, cancel)
		return context.Background(), stop
	})
	want(t, "outcome", string(res.Outcome), "interrupted")
	want(t, "web1", string(res.Hosts["web1"].Phase), "failed")
}

func TestAHostThatIsOutNeedsAWayBackToo(t *testing.T) {
	s := Survey{Scope: Scope{OutToo: true}, Running: map[string]Running{"web1": {Release: "?", Detail: "pid 7 runs /opt/x"}},
		Current: map[string]string{"web1": ""}, Seats: map[string]map[string]Seat{"edge1": {"web1": {State: StateMaint}}}}
	_, err := s.Plan(Plan{}, []string{"web1"}, func(string) string { return v2 })
	if err == nil {
		t.Fatal("no error")
	}
	want(t, "code", CodeOf(err), "FD-NO-WAY-BACK")
}

func TestABalancerThatIsAwayForAMomentKeepsNoWaveOut(t *testing.T) {
	for _, lbs := range []int{1, 2} {
		t.Run(fmt.Sprint(lbs), func(t *testing.T) {
			s := newSim(4, lbs, v1)
			s.swappers = lbs
			w := wish(2)
			w.Canary = Amount{}
			res := reviewed(t, s, w, func(r *Rollout) {
				lost := time.Now().Add(2 * time.Second)
				r.with(0, &lostSwapper{simSwapper: &simSwapper{s.lbs[0]}, from: lost, to: lost.Add(20 * time.Second)})
			})
			want(t, "outcome", string(res.Outcome), "done")
			want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v2/v2 ready; web3 v2/v2 ready; web4 v2/v2 ready")
		})
	}
}

func TestAHostThatAPersonTookOutKeepsNoOtherFromLeaving(t *testing.T) {
	s := newSim(4, 1, v1)
	s.swappers = 1
	w := wish(2)
	w.Canary = Amount{}
	res := reviewed(t, s, w, func(r *Rollout) { r.with(0, &takenSwapper{simSwapper: &simSwapper{s.lbs[0]}, taken: "web1"}) })
	want(t, "web1", string(res.Hosts["web1"].Phase), "left_out")
	want(t, "web2", string(res.Hosts["web2"].Phase), "done")
	want(t, "outcome", string(res.Outcome), "paused")
}

// takenSwapper finds, where it acts, that a person took a host out since its claim.
type takenSwapper struct {
	*simSwapper
	taken string
}

func (b *takenSwapper) Swap(ctx context.Context, back, out []string, budget Budget) error {
	if slices.Contains(out, b.taken) {
		b.s.mu.Lock()
		b.state[b.taken], b.s.hosts[b.taken].hand = StateMaint, true
		b.s.mu.Unlock()
		return &simRefusal{RefusedOut}
	}
	return b.simSwapper.Swap(ctx, back, out, budget)
}

func (b *takenSwapper) GiveBack(ctx context.Context, host string) error {
	if host == b.taken {
		return nil // it is not out by us
	}
	return b.simSwapper.GiveBack(ctx, host)
}

// budgetFirst refuses as the state on a balancer does: the budget before the floor.
type budgetFirst struct {
	*simSwapper
	bad string // fails in bake
	n   atomic.Int64
}

func (b *budgetFirst) Claim(ctx context.Context, host string, budget Budget) error {
	b.s.mu.Lock()
	ours := 0
	for h, m := range b.mark {
		if m == "us" && !slices.Contains(budget.Beside, h) {
			ours++
		}
	}
	full := b.mark[host] != "us" && ours >= budget.Parallel
	b.s.mu.Unlock()
	if full {
		return &simRefusal{RefusedBudget}
	}
	return b.simSwapper.Claim(ctx, host, budget)
}

func (b *budgetFirst) Counters(_ context.Context, hosts []string) (map[string]Counters, error) {
	if hosts[0] != b.bad {
		return map[string]Counters{}, nil
	}
	return map[string]Counters{b.bad: {Connect: b.n.Add(3)}}, nil
}

func TestAWaveThatFailsInBakeLeavesWhenTheNextReturns(t *testing.T) {
	for _, bad := range []string{"web1", "web3", "web5"} {
		t.Run(bad, func(t *testing.T) {
			s := newSim(5, 1, v1)
			s.swappers = 1
			w := wish(2)
			res := reviewed(t, s, w, func(r *Rollout) { r.with(0, &budgetFirst{simSwapper: &simSwapper{s.lbs[0]}, bad: bad}) })
			want(t, "outcome", string(res.Outcome), "rolled_back")
			want(t, "fleet", s.summary(), "web1 v1/v1 ready; web2 v1/v1 ready; web3 v1/v1 ready; web4 v1/v1 ready; web5 v1/v1 ready")
		})
	}
}
