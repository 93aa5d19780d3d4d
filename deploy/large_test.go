package deploy

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
)

// LargeRollout is what is told of a simulated rollout over so many hosts, one in a hundred
// of which fails in one way or another, twentieths of it at a time; and which invariants
// were broken. It turns back, where it is to, once one in two hundred failed.
func LargeRollout(t *testing.T, hosts int, on Failure) (names []string, events []Event, res Result, broken []string) {
	r := rand.New(rand.NewPCG(uint64(hosts), 3))
	s := newSim(hosts, 2, v1)
	for range hosts / 100 {
		h := s.hosts[s.names[1+r.IntN(hosts-1)]]
		switch r.IntN(3) {
		case 0:
			h.healthy[v2] = false
		case 1:
			h.ignores[v2] = true
		case 2:
			h.dies[v2] = true
		}
	}
	w := Wish{Parallel: Amount{N: 5, Percent: true}, Canary: Amount{N: 1}, OnFailure: on, MaxFail: Amount{N: hosts / 200, Set: true}}
	if on == FailContinue {
		w.MaxFail.N = hosts
	}
	synctest.Test(t, func(*testing.T) {
		s.timing = soakTiming
		x := s.rollout(v2, w)
		var mu sync.Mutex
		s.all[0].emit = func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
		}
		for _, n := range s.names {
			x.Emit(Event{Kind: KindHost, Host: n, Phase: Staged, Detail: "v2, 20.0 MB", ElapsedMS: 1000 + int64(r.IntN(9000))})
		}
		res = x.Run(context.Background(), context.Background())
	})
	for _, n := range s.names {
		if ill := s.hosts[n].runs != s.hosts[n].current; ill {
			s.broken = append(s.broken, fmt.Sprintf("%s runs %s, its disk has %s", n, s.hosts[n].runs, s.hosts[n].current))
		}
	}
	return s.names, events, res, s.broken
}
