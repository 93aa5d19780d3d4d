package lb_test

import (
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

// waves takes every host out once, one at a time, each edit returning the one before.
// A host that is out is killed and comes up again.
func waves(t testing.TB, d *lb.Nginx, b map[string]*lbtest.Backend) {
	t.Helper()
	var back []string
	for _, host := range lbtest.Names(b) {
		ctx := lbtest.Within(t, 20*time.Second)
		must(t, d.MaySwap(ctx, lbtest.Shell{}, back, []string{host}, len(b)-1))
		must(t, d.Swap(ctx, lbtest.Shell{}, back, []string{host}, len(b)-1))
		must(t, d.Empty(ctx, lbtest.Shell{}, host, quiet))
		if n := b[host].InFlight.Load(); n != 0 {
			t.Errorf("%s: %d requests in flight on an empty host", host, n)
		}
		b[host].Kill()
		time.Sleep(30 * time.Millisecond)
		b[host].Revive()
		back = []string{host}
	}
	must(t, d.Swap(lbtest.Within(t, 20*time.Second), lbtest.Shell{}, back, nil, 0))
}

func TestNginxWavesTakeOneReloadMoreThanThereAreWaves(t *testing.T) {
	t.Parallel()
	g, d, b := startNginx(t, 4, "")
	before := g.Read("sites-available/shop")
	load := lbtest.StartLoad(t, g.Addr, "")
	load.Reopen(true)
	lbtest.Eventually(t, "all hosts get traffic", func() bool {
		for host := range b {
			if load.By(host) == 0 {
				return false
			}
		}
		return true
	})
	waves(t, d, b)
	load.Stop(t)
	if n := g.Reloads(); n != 5 {
		t.Errorf("%d reloads, want 5", n)
	}
	if g.Read("sites-available/shop") != before {
		t.Errorf("the file is not as before:\n%s", g.Read("sites-available/shop"))
	}
}

// BenchmarkNginxWaves counts, for four hosts, what clients see: those that reopen a
// connection that was closed under them, those that do not, and the same of as many
// bare reloads.
func BenchmarkNginxWaves(b *testing.B) {
	for _, strict := range []bool{false, true} {
		name := map[bool]string{false: "reopening", true: "strict"}[strict]
		b.Run(name, func(b *testing.B) {
			g, d, hosts := startNginx(b, 4, "")
			failed, bare, requests := 0, 0, 0
			for b.Loop() {
				load := lbtest.StartLoad(b, g.Addr, "")
				load.Reopen(!strict)
				time.Sleep(200 * time.Millisecond)
				waves(b, d, hosts)
				f, r := load.Count()
				failed, requests = failed+f, requests+r
				load = lbtest.StartLoad(b, g.Addr, "")
				load.Reopen(!strict)
				for range 5 {
					time.Sleep(600 * time.Millisecond)
					g.HUP()
				}
				time.Sleep(600 * time.Millisecond)
				f, _ = load.Count()
				bare += f
			}
			b.ReportMetric(float64(failed)/float64(b.N), "failed/rollout")
			b.ReportMetric(float64(bare)/float64(b.N), "failed/5-bare-reloads")
			b.ReportMetric(float64(requests)/float64(b.N), "requests/rollout")
		})
	}
}

func BenchmarkNginxRoundTrip(b *testing.B) {
	_, d, _ := startNginx(b, 4, "")
	var seats, drain, empty, ready []time.Duration
	for b.Loop() {
		ctx := lbtest.Within(b, 20*time.Second)
		seats = append(seats, took(func() { _, err := d.Seats(ctx); must(b, err) }))
		drain = append(drain, took(func() { must(b, d.Drain(ctx, lbtest.Shell{}, "web1", 1)) }))
		empty = append(empty, took(func() { must(b, d.Empty(ctx, lbtest.Shell{}, "web1", quiet)) }))
		ready = append(ready, took(func() { must(b, d.Ready(ctx, lbtest.Shell{}, "web1", quiet)) }))
	}
	b.ReportMetric(median(seats), "seats-ms")
	b.ReportMetric(median(drain), "drain-ms")
	b.ReportMetric(median(empty), "empty-ms")
	b.ReportMetric(median(ready), "ready-ms")
}
