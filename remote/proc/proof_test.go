package proc

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Python's master and a worker, which are in release v1.
const (
	pyMaster = "listen 10\nproc 10 1 100 S 0\nexe 10 /usr/bin/python3\nino 10 9:9\nin 10 v1\n"
	pyWorker = "listen 11\nproc 11 10 101 S 0\nexe 11 /usr/bin/python3\nino 11 9:9\nin 11 v1\n"
)

// gunicorn --preload changes its directory on HUP and starts workers with the old code.
func TestTheDirectoryOfACopyIsNoProof(t *testing.T) {
	const want = "proof: the workers of pid 10 are copies of it: their directory does not tell what code they have"
	probe := func(context.Context) (string, error) { return "v1", nil }
	for _, c := range []struct {
		name, text, want string
		cfg              Config
	}{
		{"workers", pyMaster + pyWorker, want, Config{Kind: MasterWorker}},
		{"any kind", pyMaster + pyWorker, want, Config{}},
		{"it is asked", pyMaster + pyWorker, "", Config{Kind: MasterWorker, VersionProbe: probe}},
		{"it is started anew", pyMaster + pyWorker, "", Config{Method: Restart}},
		{"a new master", pyMaster + pyWorker, "", Config{Kind: ChildTakeover}},
		{"no workers", pyMaster, "", Config{}},
		{"a program of its own", listens + old + "listen 20\n" + child, "", Config{Kind: MasterWorker}},
	} {
		base := testConfig()
		c.cfg.Port, c.cfg.ReleasesDir, c.cfg.EntryOf = base.Port, base.ReleasesDir, base.EntryOf
		a := New(c.cfg, nil)
		f := look(t, &a.cfg, c.text)
		s, err := a.cfg.locate(f)
		must(t, err)
		got := ""
		if err := a.checkProof(f, s); err != nil {
			wantCode(t, err, "FD-PROOF-IMPOSSIBLE")
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// An earlier run may have ended between the start of the new one and the end of the old.
func TestSeveralOfTwoReleasesAreNone(t *testing.T) {
	cfg := testConfig()
	cfg.Several = true
	f := look(t, cfg, listens+newcome+old+orphan)
	s, err := cfg.locate(f)
	must(t, err)
	if r := cfg.running(f, s); r.Release != "?" {
		t.Errorf("release %s", r.Release)
	}
}

// Of workers that only their word tells the release of, each is heard.
func TestAWorkerThatStayedOldIsHeard(t *testing.T) {
	for _, said := range [][]string{{"v2", "v2", "v2", "v2", "v2", "v1"}, {"v2"}} {
		asked := 0
		cfg := testConfig()
		cfg.Kind, cfg.Workers, cfg.Foreign = MasterWorker, Children, true
		cfg.VersionProbe = func(context.Context) (string, error) { asked++; return said[(asked-1)%len(said)], nil }
		text := listens + "proc 10 1 100 S 0\nexe 10 /usr/bin/node\n"
		for _, pid := range []string{"11", "12", "13", "14", "15", "16"} {
			text += "proc " + pid + " 10 1" + pid + " S 0\nexe " + pid + " /usr/bin/node\n"
		}
		a := New(*cfg, nil)
		f := look(t, cfg, text)
		s, err := cfg.locate(f)
		must(t, err)
		all := len(said) == 1
		want := map[bool]string{true: "v2", false: "?"}[all]
		if r := a.told(t.Context(), f, s, cfg.running(f, s)); r.Release != want {
			t.Errorf("release %s, want %s", r.Release, want)
		}
		asked = 0
		if got := a.proven(t.Context(), f, "v2"); got != all {
			t.Errorf("proven %v, by %d answers", got, asked)
		}
	}
}

func TestADanceThatBringsAnotherReleaseSaysSo(t *testing.T) {
	t.Parallel()
	h := kindHost(t, "dance", func(c *Config) { c.Kind, c.Steps, c.Back = ChildTakeover, upgrade, upgradeBack })
	h.cfg.Timeout = 4 * time.Second
	a := h.up("v1", "")
	h.release("v2", "") // current was not flipped: v1 is executed again
	err := a.Reload(t.Context(), "v2")
	wantCode(t, err, "FD-TAKEOVER-WRONG-RELEASE")
	if got, want := err.Error(), "takeover: the new process runs v1, not v2"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	must(t, a.Restore(t.Context(), "v1"))
}

// A master that stays is in the release that it was started from, for ever.
func TestAReleaseIsInUseWhileAnyProcessIsInIt(t *testing.T) {
	t.Parallel()
	h := kindHost(t, "prefork", func(c *Config) { c.Kind = MasterWorker })
	a := h.up("v1", "")
	for _, id := range []string{"v2", "v3"} {
		h.release(id, "")
		h.flip(id)
		must(t, a.Reload(t.Context(), id))
		must(t, a.Settled(t.Context(), id))
	}
	got, err := a.InUse(t.Context())
	must(t, err)
	if want := []string{"v1", "v3"}; !slices.Equal(got, want) {
		t.Errorf("in use %v, want %v", got, want)
	}
}

// metered counts the scripts that a host was asked to run.
type metered struct {
	Runner
	scripts int
}

func (c *metered) Run(ctx context.Context, script string) ([]byte, error) {
	c.scripts++
	return c.Runner.Run(ctx, script)
}

func TestALookThatWasJustMadeTellsWhatIsInUse(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.up("v1", "")
	on := &metered{Runner: local{}}
	a := New(h.cfg, on)
	_, err := a.Running(t.Context())
	must(t, err)
	for _, c := range []struct {
		why     string
		since   func()
		scripts int
	}{
		{"nothing was done since", func() {}, 1},
		{"it was not used up", func() {}, 1},
		{"it is old", func() { a.looked = a.looked.Add(-inUseFor) }, 2},
		{"something was done since", func() { _, err := a.act(t.Context(), ":", map[string]string{}); must(t, err) }, 4},
	} {
		c.since()
		got, err := a.InUse(t.Context())
		must(t, err)
		if on.scripts != c.scripts || !slices.Equal(got, []string{"v1"}) {
			t.Errorf("%s: in use %v by %d scripts, want %d", c.why, got, on.scripts, c.scripts)
		}
	}
}

// It is to end: that it has no handler is no fault.
func TestAnAppThatIsReplacedByAnotherNeedsNoHandler(t *testing.T) {
	deaf := &process{pid: 10, uid: 0, exe: "/usr/bin/node"}
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{Signal: "TERM", Steps: secondFirst}, ""},
		{Config{Signal: "USR2", Steps: upgrade}, "FD-SIGNAL-KILLS"},
		{Config{Signal: "HUP"}, "FD-SIGNAL-KILLS"},
	} {
		if err := New(c.cfg, nil).heard(t.Context(), deaf); codeOf(err) != c.want {
			t.Errorf("%s: %v, want %q", c.cfg.Signal, err, c.want)
		}
	}
}

// What libraries leave in the environment would have a fresh start take itself for a child.
func TestAFreshStartHasNoMarksOfATakeover(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	marks := []string{"TABLEFLIP_HAS_PARENT_7DIU3=yes", "LISTEN_FDS=1", "LISTEN_FD_3=x", "LISTEN_PID=1", "TEMPORARY_CHILD=1",
		"TEMPORARY_CHILD_PID=2", "ENDLESS_CONTINUE=1", "ENDLESS_SOCKET_ORDER=:80", "OVERSEER_FD=1", "OVERSEER_IS_SLAVE=1"}
	must(t, os.MkdirAll(h.path("releases"), 0o755))
	h.cfg.Start = []string{"sh", "-c", "env >env; echo >done"}
	a := New(h.cfg, local{env: append(slices.Clone(marks), "KEPT=1")})
	must(t, a.command(t.Context(), h.cfg.Start, "start"))
	for range 500 {
		if _, err := os.Stat(h.path("done")); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	text, err := os.ReadFile(h.path("env"))
	must(t, err)
	for _, mark := range marks {
		if strings.Contains("\n"+string(text), "\n"+mark+"\n") {
			t.Errorf("%s is left", mark)
		}
	}
	wantLine(t, strings.Split(string(text), "\n"), "KEPT=1")
}
