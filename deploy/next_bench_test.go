package deploy

import (
	"fmt"
	"syscall"
	"testing"
	"time"
)

// BenchmarkRolloutOf10000 is all that the planner takes for a rollout of 10,000 hosts, one
// in a hundred of which fails: a decision each time that one of them ended.
func BenchmarkRolloutOf10000(b *testing.B) {
	for _, parallel := range []int{1, 500} {
		b.Run(fmt.Sprint("parallel-", parallel), func(b *testing.B) {
			decisions, used := 0, time.Duration(0)
			for b.Loop() {
				x, before := planned(b, 10_000, parallel), processor(b)
				decisions += x.rollOut()
				used += processor(b) - before
			}
			b.ReportMetric(used.Seconds()/float64(b.N), "cpu-s/op")
			b.ReportMetric(float64(used.Nanoseconds())/float64(decisions), "cpu-ns/decision")
		})
	}
}

// planned is a run before its first decision.
func planned(b *testing.B, hosts, parallel int) *run {
	p := Plan{Serving: hosts, Parallel: parallel, Canary: 1, MaxFail: hosts, OnFailure: FailContinue}
	for i := range hosts {
		p.Hosts = append(p.Hosts, PlannedHost{Name: fmt.Sprint("web", i), From: "v1", To: "v2", Ran: true, Serving: true})
	}
	r := &Rollout{Plan: p, Timing: Timing{}.filled()}
	x := &run{Rollout: r, ctx: b.Context(), stop: b.Context(), hosts: r.views(), errs: map[string]error{}, moved: time.Now()}
	x.index()
	return x
}

// rollOut has hosts end in the order in which they began, and counts the decisions.
func (x *run) rollOut() (decisions int) {
	var busy []string
	for n := 1; ; n++ {
		d := x.decide()
		if d.Over {
			return n
		}
		for _, h := range d.Start {
			x.begin(h)
		}
		busy = append(busy, d.Start...)
		e := ending{phase: Done, changed: true}
		if n%100 == 0 {
			e = ending{phase: RolledBack, failed: true}
		}
		x.with(busy[0], func(v *HostView) { x.take(v, e) })
		busy = busy[1:]
	}
}

// processor is the time that this process has had of one: others do not count.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
