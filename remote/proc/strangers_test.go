package proc

import (
	"os"
	"strings"
	"testing"
)

// A queue's worker that another unit runs has the same program as the web server, and
// the same parent: stopping the one must not end the other.
func TestAnotherServiceOfTheSameProgramIsNoneOfTheApp(t *testing.T) {
	t.Parallel()
	const (
		web     = old + "service 10 shop.service\n"
		worker  = orphan + "service 20 shop-worker.service\n"
		run     = orphan + "service 20 shop.service\n"
		nowhere = orphan
	)
	for _, c := range []struct {
		name, unit, text string
		ours             int
	}{
		{"another unit's", "shop.service", active + "group 10\n" + listens + web + worker, 1},
		{"another unit's, by an app without one", "", listens + web + worker, 1},
		{"the unit's own, that outlived it", "shop.service", failed + run, 1},
		{"the app's own", "", listens + web + run, 2},
		{"no unit's", "shop.service", active + "group 10\n" + listens + web + nowhere, 2},
	} {
		cfg := testConfig()
		cfg.Unit = c.unit
		f := look(t, cfg, c.text)
		if got := New(*cfg, nil).servers(f); len(got) != c.ours {
			t.Errorf("%s: %d processes are the app's, want %d", c.name, len(got), c.ours)
		}
	}
}

func TestTheServiceOfAProcessIsRead(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	a := h.up("v1", "")
	f, err := a.look(t.Context())
	must(t, err)
	text, err := os.ReadFile("/proc/self/cgroup")
	must(t, err)
	want := ""
	for _, w := range strings.FieldsFunc(string(text), func(r rune) bool { return r == '/' || r == '\n' }) {
		if strings.HasSuffix(w, ".service") && !strings.HasPrefix(w, "ssh") {
			want = w
		}
	}
	if p := f.procs[h.pid()]; p == nil || p.service != want {
		t.Errorf("process %+v, want service %q", p, want)
	}
}
