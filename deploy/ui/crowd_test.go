package ui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// aCrowd is a rollout of 250 hosts, each tenth of which fails, and what is told of it.
func aCrowd(o Options) (stdout, stderr string) {
	var names []string
	var events []deploy.Event
	r := aResult()
	r.Hosts = map[string]deploy.HostResult{}
	for i := range 250 {
		n := fmt.Sprintf("web%03d", i+1)
		names = append(names, n)
		events = append(events, host(i, n, deploy.Staged, "v2, 20.0 MB", int64(100+i)))
		r.Hosts[n] = deploy.HostResult{Phase: deploy.Done, Release: "v2-0a1b2c3d"}
	}
	for i, n := range names {
		ms := 1000 + 10*i
		events = append(events, host(ms, n, deploy.Draining, "", 0), host(ms+1, n, deploy.Drained, "no request in flight", 1))
		if i%10 == 9 {
			events = append(events, at(ms+2, deploy.Event{Kind: deploy.KindError, Host: n, Code: "FD-UNHEALTHY", Hint: "read the app's log",
				Detail: n + ": verify: not healthy", Evidence: []string{"panic: no db"}}), host(ms+900, n, deploy.Failed, "", 0))
			r.Hosts[n] = deploy.HostResult{Phase: deploy.Failed, Release: "v2-0a1b2c3d", Code: "FD-UNHEALTHY", Reason: n + ": verify: not healthy"}
			continue
		}
		events = append(events, host(ms+500+i, n, deploy.Done, "v2", 0))
	}
	var out, err strings.Builder
	o.Out, o.Err = &out, &err
	u := New(o)
	u.Fleet("shop", names...)
	for _, e := range events {
		u.Event(e)
	}
	u.Result(r)
	u.Close()
	return out.String(), err.String()
}

func TestCrowdIsToldByGroupsAndItsFailuresOneByOne(t *testing.T) {
	stdout, stderr := aCrowd(Options{})
	lines := strings.Split(stderr, "\n")
	for _, want := range []string{
		"fleet   staged     10 of 250 hosts, slowest web010 0.1s",
		"fleet   staged     250 of 250 hosts, slowest web250 0.3s",
		"fleet   done       10 of 250 hosts, 1 error, slowest web011 0.5s",
		"web010  error      verify: not healthy [FD-UNHEALTHY]",
		"        | panic: no db",
		"        hint: read the app's log",
		"fleet   error      that was number 20: more are counted only, -v tells each",
	} {
		if !strings.Contains(stderr, want+"\n") {
			t.Errorf("no line %q", want)
		}
	}
	if n := strings.Count(stderr, " error  "); n != 21 {
		t.Errorf("%d errors were told", n)
	}
	if n := strings.Count(stderr, "| panic"); n != 3 {
		t.Errorf("of %d errors all was told", n)
	}
	if len(lines) > 120 {
		t.Errorf("%d lines", len(lines))
	}
	wantText(t, "the end of the result", stdout[strings.Index(stdout, "  web190"):], `
  web190  failed  v2  verify: not healthy [FD-UNHEALTHY]
  web200  failed  v2  verify: not healthy [FD-UNHEALTHY]
  and 5 more: flipdeploy show 7f3a
`)
	if !strings.Contains(stdout, "web200 (failed) and 5 more\n") {
		t.Errorf("not all that is out is counted:\n%s", stdout)
	}
}

func TestCrowdIsToldHostByHostToWhoAsks(t *testing.T) {
	stdout, stderr := aCrowd(Options{Verbose: 1})
	for what, n := range map[string]int{" error  ": 25, "  staged  ": 250, "  done  ": 225, "| panic": 25} {
		if got := strings.Count(stderr, what); got != n {
			t.Errorf("%q: %d lines, want %d", what, got, n)
		}
	}
	if n := strings.Count(stdout, "\n  web"); n != 25 {
		t.Errorf("%d hosts in the result", n)
	}
}

func TestSilenceOfACrowdGetsLonger(t *testing.T) {
	c := crowdOf(Options{}, 1000)
	var waits []string
	for c.quiet = range 24 {
		if w := c.patience().String(); len(waits) == 0 || waits[len(waits)-1] != w {
			waits = append(waits, w)
		}
	}
	wantText(t, "waits", strings.Join(waits, " "), "15s 1m0s 5m0s")
	wantText(t, "numbers", thousands(7)+" "+thousands(1000)+" "+thousands(1234567), "7 1,000 1,234,567")
}
