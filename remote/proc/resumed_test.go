package proc

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// begun is an app on v1 whose takeover by v2, which hangs, was begun by a run that is
// no more.
func begun(t *testing.T) *host {
	t.Helper()
	h := newHost(t)
	h.cfg.Timeout = 2500 * time.Millisecond
	a := h.up("v1", "")
	h.release("v2", "hang")
	h.flip("v2")
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = a.Reload(ctx, "v2")
	}()
	for end := time.Now().Add(30 * time.Second); len(h.processes()) < 2 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	<-gone
	if p := h.processes(); len(p) != 2 {
		t.Fatalf("processes %v, want the old one and one that hangs", p)
	}
	return h
}

func wantAlone(t *testing.T, h *host, a *App, id string) {
	t.Helper()
	must(t, a.Settled(t.Context(), id))
	if p := h.processes(); h.version() != id || len(p) != 1 {
		t.Errorf("version %q, processes %v", h.version(), p)
	}
}

// What an earlier run started might take over at any later time.
func TestAHungProcessOfAnEarlierRunIsEndedByTheUndo(t *testing.T) {
	t.Parallel()
	h := begun(t)
	a := h.app()
	h.flip("v1")
	must(t, a.Restore(t.Context(), "v1"))
	wantAlone(t, h, a, "v1")
}

func TestAHungProcessOfAnEarlierRunIsEndedByTheUndoOfTheNextTry(t *testing.T) {
	t.Parallel()
	h := begun(t)
	a := h.app()
	if err := a.Reload(t.Context(), "v2"); err == nil {
		t.Fatal("v2 cannot have taken over")
	} else {
		t.Log(err)
	}
	h.flip("v1")
	must(t, a.Restore(t.Context(), "v1"))
	wantAlone(t, h, a, "v1")
}

// Another rollout of the same release begins where one was given up: a second trigger makes
// two apps of some systems.
func TestAHungProcessOfAnotherRolloutIsNotJoinedByASecond(t *testing.T) {
	t.Parallel()
	h := begun(t)
	h.cfg.Kind, h.cfg.Rollout = ChildTakeover, func() string { return "another" }
	m := &mortal{}
	a := New(h.cfg, m)
	wantCode(t, a.Reload(t.Context(), "v2"), "FD-TAKEOVER-HUNG")
	if m.left != 0 {
		t.Errorf("%d acts, want none", -m.left)
	}
	h.flip("v1")
	must(t, a.Restore(t.Context(), "v1"))
	wantAlone(t, h, a, "v1")
}

// mortal ends the run that it is for once it has changed something so many times.
type mortal struct {
	local
	left int
	end  context.CancelFunc
}

func (m *mortal) Run(ctx context.Context, script string) ([]byte, error) {
	out, err := m.local.Run(ctx, script)
	if strings.HasPrefix(script, "{") {
		if m.left--; m.left == 0 {
			m.end()
		}
	}
	return out, err
}

// killed has a run that takes a release over end with one of its acts.
func (h *host) killed(acts int, id string) {
	h.t.Helper()
	h.killedOn(local{}, acts, id)
}

func (h *host) killedOn(on local, acts int, id string) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	if err := New(h.cfg, &mortal{local: on, left: acts, end: cancel}).Reload(ctx, id); ctx.Err() == nil {
		h.t.Fatalf("it was to end in the middle: %v", err)
	}
}

func TestADanceOfAnEarlierRunIsGoneOnWithOrUndoneFromEachStep(t *testing.T) {
	for _, k := range kinds {
		if k.as != "dance" && k.as != "reuseport" {
			continue
		}
		steps := kindHost(t, k.as, k.set).cfg.Steps
		for acts := range len(steps) {
			for _, id := range []string{"v2", "v1"} {
				t.Run(fmt.Sprintf("%s, %d acts, then %s", k.as, acts+1, id), func(t *testing.T) {
					t.Parallel()
					h := kindHost(t, k.as, k.set)
					h.up("v1", "")
					h.release("v2", "")
					h.flip("v2")
					h.killed(acts+1, "v2")
					time.Sleep(time.Duration(acts+1) * 300 * time.Millisecond)
					if k.as == "dance" {
						h.cfg.Start = nil // nothing can be started over
					}
					a := h.app()
					if id == "v1" {
						h.flip("v1")
						must(t, a.Restore(t.Context(), "v1"))
					} else if r, err := a.Running(t.Context()); err != nil || r.Release != "v2" {
						must(t, a.Reload(t.Context(), "v2"))
					}
					must(t, a.Settled(t.Context(), id))
					if p := h.processes(); len(p) != k.processes || h.version() != id {
						t.Errorf("processes %v, version %q", p, h.version())
					}
				})
			}
		}
	}
}

func TestWhatAnEarlierRunAskedForIsNotAskedForAgain(t *testing.T) {
	for _, c := range []struct {
		name string
		id   string // v1: the same release once more
		mode string
		set  func(c *Config)
	}{
		{"a child takes over", "v2", "slow", func(c *Config) { c.Kind = ChildTakeover }},
		{"of any kind", "v2", "slow", func(*Config) {}},
		{"the same release", "v1", "slow", func(*Config) {}},
		{"it has taken over", "v1", "", func(*Config) {}},
		{"a command", "v2", "", func(c *Config) {
			c.Method, c.Command = Command, []string{"sh", "-c", `echo >>asks; sleep 1; kill -HUP $(cat pid)`}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.cfg.Timeout = 30 * time.Second
			c.set(&h.cfg)
			h.up("v1", c.mode)
			h.release("v2", c.mode)
			h.flip(c.id)
			old := h.pid()
			h.killed(1, c.id)
			if c.mode == "" && c.id == "v1" {
				for h.pid() == old {
					time.Sleep(10 * time.Millisecond)
				}
			}
			m := &mortal{}
			a := New(h.cfg, m)
			must(t, a.Reload(t.Context(), c.id))
			if m.left != 0 || h.pid() == old {
				t.Errorf("%d acts, want none; pid %d was %d", -m.left, h.pid(), old)
			}
			wantAlone(t, h, a, c.id)
		})
	}
}

func TestAMasterWhoseWorkersAreNewAlreadyIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	h := kindHost(t, "prefork", func(c *Config) { c.Kind = MasterWorker })
	h.up("v1", "")
	before := h.processes()
	h.killed(1, "v1")
	time.Sleep(time.Second)
	m := &mortal{}
	a := New(h.cfg, m)
	must(t, a.Reload(t.Context(), "v1"))
	must(t, a.Settled(t.Context(), "v1"))
	if p := h.processes(); m.left != 0 || len(p) != 3 || slices.Equal(p, before) {
		t.Errorf("%d acts, want none; processes %v, were %v", -m.left, p, before)
	}
}

// dud sends nothing, and ends the run that it is for.
type dud struct {
	local
	end context.CancelFunc
}

func (d *dud) Run(ctx context.Context, script string) ([]byte, error) {
	if strings.HasPrefix(script, "{") {
		d.end()
		script = strings.ReplaceAll(script, "kill -", "true -")
	}
	return d.local.Run(ctx, script)
}

func TestWhatNothingCameOfIsAskedForAgain(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Timeout = 2 * time.Second
	h.up("v1", "")
	h.release("v2", "")
	h.flip("v2")
	ctx, cancel := context.WithCancel(t.Context())
	_ = New(h.cfg, &dud{end: cancel}).Reload(ctx, "v2")
	m := &mortal{}
	a := New(h.cfg, m)
	must(t, a.Reload(t.Context(), "v2"))
	if m.left != -1 {
		t.Errorf("%d acts, want one", -m.left)
	}
	wantAlone(t, h, a, "v2")
}

func TestWhatAnEarlierRunStartsIsNotStartedTwice(t *testing.T) {
	t.Parallel()
	h := kindHost(t, "reuseport", func(c *Config) { c.PIDFile = "" })
	h.cfg.Start = append([]string{"sh", "-c", `sleep 3; exec "$@" >>log 2>&1`, "sh"}, h.kindArgv("reuseport")...)
	h.release("v2", "")
	h.flip("v2")
	h.killed(1, "v2")
	m := &mortal{}
	a := New(h.cfg, m)
	must(t, a.Reload(t.Context(), "v2"))
	time.Sleep(4 * time.Second) // a second one would be up
	if m.left != 0 {
		t.Errorf("%d acts, want none", -m.left)
	}
	wantAlone(t, h, a, "v2")
}

func TestWhatAnEarlierRunStopsIsStarted(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Method = Restart
	h.cfg.Stop = []string{"sh", "-c", `kill $(cat pid); sleep 1.5; echo exit; exit 1`}
	h.up("v1", "")
	h.release("v2", "")
	h.flip("v2")
	h.killed(1, "v2")
	for len(h.processes()) > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	a := h.app()
	must(t, a.Reload(t.Context(), "v2"))
	wantAlone(t, h, a, "v2")
}

// An undo that goes back to the release that hangs, as that of a restart, ends it all the same.
func TestAHungProcessOfARestartIsEndedByTheUndo(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.up("v1", "")
	must(t, os.WriteFile(h.path("releases/v1/mode"), []byte("hang"), 0o644))
	h.killed(1, "v1")
	for len(h.processes()) < 2 {
		time.Sleep(10 * time.Millisecond)
	}
	a := h.app()
	must(t, a.Restore(t.Context(), "v1"))
	wantAlone(t, h, a, "v1")
}
