package state

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// claimScript is the whole script of a claim with an intent, as a machine gets it.
func claimScript(t *testing.T, s *Store) string {
	t.Helper()
	c := claim(r1, "web1", 1)
	c.Keys = append(c.Keys, Key{"shop", "web1:81"})
	r := s.Act(7, c, deploy.Record{Rollout: r1, Kind: "intent"}).(*actor)
	a, err := r.prepare("touch " + s.dir + "/acted")
	ok(t, err)
	return render("act", s.page(a))
}

// A connection that breaks while the script is sent leaves a shell with a part of it.
func TestAScriptCutShortAnywhereDoesNothing(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := raised(t, m, t.TempDir(), "shop", 7)
		script := claimScript(t, s)
		whole := strings.LastIndex(script, "\n}\n")
		for at := 0; at <= whole; at += 83 {
			_, _ = m.Run(t.Context(), script[:at])
		}
		_, _ = m.Run(t.Context(), script[:whole+1])
		equal(t, exists(s.dir+"/acted"), false)
		equal(t, mark(t, s, "web1"), "")
		_, err := m.Run(t.Context(), script)
		ok(t, err)
		equal(t, mark(t, s, "web1"), r1+" 7 web1 ready ana@ci claimed")
	})
}

// The machine's shell is killed before each line in turn. Marks are whole or not
// there, never without the driver's check, and the same claim again is complete.
func TestAShellKilledBeforeAnyLineLeavesNothingHalf(t *testing.T) {
	m := &machine{path: t.TempDir()}
	ok(t, os.Symlink(need(t, "dash"), filepath.Join(m.path, "sh")))
	base := raised(t, m, t.TempDir(), "shop", 7)
	lines := strings.SplitAfter(claimScript(t, base), "\n")
	killed := 0
	for i := 2; i < len(lines)-2; i++ {
		cut := strings.Join(lines[:i], "") + "kill -9 $$\n" + strings.Join(lines[i:], "")
		if _, after, _ := strings.Cut(cut, "\n"); exec.Command("dash", "-n", "-c", strings.TrimSuffix(after, lines[len(lines)-2])).Run() != nil {
			continue // no place for a command
		}
		s := base
		for _, f := range []string{"acted", "shop/own", "shop/journal"} {
			ok(t, os.RemoveAll(filepath.Join(s.dir, f)))
		}
		ok(t, os.Mkdir(filepath.Join(s.dir, "shop", "own"), 0o755))
		ok(t, os.Mkdir(filepath.Join(s.dir, "shop", "journal"), 0o755))
		if _, err := m.Run(t.Context(), cut); err != nil {
			killed++
		}
		files, err := os.ReadDir(filepath.Join(s.dir, "shop", "own"))
		ok(t, err)
		for _, f := range files {
			if line := read(t, filepath.Join(s.dir, "shop", "own", f.Name())); f.Name() != ".new" && (!strings.HasPrefix(line, r1+" 7 web1 ready ana@ci 2") || !strings.HasSuffix(line, "Z claimed\n")) {
				t.Errorf("killed before %q: half a mark: %q", lines[i], line)
			}
			equal(t, exists(s.dir+"/acted"), true) // no mark without the check
		}
		_, err = m.Run(t.Context(), claimScript(t, base))
		ok(t, err)
		equal(t, mark(t, s, "web1"), r1+" 7 web1 ready ana@ci claimed")
		marks, err := s.Marks(t.Context())
		ok(t, err)
		equal(t, len(marks), 2)
	}
	t.Logf("killed at %d of %d lines", killed, len(lines))
	if killed < 20 {
		t.Errorf("killed at %d lines only", killed)
	}
}
