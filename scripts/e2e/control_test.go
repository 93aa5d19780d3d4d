//go:build fleet

package e2e

import (
	"math"
	"testing"
	"time"
)

// A reload of a balancer closes connections that clients keep, on any day and without
// us: what crosses that on the wire is lost to a client that does not ask again, and a
// POST may not be asked again. How many are lost says nothing by itself; it is held
// against as many reloads, under the same load on the same machine, that nobody but a
// person asked for.

// bareReloads is how many busy POSTs n reloads of a balancer cost that nobody but a
// person asked for, at a pace, with nobody rolling out.
func bareReloads(t *testing.T, edge string, n int, pace time.Duration) int {
	t.Helper()
	return underClients(t, true, func() {
		for range n {
			reloadLB(t, edge)
			time.Sleep(pace)
		}
	}).Load.Classes["post"].Failed
}

func reloadLB(t *testing.T, edge string) {
	t.Helper()
	if isNginx(edge) {
		mustVerb(t, "exec", edge, "nginx", "-s", "reload")
		return
	}
	mustVerb(t, "exec", edge, "systemctl", "reload", "haproxy")
}

// costsNoMore fails the test when more POSTs failed in n reloads while we rolled out
// than as many bare ones cost, by more than the spread of such counts (Poisson's, and
// three where none failed at all).
func costsNoMore(t *testing.T, n, failed, bare int) {
	t.Helper()
	t.Logf("busy POSTs that failed: %d in %d reloads while we rolled out, %d in as many bare ones", failed, n, bare)
	if spread := 3 + 3*math.Sqrt(float64(bare)); float64(failed) > float64(bare)+spread {
		t.Errorf("more POSTs failed than bare reloads cost: %d, want at most %d + %.1f", failed, bare, spread)
	}
}
