package proc

import (
	"context"
	"fmt"
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
	for end := time.Now().Add(5 * time.Second); len(h.processes()) < 2 && time.Now().Before(end); {
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

// killed has a run that takes v2 over end with one of its acts.
func (h *host) killed(acts int) {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	if err := New(h.cfg, &mortal{left: acts, end: cancel}).Reload(ctx, "v2"); ctx.Err() == nil {
		h.t.Fatalf("it was to end in the middle: %v", err)
	}
}

func TestADanceOfAnEarlierRunIsGoneOnWithOrUndoneFromEachStep(t *testing.T) {
	for acts := range len(upgrade) {
		for _, id := range []string{"v2", "v1"} {
			t.Run(fmt.Sprintf("%d acts, then %s", acts+1, id), func(t *testing.T) {
				t.Parallel()
				h := kindHost(t, "dance", func(c *Config) { c.Kind, c.Steps, c.Back = ChildTakeover, upgrade, upgradeBack })
				h.up("v1", "")
				h.release("v2", "")
				h.flip("v2")
				h.killed(acts + 1)
				time.Sleep(time.Duration(acts+1) * 300 * time.Millisecond)
				h.cfg.Start = nil // nothing can be started over
				a := h.app()
				if id == "v1" {
					h.flip("v1")
					must(t, a.Restore(t.Context(), "v1"))
				} else if r, err := a.Running(t.Context()); err != nil || r.Release != "v2" {
					must(t, a.Reload(t.Context(), "v2"))
				}
				must(t, a.Settled(t.Context(), id))
				if p := h.processes(); len(p) != 3 || h.version() != id {
					t.Errorf("processes %v, version %q", p, h.version())
				}
			})
		}
	}
}

func TestWhatAnEarlierRunAskedForIsNotAskedForAgain(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Kind = ChildTakeover
	h.up("v1", "")
	h.release("v2", "slow")
	h.flip("v2")
	h.killed(1)
	for len(h.processes()) < 2 {
		time.Sleep(10 * time.Millisecond)
	}
	m := &mortal{}
	a := New(h.cfg, m)
	must(t, a.Reload(t.Context(), "v2"))
	if m.left != 0 {
		t.Errorf("%d acts, want none", -m.left)
	}
	wantAlone(t, h, a, "v2")
}

func TestAMasterWithItsWorkersIsNoTakeover(t *testing.T) {
	for kind, want := range map[Kind]bool{ChildTakeover: true, SamePID: true, AnyKind: false, MasterWorker: false, ReplaceAll: false} {
		cfg := testConfig()
		cfg.Kind = kind
		f := look(t, cfg, "listen 10\nlisten 20\n"+old+child)
		if got := New(*cfg, nil).isUnderWay(f, "v2"); got != want {
			t.Errorf("%q: %v, want %v", kind, got, want)
		}
	}
}
