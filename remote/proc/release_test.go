package proc

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// interpreter has the app run from a program outside of the releases, as node or
// python would, in a directory.
func interpreter(h *host, dir string) {
	h.t.Helper()
	data, err := os.ReadFile(program)
	must(h.t, err)
	must(h.t, os.MkdirAll(h.path("bin"), 0o755))
	must(h.t, os.WriteFile(h.path("bin/python3"), data, 0o755))
	h.cfg.Start = []string{"env", "APP_VERSION_FILE=" + h.path("version"), "sh", "-c", `cd "$1" && shift && exec "$@" >>` + h.path("log") + ` 2>&1`,
		"sh", dir, h.path("bin/python3"), "-exec", h.path("bin/python3"), "-pidfile", h.path("pid"), "-addr", h.addr()}
}

func TestAnInterpreterIsProvenByItsDirectory(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	interpreter(h, h.path("current"))
	h.cfg.Method = Restart
	a := h.up("v1", "")
	_, _, err := a.Check(t.Context())
	must(t, err)
	h.release("v2", "")
	h.flip("v2")
	must(t, a.Reload(t.Context(), "v2"))
	must(t, a.Settled(t.Context(), "v2"))

	h.cfg.Method = Signal // its child inherits the directory of the old release
	b := h.app()
	h.release("v3", "")
	h.flip("v3")
	wantCode(t, b.Reload(t.Context(), "v3"), "FD-TAKEOVER-WRONG-RELEASE")
	must(t, a.Restore(t.Context(), ""))
}

func TestAnInterpreterThatShowsNothingIsAskedForItsVersion(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	interpreter(h, "/")
	h.cfg.VersionProbe = func(context.Context) (string, error) {
		if v := h.version(); v != "" {
			return v, nil
		}
		return "", errors.New("no answer")
	}
	must(t, os.WriteFile(h.path("version"), []byte("r1"), 0o644))
	a := h.up("r1-0123abcd", "")
	_, _, err := a.Check(t.Context())
	must(t, err)
	must(t, os.WriteFile(h.path("version"), []byte("r2"), 0o644))
	must(t, a.Reload(t.Context(), "r2-0123abcd"))
	must(t, a.Settled(t.Context(), "r2-0123abcd"))
	wantCode(t, a.Reload(t.Context(), "r3-0123abcd"), "FD-TAKEOVER-WRONG-RELEASE")

	h.cfg.VersionProbe = nil
	b := h.app()
	_, _, err = b.Check(t.Context())
	wantCode(t, err, "FD-PROOF-IMPOSSIBLE")
	if !strings.HasSuffix(err.Error(), "bin/python3, and neither its directory nor an open file tells the release") {
		t.Errorf("error %q", err)
	}
	time.Sleep(300 * time.Millisecond) // the old process drains
	wantCode(t, b.Reload(t.Context(), "r4-0123abcd"), "FD-TAKEOVER-STALLED")
	must(t, a.Restore(t.Context(), ""))
}

func TestAnAppThatNamesItsRevisionIsThatRelease(t *testing.T) {
	cfg := testConfig()
	f := look(t, cfg, "entry 1:3 /r/r1-0123abcd/app\nentry 1:4 /r/r1-4567abcd/app\nentry 1:5 /r/r2-0123abcd/app\ncurrent r1-4567abcd\n"+
		listens+"proc 10 1 100 S 0\nexe 10 /usr/sbin/nginx\nino 10 9:9\n")
	for said, want := range map[string]string{
		"r1\n": "r1-4567abcd", "r2": "r2-0123abcd", "r3": "?", "": "?",
	} {
		c := *cfg
		c.Foreign = true
		c.VersionProbe = func(context.Context) (string, error) { return said, nil }
		a := New(c, nil)
		s, err := a.cfg.locate(f)
		must(t, err)
		if r := a.told(t.Context(), f, s, a.cfg.running(f, s)); r.Release != want {
			t.Errorf("%q: release %s, want %s", said, r.Release, want)
		}
	}
	s, _ := cfg.locate(f)
	if r := New(*cfg, nil).told(t.Context(), f, s, cfg.running(f, s)); r.Release != "?" { // a program of its own shows what it is
		t.Errorf("release %s", r.Release)
	}
}

func TestAVersionIsProvenByAnswersInARow(t *testing.T) {
	for _, c := range []struct {
		answers string // n: new, o: old, x: no answer
		want    Verdict
	}{
		{"nnnnn", taken},
		{"nonnnnn", taken},
		{"nxnonnnnn", taken},
		{"nonono", waiting},
		{"o", waiting},
		{"x", waiting},
	} {
		rest := c.answers
		k := &asking{want: "r2-0123abcd", timeout: time.Minute, first: never, probe: func(context.Context) (string, error) {
			if rest == "" {
				t.Fatalf("%s: asked once more", c.answers)
			}
			said := rest[0]
			rest = rest[1:]
			if said == 'x' {
				return "", errors.New("reset by peer")
			}
			return map[byte]string{'n': "r2", 'o': "r1"}[said], nil
		}}
		if got := k.again(t.Context(), 0); got != c.want || rest != "" {
			t.Errorf("%s: verdict %q, want %q; %q not asked for", c.answers, got, c.want, rest)
		}
	}
}

// Old workers that drain answer for a moment after the command has ended.
func TestAWrongVersionHasToLast(t *testing.T) {
	k := &asking{want: "r2-0123abcd", timeout: time.Minute, first: never, probe: func(context.Context) (string, error) { return "r1", nil }}
	for at := time.Duration(0); at <= strayFor; at += 200 * time.Millisecond {
		want := waiting
		if at >= strayFor {
			want = Wrong
		}
		if got := k.again(t.Context(), 20*time.Second+at); got != want {
			t.Errorf("at %v: verdict %q, want %q", at, got, want)
		}
	}
}
