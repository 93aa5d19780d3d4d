//go:build fleet

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A cell of the fault matrix: what befalls a run at a point of web2's way, by which
// code it may end before `resume` ends the work.
type cell struct {
	fault, point string
	do           string // `fleet` is scripts/fleet; what takes time may go to the background
	exits        []int
	lossy        bool // the fault itself costs requests: those are counted, and told
}

const (
	onClaim  = "web2:claim@edge1:1:before"
	onDrain  = "web2:drain@edge1:1:after"
	onFlip   = "web2:flip:1:after"
	onReload = "web2:reload:1:after"
	onVerify = "web2:verify:1:before"
	onReady  = "web2:ready@edge1:1:before"
	onBack   = "web2:ready@edge1:1:after"
)

func faultCells() (cells []cell) {
	for _, p := range []string{onClaim, onDrain, onFlip, onReload, onVerify, onReady, onBack} {
		cells = append(cells,
			cell{fault: "HAProxy reload", point: p, do: "fleet exec edge1 systemctl reload haproxy", exits: []int{0}},
			cell{fault: "HAProxy restart", point: p, do: "fleet exec edge1 systemctl restart haproxy", exits: []int{0}, lossy: true},
			cell{fault: "balancer's sshd frozen for 5 s", point: p, do: "fleet freeze edge1 sshd; (sleep 5; fleet thaw edge1 sshd) &", exits: []int{0}},
		)
	}
	for _, p := range []string{onDrain, onFlip, onReload, onVerify, onReady} {
		cells = append(cells,
			cell{fault: "cable cut for 5 s", point: p, do: "fleet cut web2; (sleep 5; fleet join web2) &", exits: []int{0, 7}},
			cell{fault: "deaf for 5 s", point: p, do: "fleet deaf web2; (sleep 5; fleet hear web2) &", exits: []int{0, 7}},
			cell{fault: "sshd frozen for 5 s", point: p, do: "fleet freeze web2 sshd; (sleep 5; fleet thaw web2 sshd) &", exits: []int{0, 7}},
			cell{fault: "rebooted", point: p, do: "fleet plug web2; fleet boot web2", exits: []int{0, 7}},
			cell{fault: "lock taken away", point: p, do: takeLock, exits: []int{3, 4}},
		)
	}
	return cells
}

// TestFaultMatrix: one fault at one point of a rollout under load. Nothing is lost that
// the fault itself does not cost, and the fleet ends uniform and free.
func TestFaultMatrix(t *testing.T) {
	fresh(t)
	k := newKiller(t)
	for i, c := range faultCells() {
		if i%9 != 4 && os.Getenv("FLIPDEPLOY_KILLS") != "all" {
			continue
		}
		t.Run(c.fault+" at "+strings.TrimPrefix(c.point, "web2:"), func(t *testing.T) {
			k.befalls(t, c, tool(t)+c.do)
		})
	}
}

func (k *killer) befalls(t *testing.T, c cell, do string) {
	before, next := k.runs, k.next()
	args := k.forward(t, next, "ok")
	var r, settled run
	reload := strings.HasPrefix(c.fault, "HAProxy reload") // closes connections that clients keep
	w := underClients(t, reload, func() {
		_, r = k.run(t, args, at(c.point, do)...)
		for try := 0; r.exit != 0 && r.exit != 7 && try < 2 && settled.exit == 0 && settled.result == nil; try++ {
			settled = flipdeploy(t, slices.Concat([]string{"resume", "--json"}, k.other)...)
		}
	})
	if !slices.Contains(c.exits, r.exit) {
		t.Errorf("want one of %v, got %s", c.exits, r)
	}
	k.runs = next
	if r.exit == 7 || settled.exit == 7 {
		k.runs = before
	}
	if settled.result != nil && settled.exit != 0 && settled.exit != 7 {
		t.Errorf("resume: %s", settled)
	}
	stretch := w.exposed("web2")
	switch {
	case reload:
		w.gentle(t)
		if stretch > time.Second {
			t.Errorf("web2 was in rotation for %s while it was ours", stretch)
		}
	case w.Load.Failed != 0 && !c.lossy:
		t.Errorf("%d failed: %s", w.Load.Failed, strings.Join(w.Load.Texts, "\n"))
	}
	t.Logf("%s at %s: exit %d %v %v after %.1fs; resume %v; in rotation while out for at most %d ms; %d served, %d failed", c.fault, c.point, r.exit, r.result["outcome"], r.result["code"],
		r.took.Seconds(), settled.result["outcome"], stretch.Milliseconds(), w.Load.Served, w.Load.Failed)
	wantVersions(t, k.runs)
	noneLeft(t)
	if t.Failed() {
		fresh(t)
		k.runs = "v0"
	}
}

// takeLock ends the shell on the balancer that holds the lock.
const takeLock = `fleet exec edge1 sh -c 'for p in /proc/[0-9]*; do [ "$(readlink $p/fd/9)" != /var/lib/flipdeploy/shop/lease ] || kill -KILL ${p#/proc/}; done'`

// exposed is the longest time, as the oracle saw it, that a host served between two
// times at which it was out.
func (w watched) exposed(host string) (longest time.Duration) {
	was := ""
	var since int64
	for _, c := range w.Oracle.Changes {
		if c.Server != host {
			continue
		}
		if c.State == "out" && was == "serving" && since > 0 {
			longest = max(longest, time.Duration(c.MS-since)*time.Millisecond)
		}
		if c.State == "serving" && was != "" { // it has been out before
			since = c.MS
		}
		was = c.State
	}
	return longest
}

// tool has a shell know the fleet's script by name.
func tool(t *testing.T) string {
	t.Helper()
	script, err := filepath.Abs("../fleet")
	if err != nil {
		t.Fatal(err)
	}
	return "fleet() { " + script + ` "$@" >&2; }; `
}
