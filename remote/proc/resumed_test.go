package proc

import (
	"context"
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
