package proc

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

var known = []Library{
	{"github.com/cloudflare/tableflip", "tableflip", "HUP"},
	{"github.com/facebookgo/grace", "facebookgo-grace", "USR2"},
	{"github.com/jpillora/overseer", "overseer", "USR2"},
	{"crawshaw.io/littleboss", "littleboss", ""},
}

func TestAGoProgramIsOnlySentWhatItsLibraryTakes(t *testing.T) {
	for _, c := range []struct {
		name, preset, signal, module string
		has                          []string
		notify                       bool
		want, hint                   string
	}{
		{name: "the preset's library", preset: "tableflip", signal: "HUP", module: known[0].Module, has: []string{"shop", known[0].Module}},
		{name: "it under a later major version", preset: "tableflip", signal: "HUP", module: known[0].Module, has: []string{"shop", known[0].Module + "/v2"}},
		{name: "another library", preset: "tableflip", signal: "HUP", module: known[0].Module, has: []string{"shop", known[1].Module}, notify: true,
			want: `reload: pid 7 is a Go program without github.com/cloudflare/tableflip, which preset "tableflip" asks for`,
			hint: `set reload.preset = "facebookgo-grace", or "systemd-restart" for any app`},
		{name: "none", preset: "tableflip", signal: "HUP", module: known[0].Module, has: []string{"shop"}, notify: true,
			want: `reload: pid 7 is a Go program without github.com/cloudflare/tableflip, which preset "tableflip" asks for`,
			hint: `an app without a library that hands over needs reload.preset = "systemd-restart" or "stop-start"`},
		{name: "custom, as its library", preset: "custom", signal: "USR2", has: []string{"shop", known[2].Module}},
		{name: "custom, not as its library", preset: "custom", signal: "HUP", has: []string{"shop", known[2].Module}, notify: true,
			want: `reload: pid 7 is a Go program with github.com/jpillora/overseer, which does not take over on HUP`,
			hint: `set reload.preset = "overseer", or "systemd-restart" for any app`},
		{name: "custom, a library that no signal reaches", preset: "custom", signal: "HUP", has: []string{"shop", known[3].Module}, notify: true,
			want: `reload: pid 7 is a Go program with crawshaw.io/littleboss, which does not take over on HUP`,
			hint: `set reload.preset = "littleboss", or "systemd-restart" for any app`},
		{name: "custom, by its own means", preset: "custom", signal: "HUP", has: []string{"shop"}, notify: true},
		{name: "custom, deaf", preset: "custom", signal: "HUP", has: []string{"shop"},
			want: `reload: pid 7 is a Go program that asks for no signals: HUP would end it or be lost`,
			hint: `an app without a library that hands over needs reload.preset = "systemd-restart" or "stop-start"`},
		{name: "built without modules", preset: "tableflip", signal: "HUP", module: known[0].Module},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := &Config{Method: Signal, Preset: c.preset, Signal: c.signal, Libraries: known}
			if c.module != "" {
				cfg.Modules = []string{c.module}
			}
			err := cfg.Mismatch(&Go{Modules: c.has, Notify: c.notify}, "pid 7")
			if c.want == "" {
				must(t, err)
				return
			}
			wantCode(t, err, "FD-PRESET-MISMATCH")
			var e *Error
			if !errors.As(err, &e) || err.Error() != c.want || e.Hint() != c.hint {
				t.Errorf("error %q, hint %q", err, e.Hint())
			}
		})
	}
}

func TestPM2sOwnDaemonIsNeverSignalled(t *testing.T) {
	a := New(*testConfig(), nil)
	err := a.fits(t.Context(), &process{pid: 7, name: "PM2 v7.0.4: God"})
	want := "reload: pid 7 is pm2's own daemon, which runs all its apps"
	if codeOf(err) != "FD-PRESET-MISMATCH" || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestTheLibraryThatAProgramHasIsSuggested(t *testing.T) {
	if l := Suggest(&Go{Modules: []string{"shop", known[1].Module}}, known); l == nil || l.Preset != "facebookgo-grace" {
		t.Errorf("suggested %+v", l)
	}
	if l := Suggest(&Go{Modules: []string{"shop"}}, known); l != nil {
		t.Errorf("suggested %+v", l)
	}
}

func TestWhatAProgramIsMadeOfIsReadFromItsFile(t *testing.T) {
	h := newHost(t)
	a := h.up("v1", "")
	f, err := a.look(t.Context())
	must(t, err)
	g := a.golangOf(t.Context(), f.procs[h.pid()])
	if g == nil || !g.Notify || !slices.Contains(g.Modules, "github.com/flipdeploy/flipdeploy") {
		t.Errorf("read %+v", g)
	}
	sh := &process{pid: 1, ino: "9:9", exe: "/bin/sh"}
	if g := a.golangOf(t.Context(), sh); g != nil && !g.Notify {
		t.Errorf("of a shell: %+v", g)
	}
}

// Its own program may well take over on the signal; that cannot be told before.
func TestAGoProgramOfUnknownMeansIsWarnedOf(t *testing.T) {
	h := newHost(t)
	a := h.up("v1", "")
	_, warnings, err := a.Check(t.Context())
	must(t, err)
	want := fmt.Sprintf("pid %d is a Go program without a library known to take over on HUP: "+
		"if it does not ask for that signal itself, HUP ends it or is lost", h.pid())
	if !slices.Contains(warnings, want) {
		t.Errorf("warnings %q, want %q", warnings, want)
	}
}

// A host of Alpine's kind: every program is busybox.
func TestBusyboxWillDo(t *testing.T) {
	box, bin := remotetest.Need(t, "busybox"), t.TempDir()
	if out, err := exec.Command(box, "--install", "-s", bin).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	h := newHost(t)
	h.cfg.PIDCommand = []string{"cat", h.path("pid")}
	h.cfg.Check = []string{ownArgv, "-h"}
	h.cfg.Libraries = known
	h.up("v1", "")
	h.release("v2", "")
	h.flip("v2")
	a := New(h.cfg, local{shell: filepath.Join(bin, "sh"), env: []string{"PATH=" + bin}})
	_, _, err := a.Check(t.Context())
	must(t, err)
	must(t, a.Reload(t.Context(), "v2"))
	must(t, a.Settled(t.Context(), "v2"))
	f, err := a.look(t.Context())
	must(t, err)
	p := f.procs[h.pid()]
	if g := a.golangOf(t.Context(), p); g == nil || !g.Notify || p.image == 0 || p.name != "app" || !slices.Equal(f.named, []int{p.pid}) {
		t.Errorf("read %+v of %+v, named %v", g, p, f.named)
	}
}
