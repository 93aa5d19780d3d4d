package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
)

const (
	inEtcd  = "etcd cdf8 /flipdeploy 10.0.0.5:2379"
	stays   = "shop: its state is kept on the balancers, says edge1, and not in etcd"
	movedTo = "shop: its state is kept elsewhere, says edge1: " + inEtcd

	hintStays = `bring it there with "flipdeploy move etcd", or leave state.store out of the inventory`
	hintMoved = `name that store in state.store; from there "flipdeploy move balancers" brings it back`
)

// What was never kept anywhere is kept where the first run looks for it; from then on
// whoever looks on the balancer is refused, before and under the lock.
func TestStateIsKeptInOnePlace(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		keptThere(t, s, inEtcd, false, false)
		equal(t, exists(filepath.Join(s.dir, "shop", "store")), false)
		keptThere(t, s, inEtcd, true, false)
		equal(t, read(t, filepath.Join(s.dir, "shop", "store")), inEtcd+"\n")
		keptThere(t, s, inEtcd, true, true)
		keptThere(t, s, "etcd cdf8 /flipdeploy 10.0.0.6:2379", false, true) // another way to the same
		for _, other := range []string{"etcd cdf /flipdeploy 10.0.0.5:2379", "etcd cdf8 /flip 10.0.0.5:2379"} {
			says(t, notKept(t, s, other, true), movedTo, "FD-STATE-MOVED", hintMoved)
		}

		_, _, err := Acquire(t.Context(), []*Store{s}, ana)
		says(t, err, movedTo, "FD-STATE-MOVED", hintMoved)
		_, err = s.Sight(t.Context())
		says(t, err, movedTo, "FD-STATE-MOVED", hintMoved)
		_, err = s.Journals(t.Context())
		says(t, err, movedTo, "FD-STATE-MOVED", hintMoved)
		_, err = s.Freeze(t.Context(), Freeze{Reason: "r"})
		says(t, err, movedTo, "FD-STATE-MOVED", hintMoved)
		_, err = s.Pause(t.Context(), "bob", ana.Since)
		says(t, err, movedTo, "FD-STATE-MOVED", hintMoved)
		epoch, err := Raise(t.Context(), []*Store{s}) // the fence is the balancer's own
		ok(t, err)
		says(t, s.Append(t.Context(), epoch, record("r1", "plan")), movedTo, "FD-STATE-MOVED", hintMoved)
	})
}

func keptThere(t *testing.T, s *Store, line string, take, want bool) {
	t.Helper()
	got, err := s.KeptIn(t.Context(), line, take)
	ok(t, err)
	equal(t, got, want)
}

func notKept(t *testing.T, s *Store, line string, take bool) error {
	t.Helper()
	_, err := s.KeptIn(t.Context(), line, take)
	return err
}

func record(rollout, kind string) deploy.Record { return deploy.Record{Rollout: rollout, Kind: kind} }

// State that lies on a balancer is not left behind by itself, a run that holds the lock
// there neither.
func TestStateOnTheBalancerStaysUntilItIsMoved(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		_, l := acquire(t, s, ana, Terms{})
		says(t, notKept(t, s, inEtcd, true), stays, "FD-STATE-MOVED", hintStays)
		ok(t, s.Append(t.Context(), 7, record("r1", "plan")))
		l.Release()
		for _, take := range []bool{false, true} {
			says(t, notKept(t, s, inEtcd, take), stays, "FD-STATE-MOVED", hintStays)
		}

		mover := s.Moving()
		_, l = acquire(t, mover, bob, Terms{})
		says(t, mover.Move(t.Context(), 6, inEtcd), "edge1: fenced: the fence is at epoch 7, this run is epoch 6", "FD-FENCED", hintFenced)
		ok(t, mover.Move(t.Context(), 7, inEtcd))
		l.Release()
		keptThere(t, s, inEtcd, true, true) // the journal that stayed there, too, is of the past
		_, err := s.Sight(t.Context())
		says(t, err, movedTo, "FD-STATE-MOVED", hintMoved)

		_, l = acquire(t, mover, bob, Terms{})
		all, err := mover.Journals(t.Context())
		ok(t, err)
		equal(t, len(all), 1)
		ok(t, mover.Move(t.Context(), 7, ""))
		l.Release()
		equal(t, sight(t, s), Sight{})
		says(t, notKept(t, s, inEtcd, true), stays, "FD-STATE-MOVED", hintStays)
	})
}

// A file that somebody wrote is not taken for a command.
func TestAStrangeStoreFileIsOnlyShown(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		write(t, filepath.Join(s.dir, "shop", "store"), "$(reboot) `x` * \x1b[31m"+strings.Repeat("y", 1000)+"\nsecond")
		_, err := s.Sight(t.Context())
		if !strings.HasPrefix(err.Error(), "shop: its state is kept elsewhere, says edge1: $(reboot) `x` * ?[31myyy") || len(err.Error()) > 400 {
			t.Error(err)
		}
		_, _, err = Acquire(t.Context(), []*Store{s}, ana)
		if !strings.Contains(err.Error(), "kept elsewhere") {
			t.Error(err)
		}
		ok(t, os.Remove(filepath.Join(s.dir, "shop", "store")))
	})
}

// A move that died between two balancers: nobody begins anything until one that moves, either
// way, has ended it.
func TestWhatIsHalfMovedIsRefusedEverywhere(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		one, two := raised(t, m, t.TempDir(), "shop", 7), raised(t, m, t.TempDir(), "shop", 7)
		for _, s := range []*Store{one, two} {
			ok(t, s.Append(t.Context(), 7, record("r1", "plan")))
		}
		ok(t, one.Moving().Move(t.Context(), 7, inEtcd))

		_, _, err := Acquire(t.Context(), []*Store{one, two}, ana)
		says(t, err, movedTo, "FD-STATE-MOVED", hintMoved)
		_, _, err = Acquire(t.Context(), []*Store{two, one}, ana)
		says(t, err, movedTo, "FD-STATE-MOVED", hintMoved)
		keptThere(t, one, inEtcd, true, true)
		says(t, notKept(t, two, inEtcd, true), stays, "FD-STATE-MOVED", hintStays)

		_, l, err := Acquire(t.Context(), []*Store{one.Moving(), two.Moving()}, bob)
		ok(t, err)
		ok(t, two.Moving().Move(t.Context(), 7, inEtcd))
		l.Release()
		keptThere(t, two, inEtcd, true, true)
	})
}
