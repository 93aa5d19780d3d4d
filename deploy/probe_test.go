package deploy

import (
	"context"
	"fmt"
	"testing"
)

// The receipt is in the journal before the end, and in the result.
func TestTheReceiptOfAProbeIsKept(t *testing.T) {
	s := newSim(2, 1, v1)
	asked := 0
	res := reviewed(t, s, wish(1), func(r *Rollout) {
		r.Probe = func(ctx context.Context) *Probe {
			asked++
			if ctx.Err() != nil {
				t.Error("it need not hurry")
			}
			return &Probe{URL: "http://shop/", Requests: 1842, P99MS: 3}
		}
	})
	want(t, "result", fmt.Sprint(res.Outcome, asked, " ", res.Probe), "done1 0 failed of 1,842 · p99 3 ms")
	last := s.records[len(s.records)-2:]
	want(t, "journal", fmt.Sprint(last[0].Kind, " ", last[0].Probe, ", ", last[1].Kind), "probe 0 failed of 1,842 · p99 3 ms, end")
}

// What clients saw is told, and changes nothing of how the run ended.
func TestAProbeThatFailsChangesNoOutcome(t *testing.T) {
	s := newSim(2, 1, v1)
	res := reviewed(t, s, wish(1), func(r *Rollout) {
		r.Probe = func(context.Context) *Probe { return &Probe{Requests: 2, Failed: 2} }
	})
	want(t, "result", fmt.Sprint(res.Outcome, res.Exit, " ", res.Probe), "done0 2 failed of 2")
}
