package lb_test

import (
	"slices"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

// BenchmarkRoundTrip takes an idle host out and back; the medians are reported, on
// loopback and with checks every 100 ms.
func BenchmarkRoundTrip(b *testing.B) {
	for _, graceful := range []bool{false, true} {
		name := map[bool]string{false: "maint", true: "drain"}[graceful]
		b.Run(name, func(b *testing.B) {
			r := lbtest.HAProxyRig("check", func(h *lbtest.HAProxy, c *lb.HAProxyConfig) {
				c.MasterSocket, c.GracefulReload, c.PollEvery = h.Master, graceful, 100*time.Millisecond
			})(b, 4)
			var drain, empty, ready []time.Duration
			for b.Loop() {
				ctx := lbtest.Within(b, 20*time.Second)
				drain = append(drain, took(func() { must(b, r.Driver.Drain(ctx, r.Act, "web1", 1)) }))
				empty = append(empty, took(func() { must(b, r.Driver.Empty(ctx, r.Act, "web1", quiet)) }))
				ready = append(ready, took(func() { must(b, r.Driver.Ready(ctx, r.Act, "web1", quiet)) }))
			}
			b.ReportMetric(median(drain), "drain-ms")
			b.ReportMetric(median(empty), "empty-ms")
			b.ReportMetric(median(ready), "ready-ms")
		})
	}
}

func took(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func median(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/2].Microseconds()) / 1000
}
