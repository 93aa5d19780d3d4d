package deploy

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A view in words: "web1:staged web2:done* web3:failed! web4:staged~ web5:staged^"
// (* changed, ! failed, ~ not serving, ^ blocked, + busy).
func viewOf(words string, v View) View {
	for _, w := range strings.Fields(words) {
		name, rest, _ := strings.Cut(w, ":")
		p := strings.TrimRight(rest, "*!~^+")
		v.Hosts = append(v.Hosts, HostView{
			Name: name, Phase: Phase(p), Changes: p != "left_out", Changed: strings.Contains(rest, "*"),
			Failed: strings.Contains(rest, "!"), Serving: !strings.Contains(rest, "~"),
			Blocked: strings.Contains(rest, "^"), Busy: strings.Contains(rest, "+"),
		})
	}
	return v
}

func (d Decision) String() string {
	s := strings.Join(d.Start, " ")
	if d.Turn {
		s += " turn"
	}
	if d.Over {
		s += " over"
	}
	if d.Waiting {
		s += " waiting"
	}
	return strings.TrimSpace(s)
}

func TestNext(t *testing.T) {
	roll := View{Parallel: 2, Canary: 1, OnFailure: FailRollback}
	back := roll
	back.Direction = Back
	pause := roll
	pause.OnFailure = FailPause
	stop := roll
	stop.Stop = true
	for _, c := range []struct {
		about, hosts string
		view         View
		want         string
	}{
		{"the canary goes alone", "a:staged b:staged c:staged", roll, "a"},
		{"the rest waits for the canary", "a:baking+ b:staged c:staged", roll, ""},
		{"then two at a time", "a:done* b:staged c:staged d:staged", roll, "b c"},
		{"a slot is given on when its host is done", "a:done* b:done* c:reloading+ d:staged e:staged", roll, "d"},
		{"hosts that do not serve go first", "a:staged b:staged c:staged~ d:done*", roll, "c a"},
		{"blocked hosts wait", "a:done* b:staged^ c:staged^", roll, "waiting"},
		{"a failure turns the rollout", "a:done* b:rolled_back! c:staged", roll, "turn"},
		{"every changed host goes back", "a:done* b:rolled_back! c:staged d:done*", back, "a d"},
		{"hosts in hand hold their slots on the way back", "a:done* b:reloading+ c:done* d:done*", back, "a"},
		{"nothing is left to go back", "a:rolled_back b:rolled_back! c:staged", back, "over"},
		{"a stuck host ends the way back", "a:done* b:stuck! c:done*", back, "over"},
		{"pause takes no new host", "a:done* b:rolled_back! c:staged", pause, "over"},
		{"pause waits for hosts in hand", "a:done* b:rolled_back! c:verifying+ d:staged", pause, ""},
		{"stop takes no new host", "a:done* b:staged", stop, "over"},
		{"stop does not turn", "a:rolled_back! b:staged", stop, "over"},
		{"out hosts are no work", "a:left_out b:done*", roll, "over"},
		{"all done", "a:done* b:done*", roll, "over"},
		{"a failed host that is out is undone in its own slot", "a:failed* b:done*", View{Parallel: 1, Direction: Back}, "a"},
	} {
		want(t, c.about, Next(viewOf(c.hosts, c.view)).String(), c.want)
	}
}

// Whatever the view, the planner never lets more hosts be out than parallel, and
// never touches a host that is none of its business.
func TestNextKeepsTheBudget(t *testing.T) {
	phases := []Phase{Staged, Done, Failed, RolledBack, Stuck, LeftOut, Unknown, Reloading}
	rapid.Check(t, func(t *rapid.T) {
		v := View{
			Parallel: rapid.IntRange(1, 4).Draw(t, "parallel"), Canary: rapid.IntRange(0, 3).Draw(t, "canary"),
			MaxFail: rapid.IntRange(0, 2).Draw(t, "max"), Stop: rapid.Bool().Draw(t, "stop"),
			Direction: rapid.SampledFrom([]Direction{Forward, Back}).Draw(t, "dir"),
			OnFailure: rapid.SampledFrom([]Failure{FailRollback, FailPause}).Draw(t, "on"),
		}
		byName := map[string]HostView{}
		held := 0
		for i := range rapid.IntRange(0, 8).Draw(t, "n") {
			h := HostView{Name: fmt.Sprint(i), Phase: rapid.SampledFrom(phases).Draw(t, "phase")}
			h.Busy = h.Phase == Reloading
			h.Changes = rapid.Bool().Draw(t, "changes") && h.Phase != LeftOut
			h.Changed, h.Failed = rapid.Bool().Draw(t, "changed"), rapid.Bool().Draw(t, "failed")
			h.Serving, h.Blocked = rapid.Bool().Draw(t, "serving"), rapid.Bool().Draw(t, "blocked")
			v.Hosts = append(v.Hosts, h)
			byName[h.Name] = h
			if h.Busy || h.Phase == Failed || h.Phase == Stuck || h.Phase == Unknown {
				held++
			}
		}
		d := Next(v)
		for _, s := range d.Start {
			h := byName[s]
			if h.Busy || h.Blocked || h.Phase == LeftOut || h.Phase == Stuck || h.Phase == Unknown || v.Stop {
				t.Fatalf("started %+v", h)
			}
			if h.Phase != Failed {
				held++
			}
		}
		if len(d.Start) > 0 && held > max(v.Parallel, 0) && held > len(d.Start) {
			fresh := 0
			for _, s := range d.Start {
				if byName[s].Phase != Failed {
					fresh++
				}
			}
			if fresh > 0 {
				t.Fatalf("%d out with parallel %d", held, v.Parallel)
			}
		}
	})
}

func TestAmountsRoundToTheSafeSide(t *testing.T) {
	var p Plan
	for i := range 10 {
		p.Hosts = append(p.Hosts, PlannedHost{Name: fmt.Sprint(i)})
	}
	p.Serving = 10
	pct := func(n int) Amount { return Amount{N: n, Percent: true, Set: true} }
	p = p.Resolve(Wish{Parallel: pct(25), Canary: pct(11), MinServing: pct(55), MaxFail: pct(19)})
	want(t, "numbers", fmt.Sprint(p.Parallel, p.Canary, p.MinServing, p.MaxFail), "2 2 6 1")
	p = p.Resolve(Wish{Parallel: pct(1)})
	want(t, "at least one", fmt.Sprint(p.Parallel, p.MinServing), "1 9")
}

func TestStackPushesRolloutsAndPopsRollbacks(t *testing.T) {
	done := func(mode Mode, rel, prev string, pops int) Past {
		return Past{Outcome: OutcomeDone, Plan: Plan{Mode: mode, Release: rel, Revision: RevisionOf(rel), Previous: prev, Pops: pops,
			Hosts: []PlannedHost{{Name: "a", From: prev + "-x"}, {Name: "b", From: prev + "-x"}}}}
	}
	past := []Past{
		done(ModeRollout, "v2-x", "v1", 0), done(ModeRollout, "v3-x", "v2", 0), done(ModeRollback, "v2-x", "v3", 1),
		done(ModeRollout, "v4-x", "v2", 0), done(ModeRollout, "v4-x", "v4", 0),
		{Outcome: OutcomeRolledBack, Plan: Plan{Mode: ModeRollout, Release: "v5-x"}},
	}
	stack := Stack(past)
	var got []string
	for _, p := range stack {
		got = append(got, p.Revision)
	}
	want(t, "stack", strings.Join(got, " "), "v2 v4")
	to, _, err := WayBack(stack, 1)
	want(t, "one step", to("a")+fmt.Sprint(err), "v2-x<nil>")
	n, _ := Steps(stack, "v1")
	want(t, "steps to v1", fmt.Sprint(n), "2")
	_, err = Steps(stack, "v9")
	want(t, "never ran", err.Error(), "the fleet never ran v9 before; it ran v2, v1")
	_, _, err = WayBack(stack, 3)
	want(t, "too far", err.Error(), "only 2 finished rollouts to roll back, not 3")
	_, _, err = WayBack(nil, 1)
	want(t, "nothing", err.Error(), "no finished rollout to roll back")
}

func TestAHostThatIsHeldGoesBeforeACanaryThatDoesNotServe(t *testing.T) {
	v := View{Parallel: 1, Canary: 1, Hosts: []HostView{
		{Name: "web1", Phase: Staged, Changes: true}, {Name: "web2", Phase: Failed, Changes: true, Serving: true}}}
	want(t, "start", strings.Join(Next(v).Start, " "), "web2")
}
