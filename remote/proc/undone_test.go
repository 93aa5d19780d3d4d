package proc

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// What a command does after it was given up would undo the undo.
func TestACommandThatHangsIsEndedByTheUndo(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(h *host, t *testing.T) *App // takes v2 over in vain
	}{
		{"and was heard of", func(h *host, t *testing.T) *App {
			a := h.app()
			wantCode(t, a.Reload(t.Context(), "v2"), "FD-TAKEOVER-HUNG")
			return a
		}},
		{"and its answer was lost", func(h *host, t *testing.T) *App {
			a := New(h.cfg, &lossy{ran: true})
			wantCode(t, a.Reload(t.Context(), "v2"), "FD-TAKEOVER-HUNG")
			return a
		}},
		{"and its run is no more", func(h *host, t *testing.T) *App {
			h.killed(1, "v2")
			return h.app()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.cfg.Method, h.cfg.Command = Command, []string{"sh", "-c", `echo $$ >>asks; sleep 100; kill -HUP $(cat pid)`}
			h.cfg.Timeout = time.Second
			h.up("v1", "")
			h.release("v2", "")
			h.flip("v2")
			a := c.run(h, t)
			h.flip("v1")
			must(t, a.Restore(t.Context(), "v1"))
			text, err := os.ReadFile(h.path("asks"))
			must(t, err)
			for _, pid := range strings.Fields(string(text)) {
				if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
					t.Errorf("the command still runs: %s", stat)
				}
			}
			wantAlone(t, h, a, "v1")
		})
	}
}

// mute gives so many answers, and then none.
type mute struct {
	local
	left int
}

func (m *mute) Run(ctx context.Context, script string) ([]byte, error) {
	if m.left--; m.left < 0 {
		return nil, errors.New("connection lost")
	}
	return m.local.Run(ctx, script)
}

// An undo that found nobody to ask is tried again: it still knows what it has to undo.
func TestAnUndoThatGotNoAnswerForgetsNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Kind, h.cfg.Preset, h.cfg.RestartFailed = ChildTakeover, "endless", true
	h.up("v1", "")
	h.release("v2", "crash")
	h.flip("v2")
	old := h.pid()
	m := &mute{left: 1000}
	a := New(h.cfg, m)
	wantCode(t, a.Reload(t.Context(), "v2"), "FD-TAKEOVER-REFUSED")
	h.flip("v1")
	for answers := range 2 { // what is left of the takeover, and whether the app is well
		m.left = answers
		wantCode(t, a.Restore(t.Context(), "v1"), "FD-HOST-UNKNOWN")
	}
	m.left = 1000
	must(t, a.Restore(t.Context(), "v1"))
	if h.pid() == old || h.version() != "v1" {
		t.Errorf("pid %d, was %d: it was not restarted; version %q", h.pid(), old, h.version())
	}
}
