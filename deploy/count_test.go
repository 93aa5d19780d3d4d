package deploy

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// Sixty hosts at a time bake, each of which wants to know twice what both balancers counted.
func TestBalancersOfALargeFleetAreAskedOnceForAllThatBake(t *testing.T) {
	s := newSim(300, 2, v1)
	asked := 0
	s.after = func(c *call, _ simFault, _ error) {
		if c.op == "counters" {
			asked++
		}
	}
	var res Result
	synctest.Test(t, func(*testing.T) {
		res = s.rollout(v2, Wish{Parallel: Amount{N: 60}, OnFailure: FailRollback, Bake: 2 * time.Second}).Run(context.Background(), context.Background())
	})
	if res.Outcome != OutcomeDone || len(s.broken) > 0 {
		t.Errorf("%s: %s, %v", res.Outcome, res.Error, s.broken)
	}
	if asked == 0 || asked > 300 { // 1200 when each asks by itself
		t.Errorf("they were asked %d times", asked)
	}
}
