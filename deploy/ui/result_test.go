package ui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// hostsOf is hosts from "web1 done v2, web2 stuck v1: reason".
func hostsOf(text string) map[string]deploy.HostResult {
	hosts := map[string]deploy.HostResult{}
	for one := range strings.SplitSeq(text, ", ") {
		var name, phase, release string
		text, reason, _ := strings.Cut(one, ": ")
		fmt.Sscan(text, &name, &phase, &release)
		hosts[name] = deploy.HostResult{Phase: deploy.Phase(phase), Release: release + "-0a1b2c3d", Reason: reason}
	}
	return hosts
}

func TestResultForAPerson(t *testing.T) {
	for _, c := range []struct {
		outcome deploy.Outcome
		hosts   string
		want    string
	}{
		{deploy.OutcomeDone, "web1 done v2, web2 done v2", "done: shop v2 on 2 hosts in 6.1s; at least 1 of 2 served; v1 before\n"},
		{deploy.OutcomeDone, "web1 done v2, web2 left_out v1: taken out by hand", `
done: shop v2 on 1 of 2 hosts in 6.1s; at least 1 of 2 served; v1 before
  web2  left_out  v1  taken out by hand
`},
		{deploy.OutcomeDone, "web1 done v2", "done: shop v2 on 1 host in 6.1s; at least 1 of 1 served; v1 before\n"},
		{deploy.OutcomeNothing, "web1 done v2, web2 done v2", "nothing: shop v2 on 2 hosts already\n"},
		{deploy.OutcomeNothing, "", "nothing: there was nothing to do\n"},
		{deploy.OutcomeRolledBack, "web1 rolled_back v1: web1: verify: not healthy, web2 staged v1, web3 left_out v1", `
rolled_back: shop back on v1 on 2 of 3 hosts in 6.1s; at least 1 of 3 served; v2 failed
  web1  rolled_back  v1  verify: not healthy
`},
		{deploy.OutcomePaused, "web1 done v2, web2 failed v2: no way back, web3 staged v1", `
paused: shop v2 on 2 of 3 hosts after 6.1s; at least 1 of 3 served; v1 before; out: web2 (failed)
  web2  failed  v2  no way back
`},
		{deploy.OutcomeStuck, "web1 stuck v1, web2 unknown v1", `
stuck: shop v2 on 0 of 2 hosts after 6.1s; at least 1 of 2 served; v1 before; out: web1 (stuck), web2 (unknown)
  web1  stuck  v1
  web2  unknown  v1
`},
		{deploy.OutcomeInterrupted, "web1 drained v1, web2 staged v1", `
interrupted: shop v2 on 0 of 2 hosts after 6.1s; at least 1 of 2 served; v1 before; out: web1 (drained)
  web1  drained  v1
`},
		{deploy.OutcomeRefused, "", "refused: nothing was changed\n"},
		{deploy.OutcomeLocked, "", "locked: nothing was changed\n"},
		{deploy.OutcomeUnfinished, "", "unfinished: nothing was changed\n"},
	} {
		r := deploy.Result{Outcome: c.outcome, Revision: "v2", Previous: "v1", MinServingSeen: 1, ElapsedMS: 6100}
		if c.hosts != "" {
			r.Hosts = hostsOf(c.hosts)
		}
		stdout, stderr := play(Options{Quiet: true}, nil, &r)
		wantText(t, string(c.outcome)+" "+c.hosts, stdout+stderr, c.want)
	}
}

func TestDurations(t *testing.T) {
	for ms, want := range map[int64]string{0: "", 49: "", 412: "0.4s", 1200: "1.2s", 59900: "59.9s", 60000: "1m00s", 125000: "2m05s", 3725000: "62m05s"} {
		if got := elapsed(deploy.Event{ElapsedMS: ms}); got != want {
			t.Errorf("%d ms is %q, want %q", ms, got, want)
		}
	}
}

func TestTheLastLineHasTheReceipt(t *testing.T) {
	r := deploy.Result{Outcome: deploy.OutcomeDone, Revision: "v2", MinServingSeen: 1, ElapsedMS: 6100, Hosts: hostsOf("web1 done v2"),
		Probe: &deploy.Probe{URL: "http://shop/", Requests: 1842, P99MS: 3}}
	stdout, _ := play(Options{}, nil, &r)
	wantText(t, "stdout", stdout, "done: shop v2 on 1 host in 6.1s; at least 1 of 1 served; 0 failed of 1,842 · p99 3 ms\n")
	r.Outcome, r.Probe = deploy.OutcomePaused, &deploy.Probe{Requests: 12, Failed: 12}
	stdout, _ = play(Options{}, nil, &r)
	wantText(t, "stdout", stdout, "paused: shop v2 on 1 host after 6.1s; at least 1 of 1 served; none is out; 12 failed of 12\n")
}
