package deploy

import (
	"os"
	"slices"
	"strconv"
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

// first is one whose first host does not.
func first(fleet func() *sim, how func(h *simHost)) func() *sim {
	return func() *sim {
		s := fleet()
		how(s.hosts[s.names[0]])
		return s
	}
}

// plain is a fleet whose balancers keep nobody with a host: drain is enough, until one is
// configured anew. With sticky it was before.
func plain(fleet func() *sim, sticky bool) func() *sim {
	return func() *sim {
		s := fleet()
		s.plain = true
		for _, lb := range s.lbs {
			lb.sticky = sticky
		}
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

// faultSets are what is searched. The small ones are part of every test run, the
// others of scripts/soak.
func faultSets() (small, large []faultSet) {
	pair, three, two := fleetOf(2, 1, 0, v1), fleetOf(3, 1, 0, v1), fleetOf(2, 2, 0, v1)
	waves, mixed := fleetOf(3, 1, 1, v1), fleetOf(2, 2, 1, v1)
	bad := func(h *simHost) { h.healthy[v2] = false }
	hung := func(h *simHost) { h.hangs[v2] = true }
	deaf := func(h *simHost) { h.ignores[v2] = true }
	baked, together := searchWish(1), searchWish(2)
	baked.Bake, together.Canary = time.Second, Amount{}
	tight := searchWish(1)
	tight.MinServing = Amount{N: 2, Set: true}
	pausing := searchWish(1)
	pausing.OnFailure = FailPause
	roomy := searchWish(1)
	roomy.MinServing = Amount{N: 1, Set: true}
	going1 := roomy
	going1.OnFailure, going1.Canary = FailContinue, Amount{}
	going := together
	bare := together
	bare.MinServing = Amount{Set: true}
	watched := searchWish(1)
	watched.ZoneBake = time.Second
	going.OnFailure = FailContinue
	small = []faultSet{
		{name: "none", fleet: three, wish: searchWish(2), mends: true},
		{name: "crash", fleet: pair, wish: searchWish(1), ways: bothWays, mends: true, budget: budget{crashes: 2}},
		{name: "lost", fleet: pair, wish: searchWish(1), kinds: lostKinds, ways: bothWays, budget: budget{faults: 1, settles: 1}},
		{name: "fails", fleet: pair, wish: searchWish(1), kinds: failKinds, ways: bothWays, budget: budget{faults: 1, settles: 1}},
		{name: "crash + late calls", fleet: pair, wish: searchWish(1), ways: bothWays, late: true, mends: true, budget: budget{crashes: 1}},
		{name: "bad release", fleet: spoilt(three, bad), wish: searchWish(1), ways: bothWays},
		{name: "bad release + room for more", fleet: spoilt(three, bad), wish: roomy, ways: bothWays},
		{name: "bad release + crash", fleet: spoilt(pair, bad), wish: searchWish(1), ways: bothWays, budget: budget{crashes: 1}},
		{name: "hung process + crash", fleet: spoilt(pair, hung), wish: searchWish(1), ways: bothWays, budget: budget{crashes: 1}},
		{name: "dying host", fleet: three, wish: searchWish(1), ways: bothWays, budget: budget{deaths: 1}},
		{name: "dying host in bake", fleet: pair, wish: baked, ways: bothWays, budget: budget{deaths: 1}},
		{name: "dying host + crash", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{deaths: 1, crashes: 1}},
		{name: "floor", fleet: three, wish: tight, ways: bothWays, budget: budget{deaths: 1}},
		{name: "bad release + lost", fleet: spoilt(pair, bad), wish: searchWish(1), kinds: lostKinds, ways: bothWays, budget: budget{faults: 1}},
		{name: "failed stay out", fleet: first(three, bad), wish: going1, kinds: failKinds, ways: bothWays, budget: budget{faults: 1, settles: 1}},
		{name: "operator takes + crash", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{takes: 1, crashes: 1}},
		{name: "operator takes", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{takes: 1, settles: 1}},
		{name: "operator gives", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{gives: 1, polls: 1, settles: 1}},
		{name: "forgetful balancer", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{forgets: 1, polls: 3}},
		{name: "no maint", fleet: plain(pair, false), wish: searchWish(1), ways: bothWays, mends: true, budget: budget{crashes: 1}},
		{name: "no maint + lost", fleet: plain(pair, false), wish: searchWish(1), kinds: lostKinds, ways: bothWays, budget: budget{faults: 1, settles: 1}},
		{name: "no maint + operator takes", fleet: plain(pair, false), wish: searchWish(1), ways: bothWays, budget: budget{takes: 1, settles: 1}},
		{name: "no maint + operator gives", fleet: plain(pair, false), wish: searchWish(1), ways: bothWays, budget: budget{gives: 1, polls: 1, settles: 1}},
		{name: "no maint + configured anew", fleet: plain(pair, false), wish: searchWish(1), ways: bothWays, budget: budget{forgets: 1, polls: 1}},
		{name: "sticky clients", fleet: plain(pair, true), wish: searchWish(1), ways: bothWays, mends: true, budget: budget{crashes: 1}},
		{name: "stop", fleet: pair, wish: baked, ways: bothWays, mends: true, budget: budget{stops: 1, settles: 1}},
		{name: "stop + hung call", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{stops: 1, hangs: 1}},
		{name: "pause", fleet: pair, wish: searchWish(1), ways: bothWays, mends: true, budget: budget{pauses: 1, settles: 1}},
		{name: "hung call", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{hangs: 1, settles: 1}},
		{name: "rollback", fleet: fleetOf(2, 1, 0, v2), back: true, wish: searchWish(1), ways: []settling{goOn}, mends: true, budget: budget{crashes: 1}},
		{name: "two balancers", fleet: two, wish: searchWish(1), ways: bothWays, mends: true, budget: budget{crashes: 1}},
		{name: "zones", fleet: inZones(pair, false, "a", "b"), wish: bare, ways: bothWays, mends: true, budget: budget{crashes: 1}},
		{name: "zones + two at a time", fleet: inZones(three, false, "a", "a", "b"), wish: bare, mends: true},
		{name: "zone floor", fleet: inZones(three, false, "a", "a", "b"), wish: roomy, ways: bothWays, budget: budget{deaths: 1}},
		{name: "zones of their own + lost", fleet: inZones(two, true, "a", "b"), wish: bare, kinds: lostKinds, ways: bothWays, budget: budget{faults: 1, settles: 1}},
		{name: "waves", fleet: fleetOf(2, 1, 1, v1), wish: searchWish(1), ways: bothWays, mends: true, budget: budget{crashes: 1}},
	}
	large = []faultSet{
		{name: "none + all at once", fleet: three, wish: together, mends: true},
		{name: "L crash", fleet: three, wish: searchWish(2), ways: bothWays, mends: true, budget: budget{crashes: 2}},
		{name: "L lost", fleet: three, wish: searchWish(1), kinds: lostKinds, ways: bothWays, budget: budget{faults: 2, settles: 1}},
		{name: "L fails", fleet: three, wish: searchWish(1), kinds: failKinds, ways: bothWays, budget: budget{faults: 2, settles: 1}},
		{name: "L lost + two at a time", fleet: three, wish: searchWish(2), kinds: lostKinds, ways: bothWays, budget: budget{faults: 1, settles: 1}},
		{name: "L lost + crash", fleet: pair, wish: searchWish(1), kinds: lostKinds, ways: bothWays, budget: budget{faults: 1, crashes: 1, settles: 1}},
		{name: "L frozen", fleet: pair, wish: searchWish(1), ways: bothWays, frozen: true, mends: true, budget: budget{crashes: 1}},
		{name: "L crash + late calls", fleet: three, wish: searchWish(2), ways: bothWays, late: true, mends: true, budget: budget{crashes: 1}},
		{name: "L crash twice + late calls", fleet: pair, wish: searchWish(1), ways: bothWays, late: true, mends: true, budget: budget{crashes: 2}},
		{name: "L bad release", fleet: spoilt(three, bad), wish: searchWish(2), ways: bothWays},
		{name: "L bad release + crash", fleet: spoilt(three, bad), wish: searchWish(2), ways: bothWays, budget: budget{crashes: 1}},
		{name: "L bad release + crash + late calls", fleet: spoilt(three, bad), wish: searchWish(1), ways: bothWays, late: true, budget: budget{crashes: 1}},
		{name: "L hung process + lost", fleet: spoilt(pair, hung), wish: searchWish(1), kinds: lostKinds, ways: bothWays, budget: budget{faults: 1, settles: 1}},
		{name: "L deaf process + pause", fleet: spoilt(three, deaf), wish: pausing, ways: bothWays, budget: budget{crashes: 1, settles: 1}},
		{name: "L continue", fleet: spoilt(three, bad), wish: going, ways: bothWays, budget: budget{settles: 1}},
		{name: "L dying host + crash", fleet: three, wish: searchWish(1), ways: bothWays, budget: budget{deaths: 1, crashes: 1}},
		{name: "L dying host + two at a time", fleet: three, wish: searchWish(2), ways: bothWays, budget: budget{deaths: 1}},
		{name: "L floor", fleet: three, wish: tight, ways: bothWays, budget: budget{deaths: 2, settles: 1}},
		{name: "L operator takes + crash", fleet: three, wish: searchWish(2), ways: bothWays, budget: budget{takes: 1, crashes: 1}},
		{name: "L operator gives + crash", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{gives: 1, polls: 1, crashes: 1}},
		{name: "L operator", fleet: three, wish: searchWish(2), ways: bothWays, budget: budget{takes: 1, gives: 1, polls: 1}},
		{name: "L forgetful balancer", fleet: three, wish: baked, ways: bothWays, budget: budget{forgets: 1, polls: 3}},
		{name: "L forgetful balancer + crash", fleet: pair, wish: baked, ways: bothWays, budget: budget{forgets: 1, polls: 2, crashes: 1}},
		{name: "L no maint + operator", fleet: plain(pair, false), wish: searchWish(1), ways: bothWays, budget: budget{takes: 1, gives: 1, polls: 1}},
		{name: "L no maint + configured anew + crash", fleet: plain(pair, false), wish: searchWish(1), ways: bothWays, budget: budget{forgets: 1, polls: 2, crashes: 1}},
		{name: "L stop", fleet: three, wish: searchWish(2), ways: bothWays, mends: true, budget: budget{stops: 1, polls: 1, settles: 1}},
		{name: "L stop + lost", fleet: pair, wish: searchWish(1), kinds: lostKinds, ways: bothWays, budget: budget{stops: 1, faults: 1, settles: 1}},
		{name: "L hung call", fleet: three, wish: searchWish(1), ways: bothWays, budget: budget{hangs: 1, polls: 1, settles: 1}},
		{name: "L hung calls", fleet: pair, wish: searchWish(1), ways: bothWays, budget: budget{hangs: 2, settles: 1}},
		{name: "L rollback", fleet: fleetOf(3, 1, 0, v2), back: true, wish: searchWish(2), kinds: lostKinds, ways: []settling{goOn}, budget: budget{crashes: 1, faults: 1, settles: 1}},
		{name: "L two balancers", fleet: fleetOf(3, 2, 0, v1), wish: searchWish(1), ways: bothWays, mends: true, budget: budget{crashes: 1}},
		{name: "L two balancers + lost", fleet: two, wish: searchWish(1), kinds: lostKinds, ways: bothWays, budget: budget{faults: 2, settles: 1}},
		{name: "L two balancers + dying host", fleet: two, wish: searchWish(1), ways: bothWays, budget: budget{deaths: 1, crashes: 1}},
		{name: "L two balancers + operator", fleet: two, wish: searchWish(1), ways: bothWays, budget: budget{takes: 1, gives: 1, polls: 1}},
		{name: "L waves", fleet: waves, wish: searchWish(2), ways: bothWays, mends: true, budget: budget{crashes: 1}},
		{name: "L waves + lost", fleet: waves, wish: searchWish(1), kinds: lostKinds, ways: bothWays, budget: budget{faults: 1, settles: 1}},
		{name: "L waves + bad release", fleet: spoilt(waves, bad), wish: searchWish(2), ways: bothWays},
		{name: "L waves + dying host", fleet: waves, wish: searchWish(1), ways: bothWays, budget: budget{deaths: 1}},
		{name: "L waves and one by one", fleet: mixed, wish: searchWish(1), ways: bothWays, mends: true, budget: budget{crashes: 1}},
		{name: "L zones", fleet: inZones(three, false, "a", "a", "b"), wish: searchWish(2), ways: bothWays, mends: true, budget: budget{crashes: 1}},
		{name: "L zones + bad release", fleet: inZones(spoilt(three, bad), false, "a", "a", "b"), wish: searchWish(2), ways: bothWays, budget: budget{crashes: 1}},
		{name: "L zones + dying host", fleet: inZones(three, false, "a", "a", "b"), wish: watched, ways: bothWays, budget: budget{deaths: 1, crashes: 1}},
		{name: "L zones + waves", fleet: inZones(waves, false, "a", "a", "b"), wish: searchWish(2), ways: bothWays, mends: true, budget: budget{crashes: 1}},
		{name: "L zones of their own + crash", fleet: inZones(fleetOf(3, 2, 0, v1), true, "a", "a", "b"), wish: bare, ways: bothWays, mends: true, budget: budget{crashes: 1}},
		{name: "L zones of their own + lost twice", fleet: inZones(two, true, "a", "b"), wish: bare, kinds: lostKinds, ways: bothWays, budget: budget{faults: 2, settles: 1}},
		{name: "L zones + stop", fleet: inZones(three, false, "a", "a", "b"), wish: watched, ways: bothWays, mends: true, budget: budget{stops: 1, settles: 1}},
		{name: "L abandon", fleet: spoilt(pair, bad), wish: pausing, ways: []settling{leave}, budget: budget{crashes: 1, settles: 1}},
	}
	late := lateSets()
	return append(small, late[1:]...), append(large, late[0])
}

// TestSearch walks all that the small fault sets allow. With FLIPDEPLOY_SEARCH=all it
// walks the large ones, too, or those that are named there, comma separated.
func TestSearch(t *testing.T) {
	small, large := faultSets()
	only := os.Getenv("FLIPDEPLOY_SEARCH")
	sets := small
	if only != "" {
		sets = append(small, large...)
	}
	for _, set := range sets {
		if only == "" || only == "all" || slices.Contains(strings.Split(only, ","), set.name) {
			t.Run(set.name, func(t *testing.T) { searched(t, set) })
		}
	}
}

func searched(t *testing.T, set faultSet) {
	q := walked(t, set)
	if q.unlike > 0 {
		q = walked(t, set) // which of two goroutines asks first is, rarely, left to chance: not twice
	}
	if q.astray > 0 || q.unlike > 0 {
		t.Errorf("%d runs went astray, %d states were taken for others", q.astray, q.unlike)
	}
	if len(q.found) > 0 {
		t.Error(strings.Join(q.found, "\n"))
	}
}

func walked(t *testing.T, set faultSet) *search {
	q := &search{set: set, mutant: rulesOf(t, os.Getenv("FLIPDEPLOY_RULES")), limit: number("FLIPDEPLOY_SEARCH_STATES")}
	began := time.Now()
	q.all(t)
	t.Logf("%s | %.1f s |", q, time.Since(began).Seconds())
	return q
}

// number is what a variable of the environment says, 0 when nothing.
func number(name string) int {
	n, _ := strconv.Atoi(os.Getenv(name))
	return n
}
