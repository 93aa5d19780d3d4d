//go:build fleet

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A CI system that cancels a job: INT, TERM 7.5 s later, KILL 2.5 s after that.
func TestACancelledJobLeavesNothingBehind(t *testing.T) {
	fresh(t)
	k := newKiller(t)
	for _, point := range some([]string{onFlip, onDrain, onClaim, onReload, onVerify, onReady, onBack}, 2) {
		t.Run(strings.TrimPrefix(point, "web2:"), func(t *testing.T) { k.cancelled(t, point) })
	}
}

// some are all of them, or the first n where a sample will do.
func some(all []string, n int) []string {
	if whole() {
		return all
	}
	return all[:n]
}

func (k *killer) cancelled(t *testing.T, point string) {
	next := k.next()
	args := k.forward(t, next, "ok")
	var r run
	var took time.Duration
	w := under(t, func() {
		m := k.midway(t, args, point, "kill -INT $PID")
		began := time.Now()
		m.unless(7500*time.Millisecond, syscall.SIGTERM)
		m.unless(2500*time.Millisecond, syscall.SIGKILL)
		r = <-m.ended
		took = time.Since(began)
		k.nothingHidden(t, next)
		flipdeploy(t, slices.Concat([]string{"resume", "--json"}, k.other)...).want(t, 0, resumed(r))
	})
	if r.exit != 130 && r.exit != 0 {
		t.Errorf("want 130, got %s", r)
	}
	if took > 7500*time.Millisecond {
		t.Errorf("it took %s", took)
	}
	t.Logf("INT at %s: exit %d after %.1fs; %d served, %d failed", point, r.exit, took.Seconds(), w.Load.Served, w.Load.Failed)
	w.none(t, 2, 1)
	k.runs = next
	wantVersions(t, next)
	noneLeft(t)
}

func resumed(r run) string {
	if r.exit == 0 {
		return "nothing"
	}
	return "done"
}

// A running is a mortal run that has come to its point.
type running struct {
	pid   int
	ended chan run
}

// midway begins a run and returns once it is where do is done to it.
func (k *killer) midway(t *testing.T, args []string, point, do string, more ...string) *running {
	t.Helper()
	pid := filepath.Join(t.TempDir(), "pid")
	return k.until(t, pid, args, append(at(point, "echo $PID >"+pid+"; "+do), more...)...)
}

// until begins a run and returns once its id is in a file.
func (k *killer) until(t *testing.T, pid string, args []string, variables ...string) *running {
	t.Helper()
	m := &running{ended: make(chan run, 1)}
	go func() {
		_, r := k.run(t, args, variables...)
		m.ended <- r
	}()
	for end := time.Now().Add(time.Minute); m.pid == 0; time.Sleep(20 * time.Millisecond) {
		select {
		case r := <-m.ended:
			t.Fatalf("it ended before: %s", r)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("%v did not come in a minute", variables)
		}
		data, _ := os.ReadFile(pid)
		m.pid, _ = strconv.Atoi(strings.TrimSpace(string(data)))
	}
	return m
}

// unless sends a signal when the run has not ended by then.
func (m *running) unless(d time.Duration, sig syscall.Signal) {
	select {
	case r := <-m.ended:
		m.ended <- r
	case <-time.After(d):
		_ = syscall.Kill(m.pid, sig)
	}
}

// nothingHidden: no lock, and whoever is out was flipped and is marked.
func (k *killer) nothingHidden(t *testing.T, next string) {
	t.Helper()
	var s struct {
		Lock  any
		Hosts []struct {
			Name string
			LBs  []struct{ State, Owner string }
		}
	}
	out := flipdeploy(t, slices.Concat([]string{"status", "--json"}, k.other)...).stdout
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatal(err, out)
	}
	if s.Lock != nil {
		t.Errorf("the lock is held: %v", s.Lock)
	}
	for _, h := range s.Hosts {
		for _, lb := range h.LBs {
			if lb.State != "drain" && lb.State != "maint" {
				continue
			}
			current := mustVerb(t, "exec", h.Name, "readlink", "/srv/shop/current")
			if lb.Owner == "" || !strings.Contains(current, "/"+next+"-") {
				t.Errorf("%s is out, owner %q, current %s", h.Name, lb.Owner, current)
			}
		}
	}
}

// A run that was stopped, not ended, holds nothing up, and what it sends once it goes
// on is refused by the fence, every script of it.
func TestALateCommandIsRefused(t *testing.T) {
	fresh(t)
	k := newKiller(t)
	for _, point := range some([]string{"web2:flip:1:before", "web2:drain@edge1:1:before", "web2:claim@edge1:1:before", "web2:reload:1:before",
		"web2:ready@edge1:1:before", "web2:unclaim@edge1:1:before"}, 1) {
		t.Run(strings.TrimPrefix(point, "web2:"), func(t *testing.T) { k.late(t, point) })
	}
}

// fenced is how hosts and balancers say it.
var fenced = regexp.MustCompile("a newer run has taken over|FD-FENCED")

func (k *killer) late(t *testing.T, point string) {
	next := k.next()
	args := k.forward(t, next, "ok")
	var r run
	var free time.Duration
	w := under(t, func() {
		m := k.midway(t, args, point, "kill -STOP $PID", "FLIPDEPLOY_LATE=1")
		began := time.Now()
		for !lockFree(t) && time.Since(began) < time.Minute {
			time.Sleep(200 * time.Millisecond)
		}
		free = time.Since(began)
		flipdeploy(t, slices.Concat([]string{"resume", "--json"}, k.other)...).want(t, 0, "done")
		wantVersions(t, next)
		noneLeft(t)
		_ = syscall.Kill(m.pid, syscall.SIGCONT)
		r = <-m.ended
	})
	if r.exit != 3 || !fenced.MatchString(r.stdout) {
		t.Errorf("the late command was not refused by the fence: %s", r)
	}
	if free > 31*time.Second {
		t.Errorf("the lock was free only after %s", free)
	}
	t.Logf("STOP at %s: lock free after %.1fs, then exit %d %v: %v; %d served, %d failed", point, free.Seconds(), r.exit, r.result["code"], r.result["error"], w.Load.Served, w.Load.Failed)
	w.none(t, 2, 1)
	k.runs = next
	wantVersions(t, next)
	noneLeft(t)
}

// A script that is frozen on its host is given up after a minute, and the host is undone:
// it must not take effect when it wakes up, of the same run though it is. A late signal
// would be a takeover of a host in rotation. Too long for each test run.
func TestALateCommandOfItsOwnIsShutOut(t *testing.T) {
	fresh(t)
	k := newKiller(t)
	for _, point := range some([]string{"web2:reload:1:before", "web2:flip:1:before"}, 0) {
		t.Run(strings.TrimPrefix(point, "web2:"), func(t *testing.T) { k.lateOwn(t, point) })
	}
}

const (
	// The first script that asks for its host's lock is frozen before it has it.
	freezesScript = `fleet exec web2 sh -c 'mv /usr/bin/flock /usr/bin/flock.real && cat >/usr/bin/flock && chmod 755 /usr/bin/flock' <<-"END"
		#!/bin/sh
		mkdir /tmp/frozen 2>/dev/null && echo $PPID $$ >/tmp/frozen/pids && kill -STOP $PPID $$
		exec /usr/bin/flock.real "$@"
	END`
	wakesScript = "mv /usr/bin/flock.real /usr/bin/flock; kill -CONT $(cat /tmp/frozen/pids); rm -r /tmp/frozen"
)

func (k *killer) lateOwn(t *testing.T, point string) {
	next := k.next()
	args := k.forward(t, next, "ok")
	var r run
	w := under(t, func() {
		_, r = k.run(t, args, at(point, tool(t)+freezesScript)...)
		before := pids(t)
		mustVerb(t, "exec", "web2", "sh", "-c", wakesScript)
		time.Sleep(3 * time.Second)
		if after := pids(t); after != before {
			t.Errorf("processes %s, were %s", after, before)
		}
	})
	turn := mustVerb(t, "exec", "web2", "sh", "-c", "cat /srv/shop/.flipdeploy/turn 2>/dev/null || echo none")
	t.Logf("script to web2 frozen at %s: exit %d %v after %.1fs, turn %s; %d served, %d failed", point, r.exit, r.result["outcome"], r.took.Seconds(),
		turn, w.Load.Served, w.Load.Failed)
	if r.exit != 7 || turn == "none" {
		t.Errorf("want exit 7 and a turn, got %s", r)
	}
	w.none(t, 2, 1)
	wantVersions(t, k.runs)
	noneLeft(t)
	k.sound(t)
}
