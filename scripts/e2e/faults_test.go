//go:build fleet

package e2e

import (
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
	before       []string // instead of the point: the script that it befalls, and its machine
	do           string   // `fleet` is scripts/fleet; what is in the background has no output, or would be waited for
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

// What befalls the host in hand, or the way to it, and what befalls the balancer. Person
// and full disk are in meanwhile_test.go, HAProxy's reload is in eachphase_test.go, the
// deployer's end in killmatrix_test.go, a way to a balancer that stays cut in several_test.go.
const (
	cutOff   = "fleet cut web2; (sleep 5; fleet join web2) >/dev/null 2>&1 &"
	deaf     = "fleet deaf web2; (sleep 5; fleet hear web2) >/dev/null 2>&1 &"
	mute     = "fleet exec web2 ip neigh replace 10.77.0.1 lladdr 02:00:00:00:00:99 nud permanent dev host0; (sleep 5; fleet exec web2 ip neigh del 10.77.0.1 dev host0) >/dev/null 2>&1 &"
	frozen   = "fleet freeze web2 sshd; (sleep 5; fleet thaw web2 sshd) >/dev/null 2>&1 &"
	rebooted = "fleet plug web2; fleet boot web2"

	lbFrozen    = "fleet freeze edge1 sshd; (sleep 5; fleet thaw edge1 sshd) >/dev/null 2>&1 &"
	lbRestarted = "fleet exec edge1 systemctl restart haproxy"
	lbStill     = "fleet freeze edge1 haproxy; (sleep 3; fleet thaw edge1 haproxy) >/dev/null 2>&1 &"
	lbRebooted  = "fleet plug edge1; fleet boot edge1"
)

func faultCells() (cells []cell) {
	for _, p := range []string{onClaim, onDrain, onFlip, onReload, onVerify, onReady, onBack} {
		cells = append(cells,
			cell{fault: "HAProxy restart", point: p, do: lbRestarted, exits: []int{0}, lossy: true},
			cell{fault: "balancer's sshd frozen for 5 s", point: p, do: lbFrozen, exits: []int{0, 7}}, // 7: health is asked from there, for 6 s here
		)
	}
	for _, p := range []string{onDrain, onFlip, onReload, onVerify, onReady} {
		cells = append(cells,
			cell{fault: "cable cut for 5 s", point: p, do: cutOff, exits: []int{0, 7}},
			cell{fault: "deaf for 5 s", point: p, do: deaf, exits: []int{0, 7}},
			cell{fault: "mute for 5 s", point: p, do: mute, exits: []int{0, 7}},
			cell{fault: "sshd frozen for 5 s", point: p, do: frozen, exits: []int{0, 7}},
			cell{fault: "rebooted", point: p, do: rebooted, exits: []int{0, 3, 7}, lossy: p == onDrain}, // with what was in flight
			cell{fault: "lock taken away", point: p, do: takeLock, exits: []int{3, 4}},
			cell{fault: "HAProxy frozen for 3 s", point: p, do: lbStill, exits: []int{0, 7}, lossy: true},
			cell{fault: "balancer rebooted", point: p, do: lbRebooted, exits: []int{0, 3, 4, 7}, lossy: true},
		)
	}
	stage := func(fault, do string, exits ...int) cell {
		return cell{fault: fault, point: "stage", before: []string{"web2", stages}, do: do, exits: exits, lossy: do == rebooted} // it serves then
	}
	return append(cells,
		stage("cable cut for 5 s", cutOff, 0, 1),
		stage("deaf for 5 s", deaf, 0, 1),
		stage("mute for 5 s", mute, 0, 1),
		stage("sshd frozen for 5 s", frozen, 0, 1),
		stage("rebooted", rebooted, 0, 1),
		stage("balancer's sshd frozen for 5 s", lbFrozen, 0, 1),
		stage("lock taken away", takeLock, 1, 3),
		stage("deployer killed", "kill -KILL $PID", -1),
		cell{fault: "deployer killed", point: "the fence of a balancer", before: []string{"edge1", raises}, do: "kill -KILL $PID", exits: []int{-1}},
		cell{fault: "deployer killed", point: "the fence of a host", before: []string{"web2", fences}, do: "kill -KILL $PID", exits: []int{-1}},
		cell{fault: "deployer killed", point: "the journal", before: []string{"edge1", appends}, do: "kill -KILL $PID", exits: []int{-1}},
	)
}

// TestFaultMatrix: one fault at one point of a rollout under load. Nothing is lost that
// the fault itself does not cost, and the fleet ends uniform and free.
func TestFaultMatrix(t *testing.T) {
	fresh(t)
	k := newKiller(t)
	for i, c := range faultCells() {
		if i%24 != 4 && !whole() {
			continue
		}
		t.Run(c.fault+" at "+strings.TrimPrefix(c.point, "web2:"), func(t *testing.T) {
			k.befalls(t, c, tool(t)+c.do)
		})
	}
}

func (k *killer) befalls(t *testing.T, c cell, do string) {
	before, next := k.runs, k.next()
	unstage(t, next)
	args := k.forward(t, next, "ok")
	var r, settled run
	w := underClients(t, false, func() {
		_, r = k.run(t, args, c.hooks(do)...)
		if r.exit != 0 && r.exit != 7 {
			settled = k.settled(t)
		}
	})
	if !slices.Contains(c.exits, r.exit) {
		t.Errorf("want one of %v, got %s", c.exits, r)
	}
	if settled.result != nil && settled.exit != 0 && settled.exit != 7 {
		t.Errorf("settled: %s", settled)
	}
	if w.Load.Failed != 0 && !c.lossy {
		t.Errorf("%d failed: %s", w.Load.Failed, strings.Join(w.Load.Texts, "\n"))
	}
	t.Logf("%s at %s: exit %d %v %v after %.1fs; settled %v; in rotation while out for at most %d ms; %d served, %d failed", c.fault, c.point, r.exit, r.result["outcome"], r.result["code"],
		r.took.Seconds(), settled.result["outcome"], w.exposed("web2").Milliseconds(), w.Load.Served, w.Load.Failed)
	k.runs = version(t, "web1")
	if k.runs != next && (k.runs != before || r.exit == 0) {
		t.Errorf("web1 runs %s", k.runs)
	}
	wantVersions(t, k.runs)
	noneLeft(t)
	k.sound(t)
}

// hooks are the variables by which a run comes to harm.
func (c cell) hooks(do string) []string {
	if c.before != nil {
		return []string{"FLIPDEPLOY_SEND=" + strings.Join(c.before, "\n"), "FLIPDEPLOY_SEND_DO=" + do}
	}
	return at(c.point, do)
}

// settled goes on with the work from elsewhere, or back where its release is not on every
// host yet.
func (k *killer) settled(t *testing.T) run {
	t.Helper()
	r := flipdeploy(t, slices.Concat([]string{"resume", "--json"}, k.other)...)
	if r.exit == 1 {
		r = flipdeploy(t, slices.Concat([]string{"rollback", "--json"}, k.other)...)
	}
	return r
}

// takeLock ends the shell on the balancer that holds the lock.
const (
	takeLock  = `fleet exec edge1 sh -c '` + endHolder + `'`
	endHolder = `for p in /proc/[0-9]*; do [ "$(readlink $p/fd/9)" != /var/lib/flipdeploy/shop/lease ] || kill -KILL ${p#/proc/}; done`
)

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
