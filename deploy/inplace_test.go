package deploy

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// inPlaceRun is a rollout over three hosts of which web3 is out by hand and is to be
// changed all the same.
func inPlaceRun(s *sim, w Wish) *Rollout {
	s.hosts["web3"].hand = true
	for _, lb := range s.lbs {
		lb.state["web3"] = StateMaint
	}
	r := s.rollout(v2, w)
	r.Plan.Hosts[2].InPlace = true
	return r
}

func TestAHostThatIsOutIsChangedInPlaceAndStaysOut(t *testing.T) {
	s := newSim(3, 2, v1)
	var res Result
	synctest.Test(t, func(*testing.T) {
		res = inPlaceRun(s, wish(1)).Run(context.Background(), context.Background())
	})
	want(t, "outcome", string(res.Outcome), "done")
	want(t, "web3", string(res.Hosts["web3"].Phase)+" "+res.Hosts["web3"].Release, "left_out "+v2)
	want(t, "fleet", s.summary(), "web1 v2/v2 ready; web2 v2/v2 ready; web3 v2/v2 maint")
}

func TestAHostThatFailsInPlaceIsUndoneAndStaysOut(t *testing.T) {
	s := newSim(3, 1, v1)
	s.hosts["web3"].healthy[v2] = false
	var res Result
	synctest.Test(t, func(*testing.T) {
		res = inPlaceRun(s, wish(1)).Run(context.Background(), context.Background())
	})
	want(t, "outcome", string(res.Outcome), "rolled_back")
	want(t, "fleet", s.summary(), "web1 v1/v1 ready; web2 v1/v1 ready; web3 v1/v1 maint")
}

// Cut off at any moment and then rolled back: web3 is as it was, too, and out.
func TestAnyEndOfAChangeInPlaceCanBeSettled(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newSim(3, rapid.IntRange(1, 2).Draw(rt, "balancers"), v1)
		at := time.Duration(rapid.IntRange(0, 12000).Draw(rt, "at")) * time.Millisecond
		synctest.Test(t, func(*testing.T) {
			r := inPlaceRun(s, wish(1))
			lock, cancel := context.WithTimeout(context.Background(), at)
			defer cancel()
			r.Run(lock, context.Background())
			if last := s.records[len(s.records)-1]; last.Kind == "end" {
				return
			}
			survey, err := Look(context.Background(), r.Hosts, r.Balancers)
			if err != nil {
				rt.Fatal(err)
			}
			for _, lb := range s.lbs {
				for h := range lb.mark {
					if survey.InRotation(h) {
						delete(lb.mark, h) // as the next run does
					}
				}
			}
			back := *r
			back.Direction, back.Start = Back, survey.Resume(r.Plan)
			if res := back.Run(context.Background(), context.Background()); res.Outcome != OutcomeDone {
				rt.Errorf("settled as %s: %s", res.Outcome, res.Error)
			}
			if got := s.summary(); got != "web1 v1/v1 ready; web2 v1/v1 ready; web3 v1/v1 maint" {
				rt.Error(got)
			}
		})
		for _, b := range s.broken {
			rt.Error(b)
		}
	})
}
