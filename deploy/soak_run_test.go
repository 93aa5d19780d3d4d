package deploy

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// coverage counts where which blow struck.
type coverage struct {
	at map[string]map[string]int
}

func (v *coverage) count(phase, what string) {
	if v.at[phase] == nil {
		v.at[phase] = map[string]int{}
	}
	v.at[phase][what]++
}

func (v *coverage) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %-12s |", "")
	for _, w := range blows {
		fmt.Fprintf(&b, " %s |", w)
	}
	fmt.Fprintf(&b, "\n|---|%s\n", strings.Repeat("---:|", len(blows)))
	for _, p := range sorted(v.at) {
		fmt.Fprintf(&b, "| %-12s |", p)
		for _, w := range blows {
			fmt.Fprintf(&b, " %*d |", len(w), v.at[p][w])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestSimulatedRollouts lives one story a seed. FLIPDEPLOY_SOAK_N is how many,
// FLIPDEPLOY_SOAK_FOR for how long, FLIPDEPLOY_SOAK_SEED the first seed.
func TestSimulatedRollouts(t *testing.T) {
	n, first := number("FLIPDEPLOY_SOAK_N"), uint64(max(1, number("FLIPDEPLOY_SOAK_SEED")))
	long, _ := time.ParseDuration(os.Getenv("FLIPDEPLOY_SOAK_FOR"))
	if n == 0 && long == 0 {
		n = 2000
	}
	seen := &coverage{map[string]map[string]int{}}
	ends := map[string]int{}
	began, struck, calls, done, bad := time.Now(), 0, 0, 0, 0
	for ; (done < n || n == 0) && (long == 0 || time.Since(began) < long) && bad < 10; done++ {
		y := tale(first + uint64(done))
		k := y.run(t, seen, false)
		calls += k.calls
		if len(y.blows)+len(y.quirks) > 0 {
			struck++
		}
		ends[k.ending()]++
		if len(k.s.broken) > 0 {
			bad++
			t.Error(shrunk(t, y))
		}
		if every := 50000; (done+1)%every == 0 {
			t.Logf("%d rollouts, %d with faults, %d calls, %.0f s, ends %v", done+1, struck, calls, time.Since(began).Seconds(), ends)
		}
	}
	t.Logf("%d simulated rollouts from seed %d, %d of them with faults, %d calls, %d broken, %.0f s, %.0f a second, ends %v\n%s",
		done, first, struck, calls, bad, time.Since(began).Seconds(), float64(done)/time.Since(began).Seconds(), ends, seen)
}

func (k *soaking) ending() string {
	if k.err != nil {
		return "refused"
	}
	return string(or(string(k.res.Outcome), "killed"))
}

// shrunk is the shortest story that breaks the same invariant.
func shrunk(t *testing.T, y story) string {
	var none coverage
	none.at = map[string]map[string]int{}
	broken := y.run(t, &none, false).s.broken
	if len(broken) == 0 {
		return y.String() + ": broken once, and not again"
	}
	what, _, _ := strings.Cut(broken[0], ":")
	still := func(y story) bool {
		k := y.run(t, &none, false)
		return len(k.s.broken) > 0 && strings.HasPrefix(k.s.broken[0], what)
	}
	for again := true; again; {
		again = false
		for _, less := range y.simpler() {
			if still(less) {
				y, again = less, true
				break
			}
		}
	}
	k := y.run(t, &none, true)
	return y.String() + "\n" + strings.Join(k.told, "\n") + "\n" + strings.Join(k.s.broken, "\n")
}

// simpler are stories with one thing less in them.
func (y story) simpler() (all []story) {
	add := func(change func(*story)) {
		less := y
		less.quirks, less.blows, less.ways = slices.Clone(y.quirks), slices.Clone(y.blows), slices.Clone(y.ways)
		change(&less)
		all = append(all, less)
	}
	for i := range y.blows {
		add(func(s *story) { s.blows = slices.Delete(s.blows, i, i+1) })
	}
	for i := range y.quirks {
		add(func(s *story) { s.quirks = slices.Delete(s.quirks, i, i+1) })
	}
	for i := range y.ways {
		add(func(s *story) { s.ways = slices.Delete(s.ways, i, i+1) })
	}
	last := func(s *story) bool {
		return slices.ContainsFunc(s.quirks, func(q quirk) bool { return q.host == s.hosts-1 }) ||
			slices.ContainsFunc(s.blows, func(b blow) bool { return b.host == s.hosts-1 })
	}
	if y.hosts > 1 && !last(&y) {
		add(func(s *story) { s.hosts-- })
	}
	if y.zones > 0 {
		add(func(s *story) { s.zones, s.own = 0, false })
	}
	if y.lbs > 1 {
		add(func(s *story) { s.lbs, s.swappers, s.own = 1, min(1, s.swappers), false })
	}
	if y.swappers > 0 {
		add(func(s *story) { s.swappers = 0 })
	}
	if y.wish.Parallel.N > 1 {
		add(func(s *story) { s.wish.Parallel.N-- })
	}
	if y.wish.Canary.N > 0 {
		add(func(s *story) { s.wish.Canary.N = 0 })
	}
	if y.wish.Bake > 0 {
		add(func(s *story) { s.wish.Bake = 0 })
	}
	if y.wish.MinServing.Set {
		add(func(s *story) { s.wish.MinServing = Amount{} })
	}
	for i := range y.blows { // earlier
		if y.blows[i].at > 1 {
			add(func(s *story) { s.blows[i].at /= 2 })
			add(func(s *story) { s.blows[i].at-- })
		}
	}
	return all
}

// TestLargeFleets rolls out over 10,000 hosts, with a few of them bad. It takes long:
// FLIPDEPLOY_LARGE_N says how many times, FLIPDEPLOY_LARGE_HOSTS over how many hosts.
func TestLargeFleets(t *testing.T) {
	n, hosts := number("FLIPDEPLOY_LARGE_N"), number("FLIPDEPLOY_LARGE_HOSTS")
	switch {
	case n == 0:
		n, hosts = 1, cmp.Or(hosts, 500)
	default:
		hosts = cmp.Or(hosts, 10000)
	}
	first := uint64(max(1, number("FLIPDEPLOY_SOAK_SEED")))
	seen := &coverage{map[string]map[string]int{}}
	ends, calls, broken, began := map[string]int{}, 0, 0, time.Now()
	for seed := first; seed < first+uint64(n); seed++ {
		since := time.Now()
		y := tale(seed).over(hosts)
		k := y.run(t, seen, false)
		if len(k.s.broken) > 0 {
			broken++
			t.Errorf("%s\n%s", y, strings.Join(k.s.broken[:min(5, len(k.s.broken))], "\n"))
		}
		calls += k.calls
		ends[k.ending()]++
		t.Logf("seed %d: %d hosts, %d on the new release, %d calls, %.1f s, %s", seed, hosts, k.on(y.to()), k.calls, time.Since(since).Seconds(), k.ending())
	}
	t.Logf("%d rollouts of %d hosts from seed %d, %d calls, %d broken, %.0f s, ends %v\n%s", n, hosts, first, calls, broken, time.Since(began).Seconds(), ends, seen)
}

// over is the story on a large fleet, twentieths of it at a time. What is wrong with hosts
// or happens to them is anywhere in it, and seldom with the canary.
func (y story) over(hosts int) story {
	each := hosts / y.hosts
	y.hosts, y.wish.Parallel, y.wish.Canary, y.wish.MinServing = hosts, Amount{N: 5, Percent: true}, Amount{N: 1}, Amount{}
	y.own = false
	y.wish.OnFailure, y.wish.NoUndo = []Failure{FailRollback, FailContinue}[y.seed%2], false
	for i := range y.quirks {
		y.quirks[i].host = y.quirks[i].host*each + each/2
	}
	for i := range y.blows { // a host takes some fourteen calls
		y.blows[i].at = y.blows[i].at * each / 3
		y.blows[i].host = y.blows[i].host*each + each/2
	}
	return y
}

// on is how many hosts run a release.
func (k *soaking) on(release string) (n int) {
	for _, h := range k.s.hosts {
		if h.runs == release {
			n++
		}
	}
	return n
}
