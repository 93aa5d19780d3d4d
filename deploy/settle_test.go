package deploy

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// Seeds that showed a fault of the engine once. A seed tells the same story as long as
// the calls of its run stay the same.
func TestSeedsThatBrokeAnInvariantHold(t *testing.T) {
	for _, seed := range []uint64{
		1442, 2094, // abandon put a host back beside a hung process
		13459,  // two hosts waited for each other for ever
		833785, // so did resume, where a person put the host back half way
		707826, // a host that died while its wave returned on one balancer was put back on the next
	} {
		k := tale(seed).run(t, &coverage{map[string]map[string]int{}}, false)
		want(t, tale(seed).String(), strings.Join(k.s.broken, "; "), "")
	}
}

// A host that died in its takeover and serves on one balancer may not leave it, as the
// other is dead: it is not put back on the second one either.
func TestAHostIsNotPutBackWhileAHungProcessMayTakeOver(t *testing.T) {
	for _, how := range []settling{goOn, leave} {
		s := halfOut()
		res := settled(t, s, how)
		if len(s.broken) > 0 || s.lbs[1].state["web2"] == StateReady {
			t.Errorf("%s: %v, web2 is %s on edge2", how, s.broken, s.lbs[1].state["web2"])
		}
		want(t, "outcome", string(res.Outcome), map[settling]string{goOn: "paused", leave: "stuck"}[how])
		said := slices.ContainsFunc(s.events, func(e Event) bool {
			return strings.Contains(e.Detail+e.Code, "an earlier run died while the app took a release over here, and a process that it left may still do so")
		})
		if !said {
			t.Errorf("%s: nobody was told why: %s", how, res.Error)
		}
	}
}

// halfOut is a fleet whose deployer died: web2 is out on edge2 alone, and a process of v2
// hangs there; web1 is dead.
func halfOut() *sim {
	s := newSim(2, 2, v1)
	s.plan = s.planned(v2, wish(1))
	s.records = []Record{{Rollout: "us", Kind: "intent", Host: "web2", Act: Reloading, Release: v2}}
	s.hosts["web2"].upstart = v2
	for _, lb := range s.lbs {
		lb.mark["web2"] = "us"
	}
	s.lbs[1].set("web2", StateMaint)
	s.hosts["web1"].ends()
	return s
}

// settled has another deployer settle what the first one left.
func settled(t *testing.T, s *sim, how settling) (res Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var err error
		d := s.another()
		d.trusts = s.trusts
		if res, err = d.settle(context.Background(), context.Background(), how); err != nil {
			t.Error(err)
		}
	})
	return res
}
