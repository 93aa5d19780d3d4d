//go:build fleet

package e2e

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// A HAProxy reload forgets who is out, so that web2 gets requests again until we set it
// anew. phases are where it is reloaded; in those that are exposed web2's app is being
// changed, or about to be.
var phases = []struct {
	name, point string
	exposed     bool
}{
	{"reloading", onReload, true},
	{"flipping", onFlip, true},
	{"draining", onDrain, true},
	{"drained", "web2:flip:1:before", true},
	{"asked to reload", "web2:reload:1:before", true},
	{"verifying", onVerify, true},
	{"readying", onReady, false}, // verified: a request may come
	{"baking", onBack, false},
}

// pollEvery is how often a run looks whether a host is still out (deploy.Timing.Poll).
const pollEvery = 200 * time.Millisecond

// TestHAProxyReloadedInEachPhase: nothing fails that a bare reload does not cost, and no
// request reaches a host that we hold for longer than a poll after the reload.
//
// Measured by HAProxy itself: it logs for every request, by the clock of the kernel that
// all share, when its first byte came and which server it went to. The time of a host's
// exposure is from the first request that the new worker took to the last that it gave to
// web2 before web2 had none for 300 ms, 20 and more times as long as its share of the load
// is apart, or was verified. A poll is its interval and two scripts, the look and the set:
// as long as the slowest two to that machine took in the same run.
func TestHAProxyReloadedInEachPhase(t *testing.T) {
	fresh(t)
	logged(t)
	k := newKiller(t, "bake = \"1s\"", "bake = \"2s\"")
	some := phases
	if !whole() {
		some = some[:1]
	}
	failed, bare := 0, 0
	for _, p := range some {
		t.Run(p.name, func(t *testing.T) {
			next, scripts := k.next(), t.TempDir()
			mustVerb(t, "exec", "edge1", "truncate", "-s", "0", haproxyLog)
			var r run
			w := underClients(t, true, func() {
				_, r = k.run(t, k.forward(t, next, "ok"), append(at(p.point, tool(t)+"fleet exec edge1 systemctl reload haproxy"), "FLIPDEPLOY_SCRIPTS="+scripts)...)
			})
			k.runs = next
			if r.exit != 0 || r.result["outcome"] != "done" {
				t.Errorf("want 0 (done), got %s", r)
			}
			w.gentle(t)
			failed += w.Load.Classes["post"].Failed
			defer func() { bare += bareReloads(t, "edge1", 1, 2*time.Second) }() // on the same machine, as busy
			seen := requestsSeen(t)
			if len(seen) < w.Load.Served {
				t.Errorf("HAProxy logged %d requests of %d", len(seen), w.Load.Served)
			}
			got, poll := exposed(t, seen, r.began("web2", "readying")), pollEvery+slowest(t, scripts)
			if p.exposed && got > poll {
				t.Errorf("web2 got requests for %s after the reload, want at most %s", got, poll)
			}
			t.Logf("HAProxy reload while %s: requests to web2 for %d ms after it, a poll takes up to %d; %d served, %d failed, %d of them busy POSTs, %d GETs sent again",
				p.name, got.Milliseconds(), poll.Milliseconds(), w.Load.Served, w.Load.Failed, w.Load.Classes["post"].Failed, w.Load.Classes["keepalive"].Retried)
			wantVersions(t, next)
			noneLeft(t)
		})
	}
	costsNoMore(t, len(some), failed, bare)
}

const haproxyLog = "/run/requests.log"

// logged has the first HAProxy say of every request when it came and where it went.
func logged(t *testing.T) {
	t.Helper()
	mustVerb(t, "exec", "edge1", "sh", "-c", `cp /etc/haproxy/haproxy.cfg /root/haproxy.cfg
		sed -i 's/^    log global/    log 127.0.0.1:5140 local1\n    log-format "%tr %s %ST"/' /etc/haproxy/haproxy.cfg
		systemd-run --unit=requests -q socat -u UDP-RECV:5140,rcvbuf=4194304 OPEN:`+haproxyLog+`,creat,append
		systemctl reload haproxy; sleep 0.5`)
	t.Cleanup(func() {
		mustVerb(t, "exec", "edge1", "sh", "-c", "cp /root/haproxy.cfg /etc/haproxy/haproxy.cfg; systemctl stop requests; systemctl reload haproxy")
	})
}

// A requestSeen is a line of HAProxy's log.
type requestSeen struct {
	worker, server string
	at             time.Time
}

var requestLine = regexp.MustCompile(`haproxy\[(\d+)\]: (\d+/\S+) (\S+) (-?\d+)`)

// requestsSeen are those of the log, in the order of their beginning.
func requestsSeen(t *testing.T) (all []requestSeen) {
	t.Helper()
	for _, m := range requestLine.FindAllStringSubmatch(mustVerb(t, "exec", "edge1", "cat", haproxyLog), -1) {
		at, err := time.Parse("02/Jan/2006:15:04:05.000", m[2])
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, requestSeen{m[1], m[3], at})
	}
	slices.SortFunc(all, func(a, b requestSeen) int { return a.at.Compare(b.at) })
	return all
}

// exposed is for how long the new worker gave requests to web2, before that one was out
// again or verified.
func exposed(t *testing.T, seen []requestSeen, verified time.Time) time.Duration {
	t.Helper()
	i := slices.IndexFunc(seen, func(r requestSeen) bool { return r.worker != seen[0].worker })
	if i < 0 {
		t.Fatalf("no second worker in %d requests", len(seen))
	}
	first, last := seen[i].at, seen[i].at
	for _, r := range seen[i:] {
		if r.worker != seen[i].worker || r.server != "web2" {
			continue
		}
		if r.at.Sub(last) > 300*time.Millisecond || r.at.After(verified) {
			break
		}
		last = r.at
	}
	return last.Sub(first)
}

// slowest is how long the slowest two scripts to the balancer took.
func slowest(t *testing.T, scripts string) time.Duration {
	t.Helper()
	var took []time.Duration
	for _, s := range sendings(t, scripts) {
		if s.machine == "edge1" && !strings.Contains(s.text, "fd_line=") { // the lease lasts
			took = append(took, s.answered.Sub(s.at))
		}
	}
	slices.Sort(took)
	return took[len(took)-1] + took[len(took)-2]
}

// began is when a run said that a host came to a phase.
func (r run) began(host, phase string) (at time.Time) {
	for line := range strings.Lines(r.stdout) {
		var e struct {
			Time        time.Time
			Host, Phase string
		}
		if json.Unmarshal([]byte(line), &e) == nil && e.Host == host && e.Phase == phase {
			at = e.Time
		}
	}
	return at
}
