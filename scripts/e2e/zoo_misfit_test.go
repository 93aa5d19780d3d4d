//go:build fleet

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A misfit is a system that runs well, and an inventory that would have it killed.
type misfit struct {
	name, system string
	reload       []string // pairs of words in the system's own reload.toml and wrong ones
	code         string
}

var misfits = []misfit{
	{"a library's preset, and an app without any", "stop-start",
		[]string{`preset = "stop-start"`, `preset = "tableflip"`}, "FD-PRESET-MISMATCH"},
	{"another library's preset", "endless",
		[]string{`preset = "endless"`, `preset = "tableflip"`}, "FD-PRESET-MISMATCH"},
	{"the signal of overseer's master to its slave", "overseer",
		[]string{`unit = "shop.service"`, `pid_command = ["sh", "-c", "pgrep -x shop | tail -n 1"]` + "\nstart = [\"systemctl\", \"start\", \"shop\"]\nstop = [\"systemctl\", \"stop\", \"shop\"]"}, "FD-PID-"},
	{"a signal to the daemon of all of pm2's apps", "pm2-reload",
		[]string{`preset = "pm2-reload"`, "preset = \"custom\"\nmethod = \"signal\"\nsignal = \"USR2\""}, "FD-PRESET-MISMATCH"},
}

// A signal that would kill the app, or go to another than the app, is refused before
// any host leaves its balancer.
func TestZooWrongSignals(t *testing.T) {
	table := readZoo(t)
	for _, w := range misfits {
		if w.system == "pm2-reload" && os.Getenv("FLEET_IMAGE") != "zoo" {
			continue // hosts have no pm2
		}
		if (w.system == "endless" || w.system == "overseer") && !whole() {
			continue
		}
		t.Run(w.name, func(t *testing.T) { w.isRefused(t, table.systems[w.system]) })
	}
}

func (w misfit) isRefused(t *testing.T, s *zooSystem) {
	s.inventory = s.compose(t, s.name, s.own(t))
	s.install(t)
	before := processes(t)
	own := s.own(t)
	s.inventory = s.compose(t, s.name+"-wrong", strings.NewReplacer(w.reload...).Replace(own))
	artifact, revision := s.build(t, "ok")
	var r run
	under(t, func() { r = s.rollout(t, artifact, revision, "--parallel", "2") }).none(t, len(webs), 0)
	if code := fmt.Sprint(r.result["code"]); r.exit != 1 || !strings.HasPrefix(code, w.code) {
		t.Errorf("want exit 1 and %s, got %s", w.code, r)
	}
	if after := processes(t); !slices.Equal(after, before) {
		t.Errorf("processes %v, were %v", after, before)
	}
	wantVersions(t, s.runs)
	noneLeft(t)
}

// processes are those that listen on the app's port, on every host. How many connections
// wait to be accepted, which ss tells too, is of the moment.
func processes(t *testing.T) (all []string) {
	t.Helper()
	for _, h := range webs {
		sockets := mustVerb(t, "exec", h, "ss", "-ltnpH", "sport = :8080")
		all = append(all, listeners.FindAllString(sockets, -1)...)
	}
	return all
}

var listeners = regexp.MustCompile(`users:\S+`)
