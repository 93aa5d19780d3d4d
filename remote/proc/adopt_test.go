package proc

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// found has the app run from a directory that is none of the releases.
func (h *host) found(dir, text string) *App {
	h.t.Helper()
	data, err := os.ReadFile(program)
	must(h.t, err)
	must(h.t, os.MkdirAll(h.path(dir), 0o755))
	must(h.t, os.WriteFile(h.path(dir+"/app"), data, 0o755))
	must(h.t, os.WriteFile(h.path(dir+"/mode"), nil, 0o644))
	must(h.t, os.MkdirAll(h.path("releases"), 0o755))
	if text != "" {
		must(h.t, os.Symlink(text, h.path("current")))
	}
	a := h.app()
	must(h.t, a.command(h.t.Context(), h.cfg.Start, "start"))
	for range 100 {
		if r, _ := a.Running(h.t.Context()); r.PID != 0 && r.PID == h.pid() {
			break
		}
		must(h.t, pause(h.t.Context(), h.cfg.Poll))
	}
	return a
}

func (h *host) runs(a *App, want string) Running {
	h.t.Helper()
	r, err := a.Running(h.t.Context())
	must(h.t, err)
	if r.Release != want || r.Sign == "" {
		h.t.Fatalf("running %+v, want %s", r, want)
	}
	return r
}

func TestAProgramThatWasFoundIsTheReleaseThatItIsAdoptedAs(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	a := h.found("builds/1", "builds/1")
	r := h.runs(a, "?")
	a.Adopt(r.Sign, "adopted-01234567")
	h.runs(a, "adopted-01234567")
	h.runs(h.app(), "?")
	must(t, os.MkdirAll(h.path("releases/adopted-01234567"), 0o755))
	must(t, os.WriteFile(h.path("releases/adopted-01234567/.flipdeploy-found"), []byte(r.Sign+"\nbuilds/1\n\n"), 0o644))
	b := h.app()
	h.runs(b, "adopted-01234567")

	h.release("v1", "")
	h.flip("v1")
	must(t, b.Reload(t.Context(), "v1"))
	must(t, b.Settled(t.Context(), "v1"))
	must(t, os.Remove(h.path("current")))
	must(t, os.Symlink("builds/1", h.path("current")))
	must(t, b.Restore(t.Context(), "adopted-01234567"))
	must(t, b.Alive(t.Context(), "adopted-01234567"))
	if now := h.runs(b, "adopted-01234567"); now.Exe != r.Exe {
		t.Errorf("runs %s, ran %s", now.Exe, r.Exe)
	}
}

// started has the app found in builds/1, executed by name.
func started(t *testing.T, link, name string) (*host, *App) {
	h := newHost(t)
	name = filepath.Join(h.root, name)
	h.cfg.Start = []string{"sh", "-c", `exec "$@" >>log 2>&1`, "sh", name, "-exec", name, "-pidfile", h.path("pid"), "-addr", h.addr()}
	if link != "" {
		must(t, os.MkdirAll(h.path("bin"), 0o755))
		must(t, os.Symlink(link, h.path("bin/app")))
	}
	return h, h.found("builds/1", "builds/1/")
}

func TestANameThatDoesNotComeByCurrentIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, link, to, binary, astray string
	}{
		{name: "by current", to: "current/app"},
		{name: "by a link to current", link: "../current/app", to: "bin/app"},
		{name: "by another link", link: "../builds/1/app", to: "bin/app", astray: "bin/app"},
		{name: "by itself", to: "builds/1/app", astray: "builds/1/app"},
		{name: "by the binary that is replaced", to: "builds/1/app", binary: "builds/1/app"},
		{name: "by a link that is replaced", link: "../builds/1/app", to: "bin/app", binary: "bin/app"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, a := started(t, c.link, c.to)
			r := h.runs(a, "?")
			err := a.Through(t.Context(), r, c.binary)
			if c.astray == "" {
				must(t, err)
				return
			}
			wantCode(t, err, "FD-NOT-THROUGH-CURRENT")
			want := "proof: the app is executed again as " + h.path(c.astray) + ", which does not come by " + h.root +
				"/current: a flip would change nothing of what it runs"
			if err.Error() != want {
				t.Errorf("error %q, want %q", err, want)
			}
			hint := `set reload.install = "replace" and reload.binary = "` + c.astray + `", or have the unit start ` + h.path("current/app")
			var e *Error
			if !errors.As(err, &e) {
				t.Fatal(err)
			}
			if got := e.Hint(); got != hint {
				t.Errorf("hint %q, want %q", got, hint)
			}
			if got := e.Evidence(); !slices.Equal(got, []string{r.Detail}) {
				t.Errorf("evidence %q", got)
			}
		})
	}
}
