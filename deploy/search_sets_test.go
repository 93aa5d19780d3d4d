package deploy

import (
	"os"
	"strings"
	"testing"
	"time"
)

func fleetOf(n, lbs, swappers int, release string) func() *sim {
	return func() *sim {
		s := newSim(n, lbs, release)
		s.swappers = swappers
		return s
	}
}

// spoilt is a fleet on which one host does not take the new release well.
func spoilt(fleet func() *sim, how func(h *simHost)) func() *sim {
	return func() *sim {
		s := fleet()
		how(s.hosts[s.names[len(s.names)-1]])
		return s
	}
}

func searchWish(parallel int) Wish {
	return Wish{Parallel: Amount{N: parallel}, Canary: Amount{N: 1}, OnFailure: FailRollback}
}

var (
	lostKinds = []simFault{lostBefore, lostAfter}
	failKinds = []simFault{failsBefore, failsAfter}
	bothWays  = []settling{goOn, goBack}
)

// faultSets are what is searched. The small ones are part of every test run.
func faultSets() []faultSet {
	pair, three, two := fleetOf(2, 1, 0, v1), fleetOf(3, 1, 0, v1), fleetOf(2, 2, 0, v1)
	bad := func(h *simHost) { h.healthy[v2] = false }
	baked := searchWish(1)
	baked.Bake = time.Second
	return []faultSet{
		{name: "none", fleet: three, wish: searchWish(2), mends: true},
		{name: "crash", fleet: pair, wish: searchWish(1), ways: bothWays, mends: true, budget: budget{crashes: 1}},
		{name: "lost", fleet: pair, wish: searchWish(1), kinds: lostKinds, ways: bothWays, budget: budget{faults: 1, settles: 1}},
		{name: "fails", fleet: pair, wish: searchWish(1), kinds: failKinds, ways: bothWays, budget: budget{faults: 1, settles: 1}},
		{name: "crash+late", fleet: pair, wish: searchWish(1), ways: bothWays, late: true, mends: true, budget: budget{crashes: 1}},
		{name: "bad release", fleet: spoilt(three, bad), wish: searchWish(2), ways: bothWays},
		{name: "bad release+crash", fleet: spoilt(pair, bad), wish: searchWish(1), ways: bothWays, budget: budget{crashes: 1}},
		{name: "hung process", fleet: spoilt(pair, func(h *simHost) { h.hangs[v2] = true }), wish: searchWish(1), ways: bothWays, budget: budget{crashes: 1}},
		{name: "dying host", fleet: three, wish: searchWish(1), ways: bothWays, budget: budget{deaths: 1}},
		{name: "dying host+crash", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{deaths: 1, crashes: 1}},
		{name: "operator takes", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{takes: 1, settles: 1}},
		{name: "operator gives", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{gives: 1, polls: 1, settles: 1}},
		{name: "forgetful balancer", fleet: pair, wish: baked, ways: bothWays, budget: budget{forgets: 1, polls: 2}},
		{name: "stop", fleet: pair, wish: baked, ways: bothWays, mends: true, budget: budget{stops: 1, settles: 1}},
		{name: "pause", fleet: pair, wish: searchWish(1), ways: bothWays, mends: true, budget: budget{pauses: 1, settles: 1}},
		{name: "hung call", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{hangs: 1, settles: 1}},
		{name: "rollback", fleet: fleetOf(2, 1, 0, v2), back: true, wish: searchWish(1), ways: []settling{goOn}, mends: true, budget: budget{crashes: 1}},
		{name: "two balancers", fleet: two, wish: searchWish(1), ways: bothWays, mends: true, budget: budget{crashes: 1}},
		{name: "waves", fleet: fleetOf(3, 1, 1, v1), wish: searchWish(2), ways: bothWays, mends: true, budget: budget{crashes: 1}},
	}
}

// TestSearch walks all that the fault sets allow. FLIPDEPLOY_SEARCH names those to
// walk, comma separated, without a bound.
func TestSearch(t *testing.T) {
	only := os.Getenv("FLIPDEPLOY_SEARCH")
	for _, set := range faultSets() {
		t.Run(set.name, func(t *testing.T) {
			if only != "" && !strings.Contains(","+only+",", ","+set.name+",") {
				t.SkipNow()
			}
			q := &search{set: set}
			began := time.Now()
			q.all(t)
			t.Logf("%s, %.1fs", q, time.Since(began).Seconds())
			if q.found != nil {
				t.Errorf("%s", strings.Join(q.found, "\n"))
			}
		})
	}
}
