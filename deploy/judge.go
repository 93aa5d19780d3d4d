package deploy

import (
	"fmt"
	"math"
)

// The judge compares what balancers counted while a host baked: for that host, on the
// new release, and for all hosts on the old one in the same time. It is a pure function.

// A Verdict is what the judge says of a host.
type Verdict string

const (
	VerdictPass  Verdict = "pass"
	VerdictFail  Verdict = "fail"
	VerdictDoubt Verdict = "inconclusive" // too little was seen: never a pass
)

// A Tally is what was counted in the time of a bake.
type Tally struct {
	Requests int64 // tries to have one answered
	Errors   int64 // those that failed: answers of 5xx, broken ones, connections, tries that were repeated
}

func (t Tally) plus(o Tally) Tally { return Tally{t.Requests + o.Requests, t.Errors + o.Errors} }

const (
	leastErrors = 3     // fewer may be anybody's
	leastExcess = 0.005 // a smaller difference stops nobody
	once        = 0.01  // the chance to blame a good release, where it is looked at once
	often       = 0.001 // looked at early, or on every host of a fleet
	mostErrors  = 0.5   // with nothing to compare with
)

// Say judges a host by what was counted for it and for those on the old release. Below
// least requests to either, what is not a fail is no pass. risk is the chance to blame a
// good release.
func Say(host, old Tally, least int64, risk float64) (Verdict, string) {
	excess := share(host) - share(old)
	p := fisher(host, old)
	said := fmt.Sprintf("%d of %d requests failed, %d of %d on the old release", host.Errors, host.Requests, old.Errors, old.Requests)
	switch {
	case host.Errors >= leastErrors && old.Requests > 0 && excess >= leastExcess && p < risk:
		return VerdictFail, fmt.Sprintf("%s (p = %.2g)", said, p)
	case old.Requests == 0 && host.Errors >= 10 && share(host) >= mostErrors:
		return VerdictFail, fmt.Sprintf("%d of %d requests failed", host.Errors, host.Requests)
	case host.Requests == 0:
		return VerdictDoubt, "no request was counted"
	case old.Requests == 0:
		return VerdictDoubt, fmt.Sprintf("%d of %d requests failed, and no host on the old release to compare with", host.Errors, host.Requests)
	case min(host.Requests, old.Requests) < least:
		return VerdictDoubt, fmt.Sprintf("%s: %d to each are needed", said, least)
	}
	return VerdictPass, fmt.Sprintf("%s; more than %s failing is excluded", said, percent(Excluded(host)))
}

func share(t Tally) float64 { return float64(t.Errors) / float64(max(1, t.Requests)) }

func percent(f float64) string {
	if f >= 0.1 {
		return fmt.Sprintf("%.0f %%", 100*f)
	}
	return fmt.Sprintf("%.2g %%", 100*f)
}

// fisher is the one-sided exact test: the chance that so many of the errors, or more,
// fall to the host, were they spread by chance over all requests.
func fisher(host, old Tally) float64 {
	p, errors := 0.0, host.Errors+old.Errors
	for k := host.Errors; k <= min(host.Requests, errors); k++ {
		if errors-k <= old.Requests {
			p += math.Exp(choose(host.Requests, k) + choose(old.Requests, errors-k) - choose(host.Requests+old.Requests, errors))
		}
	}
	return min(p, 1)
}

// choose is the logarithm of n over k.
func choose(n, k int64) float64 { return factorial(n) - factorial(k) - factorial(n-k) }

func factorial(n int64) float64 {
	v, _ := math.Lgamma(float64(n) + 1)
	return v
}

// Excluded is the least rate of failure at which so few are seen once in twenty times:
// that a host passed says that it does not fail more often. Without an error it is about
// 3 in so many requests.
func Excluded(t Tally) float64 {
	low, high := share(t), 1.0
	for range 40 {
		if mid := (low + high) / 2; atMost(t, mid) > 0.05 {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// atMost is the chance of so many errors or fewer at a rate.
func atMost(t Tally, rate float64) float64 {
	p := 0.0
	for k := range t.Errors + 1 {
		p += math.Exp(choose(t.Requests, k) + float64(k)*math.Log(rate) + float64(t.Requests-k)*math.Log1p(-rate))
	}
	return p
}
