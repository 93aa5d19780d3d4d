package state

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
)

func TestRaiseFencesEveryBalancerAboveTheHighestOfAll(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		a, b := m.store(t, t.TempDir(), "shop"), m.store(t, t.TempDir(), "shop")
		write(t, filepath.Join(b.dir, "shop", "fence"), "41\n")
		for want, floor := range map[int64][]int64{42: nil} {
			got, err := Raise(t.Context(), []*Store{a, b}, floor...)
			ok(t, err)
			equal(t, got, want)
		}
		got, err := Raise(t.Context(), []*Store{a, b}, 99, 5)
		ok(t, err)
		equal(t, got, 100)
		for _, s := range []*Store{a, b} {
			f, err := s.Fence(t.Context())
			ok(t, err)
			equal(t, f, 100)
		}
		other := m.store(t, a.dir, "blog")
		f, err := other.Fence(t.Context())
		ok(t, err)
		equal(t, f, 0)
	})
}

func TestAFenceThatIsNoNumberIsNotRaised(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		file := filepath.Join(s.dir, "shop", "fence")
		write(t, file, "x7 $(id)\n")
		_, err := Raise(t.Context(), []*Store{s})
		says(t, err, "edge1: state: read the fence: it holds x7, not an epoch", "FD-FENCE-UNREADABLE", "look at "+file+" on edge1")
		equal(t, read(t, file), "x7 $(id)\n")
	})
}

func TestAFenceNeverFalls(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		for _, epoch := range []int64{6, 7} {
			_, err := s.ask(t.Context(), "raise the fence", "raise", claimant{epoch: epoch}, epoch)
			equal(t, err != nil, true)
		}
		equal(t, read(t, filepath.Join(s.dir, "shop", "fence")), "7\n")
	})
}

// What a run has given up may be under way for as long as its machine is frozen.
func TestWhatWasGivenUpTakesNoEffect(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		now := &sentWith{Runner: m}
		s.run = now
		_, err := do(t, s, 7, nil, "true") // before any turn
		ok(t, err)
		ok(t, s.Turn(t.Context(), 7, 1))
		ok(t, s.Turn(t.Context(), 7, 2))
		ok(t, s.Turn(t.Context(), 7, 2)) // its answer was lost
		says(t, s.Turn(t.Context(), 7, 1), "edge1: state: shut out what was given up: the run went on without this call, and it did nothing", "FD-GIVEN-UP", hintStatus)

		now.turns = []int64{0, 1, 0}
		_, err = do(t, s, 7, nil, "echo DONE >"+filepath.Join(s.dir, "late"))
		says(t, err, "edge1: state: act: the run went on without this call, and it did nothing", "FD-GIVEN-UP", hintStatus)
		equal(t, exists(filepath.Join(s.dir, "late")), false)

		now.turns = []int64{1, 2} // another call was given up meanwhile: this one is sent again
		out, err := do(t, s, 7, nil, "echo done")
		ok(t, err)
		equal(t, out, "done\n")
		ok(t, NewBook([]*Store{s}, 7).Append(t.Context(), deploy.Record{Rollout: r1, Kind: "note"})) // no act

		equal(t, s.Turn(t.Context(), 6, 9) != nil, true)
		_, err = Raise(t.Context(), []*Store{s})
		ok(t, err)
		_, err = do(t, s, 8, nil, "true") // the next run begins anew
		ok(t, err)
	})
}

// sentWith has scripts begin as they do when they are sent with a turn.
type sentWith struct {
	Runner
	turns []int64
}

func (r *sentWith) Run(ctx context.Context, script string) ([]byte, error) {
	if len(r.turns) > 0 {
		script = fmt.Sprintf("fd_turn=%d\n", r.turns[0]) + script
		r.turns = r.turns[1:]
	}
	return r.Runner.Run(ctx, script)
}
