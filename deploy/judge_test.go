package deploy

import (
	"fmt"
	"math"
	"testing"
)

func TestTheJudgeSays(t *testing.T) {
	for _, c := range []struct {
		name      string
		host, old Tally
		risk      float64
		want      string
	}{
		{"3 % of 5xx", Tally{300, 9}, Tally{2700, 2}, once, "fail: 9 of 300 requests failed, 2 of 2700 on the old release (p = 4.1e-08)"},
		{"3 % beside one old host", Tally{300, 9}, Tally{300, 0}, once, "fail: 9 of 300 requests failed, 0 of 300 on the old release (p = 0.0018)"},
		{"the same, looked at often", Tally{300, 9}, Tally{300, 0}, often, "pass: 9 of 300 requests failed, 0 of 300 on the old release; more than 5.2 % failing is excluded"},
		{"0.1 %", Tally{1000, 1}, Tally{2000, 0}, once, "pass: 1 of 1000 requests failed, 0 of 2000 on the old release; more than 0.47 % failing is excluded"},
		{"both are as bad", Tally{400, 20}, Tally{800, 41}, once, "pass: 20 of 400 requests failed, 41 of 800 on the old release; more than 7.2 % failing is excluded"},
		{"two errors are anybody's", Tally{200, 2}, Tally{100000, 0}, once, "pass: 2 of 200 requests failed, 0 of 100000 on the old release; more than 3.1 % failing is excluded"},
		{"too small a difference", Tally{100000, 150}, Tally{1000000, 0}, once, "pass: 150 of 100000 requests failed, 0 of 1000000 on the old release; more than 0.17 % failing is excluded"},
		{"bad enough to need no more", Tally{20, 10}, Tally{40, 0}, once, "fail: 10 of 20 requests failed, 0 of 40 on the old release (p = 2.5e-06)"},
		{"no request at all", Tally{}, Tally{}, once, "inconclusive: no request was counted"},
		{"none to the host", Tally{}, Tally{500, 0}, once, "inconclusive: no request was counted"},
		{"too few", Tally{199, 0}, Tally{5000, 0}, once, "inconclusive: 0 of 199 requests failed, 0 of 5000 on the old release: 200 to each are needed"},
		{"too few to compare with", Tally{5000, 0}, Tally{7, 0}, once, "inconclusive: 0 of 5000 requests failed, 0 of 7 on the old release: 200 to each are needed"},
		{"no old host is left", Tally{500, 1}, Tally{}, once, "inconclusive: 1 of 500 requests failed, and no host on the old release to compare with"},
		{"nor needs to be", Tally{500, 400}, Tally{}, once, "fail: 400 of 500 requests failed"},
		{"all of them", Tally{200, 200}, Tally{200, 200}, once, "pass: 200 of 200 requests failed, 200 of 200 on the old release; more than 100 % failing is excluded"},
	} {
		v, said := Say(c.host, c.old, 200, c.risk)
		want(t, c.name, string(v)+": "+said, c.want)
	}
}

// Fisher's own example, and one that a rounding error would show.
func TestFisher(t *testing.T) {
	for _, c := range []struct {
		host, old Tally
		want      float64
	}{
		{Tally{4, 4}, Tally{4, 0}, 1.0 / 70},
		{Tally{4, 3}, Tally{4, 1}, 17.0 / 70},
		{Tally{4, 0}, Tally{4, 4}, 1},
		{Tally{10, 0}, Tally{10, 0}, 1},
		{Tally{3, 3}, Tally{0, 0}, 1},
		{Tally{1000000, 0}, Tally{9000000, 50}, 1},
	} {
		if p := fisher(c.host, c.old); math.Abs(p-c.want) > 1e-9 {
			t.Errorf("%v against %v: %g, want %g", c.host, c.old, p, c.want)
		}
	}
}

// The figures that the README has: beside nine old hosts that fail once in a thousand.
func TestWhatTheJudgeFinds(t *testing.T) {
	for _, c := range []struct {
		n    int64
		rate float64
		want string
	}{{50, 0.05, "0.46"}, {100, 0.05, "0.87"}, {200, 0.05, "1.00"}, {200, 0.02, "0.71"}, {200, 0.01, "0.27"}, {1000, 0.01, "0.91"}} {
		want(t, fmt.Sprintf("%d requests at %g", c.n, c.rate), fmt.Sprintf("%.2f", power(c.n, c.rate)), c.want)
	}
}

// power is how often a host that fails at rate is found.
func power(n int64, rate float64) (p float64) {
	chance := func(k, n int64, rate float64) float64 {
		return math.Exp(choose(n, k) + float64(k)*math.Log(rate) + float64(n-k)*math.Log1p(-rate))
	}
	for k := int64(leastErrors); k < min(n, 40); k++ {
		for l := range int64(20) {
			host, old := Tally{n, k}, Tally{9 * n, l}
			if share(host)-share(old) >= leastExcess && fisher(host, old) < once {
				p += chance(k, n, rate) * chance(l, 9*n, 0.001)
			}
		}
	}
	return p
}

func TestWhatAPassExcludes(t *testing.T) {
	for _, c := range []struct {
		t    Tally
		want string
	}{{Tally{300, 0}, "0.99 %"}, {Tally{3000, 0}, "0.1 %"}, {Tally{3000, 3}, "0.26 %"}, {Tally{100, 20}, "28 %"}, {Tally{1, 0}, "95 %"}} {
		want(t, fmt.Sprint(c.t), percent(Excluded(c.t)), c.want)
	}
}
