package deploy

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestWavesShareOneChange(t *testing.T) {
	for _, c := range []struct{ hosts, parallel, canary, lbs, reloads int }{
		{8, 2, 0, 1, 5}, {8, 2, 1, 1, 6}, {8, 3, 0, 1, 4}, {6, 2, 1, 2, 5}, {3, 1, 1, 1, 4}, {4, 4, 0, 1, 3},
	} {
		t.Run(fmt.Sprintf("%d hosts, %d at a time, canary %d", c.hosts, c.parallel, c.canary), func(t *testing.T) {
			s := newSim(c.hosts, c.lbs, v1)
			s.swappers = 1
			w := wish(c.parallel)
			w.Canary, w.Bake = Amount{N: c.canary}, 2*time.Second
			res := finished(t, s, w)
			want(t, "outcome", string(res.Outcome), "done")
			want(t, "changes", fmt.Sprint(s.reloads), fmt.Sprint(c.reloads))
		})
	}
}

func TestABadReleaseIsUndoneInWaves(t *testing.T) {
	s := newSim(5, 2, v1)
	s.swappers = 1
	s.hosts["web4"].dies[v2] = true
	res := finished(t, s, wish(2))
	want(t, "outcome", string(res.Outcome), "rolled_back")
	want(t, "fleet", s.summary(), "web1 v1/v1 ready; web2 v1/v1 ready; web3 v1/v1 ready; web4 v1/v1 ready; web5 v1/v1 ready")
}

func TestABalancerThatTakesNoChangePausesTheRun(t *testing.T) {
	s := newSim(4, 1, v1)
	s.swappers = 1
	s.faults = func(op, host string) simFault {
		if op == "swap" && strings.HasPrefix(host, "web1") && s.hosts["web1"].runs == v2 {
			return failsBefore
		}
		return fine
	}
	res := finished(t, s, wish(1))
	want(t, "outcome", string(res.Outcome), "paused")
	want(t, "web1", string(res.Hosts["web1"].Phase), "failed")
	want(t, "fleet", s.summary(), "web1 v2/v2 maintus; web2 v1/v1 ready; web3 v1/v1 ready; web4 v1/v1 ready")
}
