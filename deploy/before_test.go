package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// askedFirst is a rollout that asks before each host, and which hosts it asked for.
func askedFirst(t *testing.T, s *sim, w Wish, before func(ctx context.Context, host string) error) (Result, []string) {
	t.Helper()
	var res Result
	var mu sync.Mutex
	var asked []string
	synctest.Test(t, func(t *testing.T) {
		r := s.rollout(v2, w)
		r.Before = func(ctx context.Context, host string) error {
			mu.Lock()
			asked = append(asked, host)
			mu.Unlock()
			return before(ctx, host)
		}
		res = r.Run(context.Background(), context.Background())
	})
	for _, b := range s.broken {
		t.Error(b)
	}
	slices.Sort(asked)
	return res, asked
}

func TestAHostIsAskedForOnceThoughItWaits(t *testing.T) {
	s := newSim(3, 1, v1)
	s.hosts["web3"].runs = "" // down: with it back there is room for the others
	w := wish(2)
	w.Canary, w.MinServing = Amount{}, Amount{N: 2, Set: true}
	res, asked := askedFirst(t, s, w, func(context.Context, string) error { return nil })
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "asked", fmt.Sprint(asked), "[web1 web2 web3]")
}

func TestWhoSaysNoBeforeAHostKeepsItAsItIs(t *testing.T) {
	for _, swappers := range []int{0, 1} {
		s := newSim(3, 1, v1)
		s.swappers = swappers
		res, _ := askedFirst(t, s, wish(1), func(_ context.Context, host string) error {
			if host == "web2" {
				return &Fault{Code_: "FD-HOOK", Err: errors.New("not web2")}
			}
			return nil
		})
		want(t, "outcome", string(res.Outcome), "paused")
		want(t, "error", res.Code+" "+res.Error, "FD-HOOK web2: not web2")
		want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v1/v1 ready; web3 v1/v1 ready")
	}
}

func TestNobodyIsAskedOnTheWayBack(t *testing.T) {
	s := newSim(3, 1, v1)
	s.hosts["web2"].healthy[v2] = false
	res, asked := askedFirst(t, s, wish(1), func(context.Context, string) error { return nil })
	want(t, "outcome", string(res.Outcome), "rolled_back")
	want(t, "asked", fmt.Sprint(asked), "[web1 web2]")
	want(t, "fleet", s.summary(), "web1 v1/v1 ready; web2 v1/v1 ready; web3 v1/v1 ready")
}

// Who is asked when the run is told to stop is told so, and the host stays as it is.
func TestASignalEndsTheQuestion(t *testing.T) {
	s := newSim(2, 1, v1)
	var res Result
	synctest.Test(t, func(t *testing.T) {
		stop, cancel := context.WithCancel(context.Background())
		defer cancel()
		r := s.rollout(v2, wish(1))
		r.Before = func(ctx context.Context, _ string) error {
			time.AfterFunc(time.Second, cancel)
			<-ctx.Done()
			return ctx.Err()
		}
		res = r.Run(context.Background(), stop)
	})
	want(t, "outcome", string(res.Outcome), "interrupted")
	want(t, "fleet", s.summary(), "web1 v1/v1 ready; web2 v1/v1 ready")
}
