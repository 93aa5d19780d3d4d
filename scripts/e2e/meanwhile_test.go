//go:build fleet

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A hand is what a person does to web2 on the balancer while we are at a point of its
// way. The first of them are the sample of each test run.
type hand struct {
	point, state string
	bits         string // HAProxy's, of what the person wants
}

func hands() (all []hand) {
	for _, p := range []string{onReload, onDrain, onFlip, onVerify, onReady} {
		all = append(all, hand{p, "maint", "1"})
	}
	for _, p := range []string{onFlip, onDrain, onReload, onVerify} {
		all = append(all, hand{p, "ready", "0"})
	}
	for _, p := range []string{onClaim, "web2:drain@edge1:1:before"} {
		all = append(all, hand{p, "drain", "8"}, hand{p, "maint", "1"})
	}
	return all
}

// TestAPersonMeanwhile: a person drains, readies or sets maint while we are at work on the
// host. It is the person's from then on: left out, neither put back nor touched by us any
// more, and the run ends paused. Once the person is done, resume ends the work.
func TestAPersonMeanwhile(t *testing.T) {
	all := hands()
	if !whole() {
		all = all[:1]
	}
	fresh(t)
	k := newKiller(t)
	for _, h := range all {
		t.Run(h.state+" at "+strings.TrimPrefix(h.point, "web2:"), func(t *testing.T) { k.meets(t, h) })
	}
}

func (k *killer) meets(t *testing.T, h hand) {
	next, scripts, told := k.next(), t.TempDir(), filepath.Join(t.TempDir(), "told")
	args := append(k.forward(t, next, "ok"), "--min-serving", "1") // the person's one, and one of ours
	do := tool(t) + fmt.Sprintf(`fleet exec edge1 sh -c "echo 'set server shop/web2 state %s' | socat -t5 - UNIX-CONNECT:/run/haproxy/admin.sock"; touch %s; sleep 0.5`, h.state, told)
	var r run
	w := under(t, func() {
		_, r = k.run(t, args, append(at(h.point, do), "FLIPDEPLOY_SCRIPTS="+scripts)...)
		time.Sleep(2 * time.Second)
		if got := adminState(t, "web2"); got != h.bits {
			t.Errorf("web2 is in state %s, the person wanted %s", got, h.bits)
		}
		haproxy(t, "set server shop/web2 state ready")
		if state := resumedBy(t, k); state != "done" {
			t.Errorf("resume: %s", state)
		}
	})
	if r.exit != 3 || r.result["outcome"] != "paused" || r.phases()["web2"] != "left_out" {
		t.Errorf("want 3, paused, web2 left_out, got %s", r)
	}
	touched(t, scripts, slices.MaxFunc([]time.Time{modified(told).Add(grace), r.learned("web2")}, time.Time.Compare))
	t.Logf("%s by hand at %s: exit %d %v %v, web2 %s; %d served, %d failed", h.state, h.point, r.exit, r.result["outcome"], r.result["code"], r.phases()["web2"], w.Load.Served, w.Load.Failed)
	w.none(t, 1, 2)
	k.runs = next
	wantVersions(t, next)
	noneLeft(t)
	k.sound(t)
}

// resumedBy is the outcome of resume from elsewhere.
func resumedBy(t *testing.T, k *killer) string {
	t.Helper()
	r := flipdeploy(t, slices.Concat([]string{"resume", "--json"}, k.other)...)
	if r.exit != 0 {
		return r.String()
	}
	return fmt.Sprint(r.result["outcome"])
}

// adminState is how HAProxy was told to treat a host.
func adminState(t *testing.T, host string) string {
	t.Helper()
	for line := range strings.Lines(haproxy(t, "show servers state shop")) {
		if f := strings.Fields(line); len(f) > 8 && f[3] == host {
			return f[6]
		}
	}
	return "?"
}

// grace is how long after a person's act a run that lives may not know of it yet: two
// polls, and what is under way then. On a busy machine it is as long as it takes it to say
// so.
const grace = time.Second

// learned is when a run said that a host is left out, zero if it never did.
func (r run) learned(host string) (at time.Time) {
	for line := range strings.Lines(r.stdout) {
		var e struct {
			Time               time.Time
			Host, Code, Detail string
		}
		if json.Unmarshal([]byte(line), &e) == nil && e.Host == host && (e.Code == "FD-TAKEN-OVER" || strings.HasPrefix(e.Detail, "left out")) && at.IsZero() {
			at = e.Time
		}
	}
	return at
}

var onWeb2s = regexp.MustCompile(`FD_ACT='act (drain|to) web2\n`)

// touched fails the test when something was sent after a time that would change web2, on
// itself or on the balancer. That our mark is dropped is no such thing.
func touched(t *testing.T, scripts string, late time.Time) {
	t.Helper()
	for _, s := range sendings(t, scripts) {
		changes := s.machine == "web2" && aLock.MatchString(s.text) || onWeb2s.MatchString(s.text)
		if changes && s.at.After(late) {
			t.Errorf("%s was sent %s after the person had it:\n%s", s.name, s.at.Sub(late), s.text)
		}
	}
}

// A full is a disk that gets full at a point of web2's way.
type full struct {
	machine, dir, size string
	point              string
	exits              []int
}

var fulls = []full{
	{"web2", "/srv/shop", "120M", onDrain, []int{4, 7}},
	{"edge1", "/var/lib/flipdeploy", "4M", onDrain, []int{3, 4, 7}},
	{"web2", "/srv/shop", "120M", onFlip, []int{0}},
	{"web2", "/srv/shop", "120M", onVerify, []int{0}},
	{"edge1", "/var/lib/flipdeploy", "4M", onClaim, []int{3, 4, 7}},
	{"edge1", "/var/lib/flipdeploy", "4M", onFlip, []int{3, 4, 7}},
	{"edge1", "/var/lib/flipdeploy", "4M", onReload, []int{3, 4, 7}},
	{"edge1", "/var/lib/flipdeploy", "4M", onVerify, []int{3, 4, 7}},
	{"edge1", "/var/lib/flipdeploy", "4M", onReady, []int{0, 3, 4, 7}},
	{"edge1", "/var/lib/flipdeploy", "4M", onBack, []int{0, 3, 4, 7}},
}

// TestAFullDiskMeanwhile: the disk below the state of a balancer, or below the app of a
// host, gets full in the middle: nothing fails, the run ends and says so, and once there
// is room again, resume ends the work.
func TestAFullDiskMeanwhile(t *testing.T) {
	all := fulls
	if !whole() {
		all = all[:1]
	}
	for _, f := range all {
		t.Run(f.machine+" at "+strings.TrimPrefix(f.point, "web2:"), f.gets)
	}
	fresh(t)
}

func (f full) gets(t *testing.T) {
	fresh(t)
	k := newKiller(t)
	f.mount(t)
	next := k.next()
	args := k.forward(t, next, "ok")
	var r run
	var settled run
	w := under(t, func() {
		_, r = k.run(t, args, at(f.point, tool(t)+"fleet fill "+f.machine+" "+f.dir)...)
		mustVerb(t, "exec", f.machine, "sh", "-c", "rm -f "+f.dir+"/.filled*")
		if r.exit != 7 {
			settled = k.settled(t)
		}
	})
	if !slices.Contains(f.exits, r.exit) {
		t.Errorf("want one of %v, got %s", f.exits, r)
	}
	if settled.exit != 0 && settled.exit != 7 {
		t.Errorf("settled: %s", settled)
	}
	want := next
	if r.exit == 7 || settled.exit == 7 { // it was on its way back, and resume goes on with that
		want = "v0"
	}
	wantVersions(t, want)
	noneLeft(t)
	w.none(t, 2, 1)
	t.Logf("%s full at %s: exit %d %v %v: %v; resume: %s; %d served, %d failed", f.dir, f.point, r.exit, r.result["outcome"], r.result["code"], r.result["error"], settled.result["outcome"], w.Load.Served, w.Load.Failed)
}

// mount has the directory stand on a small disk of its own until the test ends.
func (f full) mount(t *testing.T) {
	t.Helper()
	app := strings.HasPrefix(f.machine, "web")
	swap := func(size string) {
		if app { // its program is to be on the disk that its releases are on
			mustVerb(t, "exec", f.machine, "systemctl", "stop", "shop")
		}
		mustVerb(t, "small", f.machine, f.dir, size)
		if app {
			mustVerb(t, "exec", f.machine, "systemctl", "start", "shop")
			mustVerb(t, "exec", "edge1", "sleep", "1")
		}
	}
	swap(f.size)
	t.Cleanup(func() { swap("off") })
}

// brokenSync is a disk of which sync says that it failed, once the host is to flip. A real one
// would fail at another moment each time.
const brokenSync = `#!/bin/sh
echo "sync: error syncing '$1': Input/output error" >&2
exit 1
`

// TestADiskThatFailsMeanwhile: web2's flip may not outlive a power cut, nor may the one back.
// It stays out, nothing fails, the run ends and says so, and once the disk is well, resume
// brings all back.
func TestADiskThatFailsMeanwhile(t *testing.T) {
	fresh(t)
	k := newKiller(t)
	next := k.next()
	args := k.forward(t, next, "ok")
	file := filepath.Join(t.TempDir(), "sync")
	if err := os.WriteFile(file, []byte(brokenSync), 0o755); err != nil { //nolint:gosec // it is run
		t.Fatal(err)
	}
	const there = "/usr/local/bin/sync"
	t.Cleanup(func() { mustVerb(t, "exec", "web2", "rm", "-f", there) })
	var r, settled run
	w := under(t, func() {
		_, r = k.run(t, args, at(onDrain, tool(t)+"fleet exec web2 sh -c 'cat >"+there+" && chmod 755 "+there+"' <"+file)...)
		if state := adminState(t, "web2"); state == "0" || state == "?" {
			t.Errorf("web2 is in rotation, or not seen: %s", state)
		}
		mustVerb(t, "exec", "web2", "rm", "-f", there)
		settled = k.settled(t)
	})
	if r.exit != 4 || r.phases()["web2"] != "stuck" || r.result["code"] != "FD-DISK" {
		t.Errorf("want 4, web2 stuck by FD-DISK, got %s", r)
	}
	if settled.exit != 7 {
		t.Errorf("settled: %s", settled)
	}
	t.Logf("exit %d %v %v: %v; resume: %s; %d served, %d failed", r.exit, r.result["outcome"], r.phases(), r.result["error"], settled.result["outcome"], w.Load.Served, w.Load.Failed)
	wantVersions(t, "v0")
	noneLeft(t)
	w.none(t, 2, 1)
}
