package proc

import (
	"context"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestReloadStartsWhereNothingRuns(t *testing.T) {
	h := newHost(t)
	h.release("v1", "")
	h.flip("v1")
	a := h.app()
	r, err := a.Running(t.Context())
	must(t, err)
	if r.Release != "" {
		t.Fatalf("running before the start: %+v", r)
	}
	must(t, a.Reload(t.Context(), "v1"))
	must(t, a.Settled(t.Context(), "v1"))
	must(t, a.Alive(t.Context(), "v1"))
	r, err = a.Running(t.Context())
	must(t, err)
	if r.Release != "v1" || r.PID != h.pid() || h.version() != "v1" {
		t.Fatalf("running %+v, pid file %d, version %q", r, h.pid(), h.version())
	}
}

func TestAnAppIsStartedThoughNobodyCanNoteItsWords(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	must(t, os.MkdirAll(h.path(".flipdeploy/command.log"), 0o755)) // a directory: nothing can be written there
	h.up("v1", "")
	if h.version() != "v1" {
		t.Errorf("version %q", h.version())
	}
}

// blurred has a first look that came between ss's two: a socket, and nobody who has it.
type blurred struct {
	local
	looks int
}

func (b *blurred) Run(ctx context.Context, script string) ([]byte, error) {
	out, err := b.local.Run(ctx, script)
	if b.looks++; b.looks == 1 {
		out = append([]byte("listen hidden\n"), out...)
	}
	return out, err
}

func TestAPortWhoseHolderIsNotSeenAtOnceIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.up("v1", "")
	h.release("v2", "")
	h.flip("v2")
	must(t, New(h.cfg, &blurred{}).Reload(t.Context(), "v2"))
}

func TestReloadHandsOverAndBack(t *testing.T) {
	h := newHost(t)
	a := h.up("v1", "")
	h.release("v2", "")
	for _, id := range []string{"v2", "v1", "v2"} {
		h.flip(id)
		old := h.pid()
		must(t, a.Reload(t.Context(), id))
		if h.version() != id || h.pid() == old {
			t.Fatalf("version %q, pid %d was %d", h.version(), h.pid(), old)
		}
		must(t, a.Settled(t.Context(), id))
		if p := h.processes(); !slices.Equal(p, []int{h.pid()}) {
			t.Fatalf("processes %v, want only %d", p, h.pid())
		}
		must(t, a.Alive(t.Context(), id))
	}
}

func TestAReleaseIsKnownAfterItsFileIsGone(t *testing.T) {
	h := newHost(t)
	a := h.up("v1", "")
	must(t, os.RemoveAll(h.path("releases/v1")))
	r, err := a.Running(t.Context())
	must(t, err)
	if r.Release != "v1" || !strings.HasSuffix(r.Exe, " (deleted)") {
		t.Fatalf("running %+v", r)
	}
}

func TestABadReleaseThatServesIsReloadedBack(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	a := h.up("v1", "")
	h.release("v2", "")
	h.flip("v2")
	must(t, a.Reload(t.Context(), "v2"))
	h.flip("v1")
	must(t, a.Restore(t.Context(), "v1")) // while the old process may still drain
	must(t, a.Settled(t.Context(), "v1"))
	if p := h.processes(); h.version() != "v1" || len(p) != 1 {
		t.Errorf("version %q, processes %v", h.version(), p)
	}
}

func TestRestoreToNothingStopsTheApp(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	a := h.up("v1", "hang-not")
	must(t, a.Restore(t.Context(), ""))
	if p := h.processes(); len(p) != 0 {
		t.Errorf("still there: %v", p)
	}
	must(t, a.Restore(t.Context(), ""))
}

func TestAHungAppIsReplaced(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.up("v1", "")
	must(t, syscall.Kill(h.pid(), syscall.SIGSTOP))
	h.release("v2", "")
	h.flip("v2")
	h.cfg.Timeout = 2 * time.Second
	a := h.app()
	wantCode(t, a.Reload(t.Context(), "v2"), "FD-TAKEOVER-IGNORED")
	must(t, a.replace(t.Context(), "v2"))
	if h.version() != "v2" {
		t.Errorf("version %q", h.version())
	}
}
