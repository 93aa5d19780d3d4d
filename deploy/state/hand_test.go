package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func sight(t *testing.T, s *Store) Sight {
	t.Helper()
	saw, err := s.Sight(t.Context())
	ok(t, err)
	return saw
}

func TestSightTellsWhoHoldsTheLeaseAndTakesNothing(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := New("edge1", filepath.Join(t.TempDir(), "none"), "shop", m, m, false)
		equal(t, sight(t, s), Sight{}) // not even the directory is there
		if exists(s.dir) {
			t.Error("the look made the state directory")
		}
		s = m.store(t, t.TempDir(), "shop")
		equal(t, sight(t, s), Sight{})
		_, l := acquire(t, s, ana, Terms{})
		if saw := sight(t, s); saw.Holder == nil || *saw.Holder != ana || saw.Freeze != nil {
			t.Errorf("saw %+v", saw)
		}
		l.Release()
		write(t, filepath.Join(s.dir, "shop", "holder"), ana.Line()) // a run that was killed leaves it
		equal(t, sight(t, s), Sight{})
	})
}

func TestOneFreezeStaysUntilItIsLifted(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		eve := Freeze{Reason: `it's "black" friday $(reboot)`, Who: "eve@desk", Since: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)}
		was, err := s.Freeze(t.Context(), eve)
		ok(t, err)
		if was != nil {
			t.Errorf("frozen before by %+v", was)
		}
		saw := sight(t, s)
		if f := saw.Freeze; f == nil || f.Reason != eve.Reason || f.Who != eve.Who || !f.Since.Equal(eve.Since) {
			t.Fatalf("saw %+v", saw)
		}
		was, err = s.Freeze(t.Context(), Freeze{Reason: "mine", Who: "bob@laptop"})
		ok(t, err)
		if was == nil || was.Who != "eve@desk" {
			t.Errorf("the freeze of eve was not kept: %+v", was)
		}
		_, _, err = Acquire(t.Context(), []*Store{s}, ana)
		says(t, err, `shop: frozen on edge1 by eve@desk since 2026-11-20T10:00:00Z: it's "black" friday $(reboot)`, "FD-FROZEN", `agree with eve@desk, then "flipdeploy unlock"`)
		ok(t, s.Unfreeze(t.Context(), *saw.Freeze))
		equal(t, sight(t, s), Sight{})
		ok(t, s.Unfreeze(t.Context(), *saw.Freeze))
	})
}

func TestAFreezeThatAnotherWroteMeanwhileIsNotLifted(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		file := filepath.Join(s.dir, "shop", "freeze")
		write(t, file, "do not touch") // by an editor, without a line's end
		saw := sight(t, s)
		write(t, file, "do not touch either\n")
		says(t, s.Unfreeze(t.Context(), *saw.Freeze), "shop: frozen on edge1 by ?: do not touch either", "FD-FROZEN", `agree with ?, then "flipdeploy unlock"`)
		ok(t, s.Unfreeze(t.Context(), *sight(t, s).Freeze))
		if exists(file) {
			t.Error("the freeze is still there")
		}
	})
}

func TestAPauseReachesTheHolderAndEndsWithIt(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := New("edge1", filepath.Join(t.TempDir(), "none"), "shop", m, m, false)
		asked, err := s.Pause(t.Context(), "bob@laptop", time.Now())
		ok(t, err)
		if asked != nil {
			t.Errorf("%+v was asked, where nothing is", asked)
		}
		s = m.store(t, t.TempDir(), "shop")
		file := filepath.Join(s.dir, "shop", "pause")
		asked, err = s.Pause(t.Context(), "bob@laptop", time.Now())
		ok(t, err)
		if asked != nil || exists(file) {
			t.Fatalf("nobody runs, and %+v was asked", asked)
		}
		write(t, file, "meant for a run that was killed")
		_, l := acquire(t, s, ana, Terms{Beat: 20 * time.Millisecond})
		select {
		case <-l.Paused():
			t.Fatal("paused by a pause of old")
		case <-time.After(200 * time.Millisecond):
		}
		asked, err = s.Pause(t.Context(), "bob@laptop", time.Now())
		ok(t, err)
		if asked == nil || *asked != ana || !sight(t, s).Pausing {
			t.Errorf("asked %+v", asked)
		}
		select {
		case <-l.Paused():
		case <-time.After(2 * time.Second):
			t.Fatal("the pause was not seen")
		}
		l.Release()
		if exists(file) {
			t.Error("the pause outlived the run")
		}
	})
}

// Prepared says what Prepare would, and leaves no trace.
func TestPreparedOnlyLooks(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		dir := filepath.Join(t.TempDir(), "a", "b")
		s := New("edge1", dir, "shop", m, m, false)
		ok(t, s.Prepared(t.Context()))
		if exists(filepath.Dir(dir)) {
			t.Error("the directory was made")
		}
		ok(t, s.Prepare(t.Context()))
		ok(t, s.Prepared(t.Context()))
		ok(t, os.Chmod(dir, 0o777))
		want := s.Prepare(t.Context())
		if got := s.Prepared(t.Context()); got == nil || want == nil || got.Error() != want.Error() || !strings.Contains(got.Error(), "writable for everybody") {
			t.Errorf("says %v, and Prepare %v", got, want)
		}
	})
}
