package proc

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// reloadingSystemd has a unit whose ExecReload is a command of the host's; it is reloading
// for as long as that runs.
func reloadingSystemd(t *testing.T, h *host) local {
	t.Helper()
	script := `#!/bin/sh
cd ROOT
control() { read -r c <control && read -r _ _ state _ <"/proc/$c/stat" && [ "$state" != Z ] && echo "$c"; } 2>/dev/null
case $* in
  *"-p MainPID --"*) echo "MainPID=$(cat pid)" ;;
  *show*) echo LoadState=loaded; echo CanReload=yes; echo "MainPID=$(cat pid)"
    if c=$(control); then echo "ControlPID=$c"; echo ActiveState=reloading; else echo ControlPID=0; echo ActiveState=active; fi ;;
  *reload*) setsid sh -c "$(cat exec-reload)" </dev/null >/dev/null 2>&1 9>&- & echo $! >control ;;
esac
`
	bin := t.TempDir()
	must(t, os.WriteFile(bin+"/systemctl", []byte(strings.ReplaceAll(script, "ROOT", h.root)), 0o755))
	must(t, os.WriteFile(h.path("exec-reload"), []byte(h.cfg.Command[2]), 0o644))
	return local{env: []string{"PATH=" + bin + ":" + os.Getenv("PATH")}}
}

// What asks for the takeover does so after it was given up, too, and would undo the undo.
func TestATriggerThatHangsIsEndedByTheUndo(t *testing.T) {
	for _, method := range []Method{Command, Systemd} {
		for name, begin := range map[string]func(h *host, on local, t *testing.T) *App{
			"it was heard of": func(h *host, on local, t *testing.T) *App {
				a := New(h.cfg, on)
				wantCode(t, a.Reload(t.Context(), "v2"), "FD-TAKEOVER-HUNG")
				return a
			},
			"its answer was lost": func(h *host, on local, t *testing.T) *App {
				a := New(h.cfg, &lossy{local: on, ran: true})
				err := a.Reload(t.Context(), "v2")
				wantCode(t, err, "FD-TAKEOVER-HUNG")
				if want := "takeover: what was to ask for it has not ended after 2s (the answer to the trigger was lost: connection lost)"; err.Error() != want {
					t.Errorf("error %q, want %q", err, want)
				}
				return a
			},
			"its run is no more": func(h *host, on local, t *testing.T) *App {
				h.killedOn(on, 1, "v2")
				return New(h.cfg, on)
			},
		} {
			t.Run(string(method)+", "+name, func(t *testing.T) {
				t.Parallel()
				h := newHost(t)
				h.up("v1", "")
				h.release("v2", "")
				h.flip("v2")
				h.cfg.Timeout, h.cfg.Method, h.cfg.Command = 2*time.Second, method, []string{"sh", "-c", `echo $$ >>asks; sleep 100; kill -HUP $(cat pid)`}
				on := reloadingSystemd(t, h)
				if method == Systemd {
					h.cfg.Unit = "shop.service"
				}
				a := begin(h, on, t)
				h.flip("v1")
				must(t, a.Restore(t.Context(), "v1"))
				h.wantEnded("asks")
				wantAlone(t, h, a, "v1")
			})
		}
	}
}

// wantEnded wants none of the processes that have their number in a file to run.
func (h *host) wantEnded(file string) {
	h.t.Helper()
	text, err := os.ReadFile(h.path(file))
	must(h.t, err)
	for _, pid := range strings.Fields(string(text)) {
		if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
			h.t.Errorf("it still runs: %s", stat)
		}
	}
}

// What a command was to stop was the app before, not the one that is started next.
func TestAStopThatHangsIsEndedBeforeTheStart(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Method = Restart
	h.cfg.Stop = []string{"sh", "-c", `echo $$ >>stops; kill $(cat pid); sleep 100; kill $(cat pid)`}
	h.up("v1", "")
	h.release("v2", "")
	h.flip("v2")
	h.cfg.Timeout = 3 * time.Second
	a := h.app()
	must(t, a.stop(t.Context()))
	h.wantEnded("stops")
	must(t, a.start(t.Context(), "v2"))
	wantAlone(t, h, a, "v2")
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
