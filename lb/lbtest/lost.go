package lbtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
)

// A deaf runner does not hear the answer of its nth act: it took effect all the same.
type deaf struct {
	lb.Runner
	nth int
}

var errUnheard = errors.New("connection lost")

func (d *deaf) Run(ctx context.Context, script string) ([]byte, error) {
	out, err := d.Runner.Run(ctx, script)
	if d.nth--; d.nth == 0 && err == nil {
		return nil, errUnheard
	}
	return out, err
}

// lostAnswers loses the answer of each act on the way out and back in turn. Whoever asks
// again is not told that it was another's doing.
func lostAnswers(t *testing.T, r *Rig) {
	for nth := 1; ; nth++ {
		d := &deaf{r.Act, nth}
		if !trip(t, r, d) {
			if d.nth > 0 { // there were fewer acts
				return
			}
			t.Fatalf("the answer of act %d was lost, and nobody noticed", nth)
		}
		ctx := Within(t, 10*time.Second)
		if seat(t, r, "web1").State != lb.StateReady && nth%2 == 0 {
			must(t, r.Driver.Ready(ctx, r.Act, "web1", quiet))
		}
		must(t, r.Driver.GiveBack(ctx, r.Act, "web1"))
		wantSeat(t, r, "web1", lb.StateReady, true)
	}
}

// trip takes web1 out and back; lost tells that an answer was missed on the way.
func trip(t *testing.T, r *Rig, act lb.Runner) (lost bool) {
	t.Helper()
	ctx := Within(t, 10*time.Second)
	for _, step := range []func() error{
		func() error { return r.Driver.Claim(ctx, act, "web1", 1) },
		func() error { return r.Driver.Drain(ctx, act, "web1", 1) },
		func() error { return r.Driver.Empty(ctx, act, "web1", quiet) },
		func() error { return r.Driver.Ready(ctx, act, "web1", quiet) },
	} {
		if err := step(); errors.Is(err, errUnheard) {
			return true
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return false
}
