package state

import (
	"path/filepath"
	"testing"
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
