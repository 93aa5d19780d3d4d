package ui

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var midnight = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

// at is e, so many milliseconds after midnight.
func at(ms int, e deploy.Event) deploy.Event {
	e.Time, e.Rollout = midnight.Add(time.Duration(ms)*time.Millisecond), "7f3a"
	return e
}

func host(ms int, name string, p deploy.Phase, detail string, took int64) deploy.Event {
	return at(ms, deploy.Event{Kind: deploy.KindHost, Host: name, Phase: p, Detail: detail, ElapsedMS: took})
}

// aRollout is what the engine says of two hosts, one of which fails.
func aRollout() []deploy.Event {
	return []deploy.Event{
		at(0, deploy.Event{Kind: deploy.KindPlan, Detail: "v1 → v2 on 2 hosts, 1 at a time"}),
		at(5, deploy.Event{Kind: deploy.KindLock, LB: "edge1", Detail: "held"}),
		at(8, deploy.Event{Kind: deploy.KindHost, Phase: deploy.Staging, Total: 40e6}),
		at(9, deploy.Event{Kind: deploy.KindHost, Host: "web1", Phase: deploy.Staging, Bytes: 1e6}),
		host(1400, "web1", deploy.Staged, "v2, 20.0 MB", 1400),
		host(1410, "web10", deploy.Staged, "v2 was there", 12),
		host(1500, "web1", deploy.Draining, "", 0),
		at(1600, deploy.Event{Kind: deploy.KindLB, Host: "web1", LB: "edge1", Detail: "12 sessions"}),
		at(1700, deploy.Event{Kind: deploy.KindLB, Host: "web1", LB: "edge1", Detail: "12 sessions"}),
		host(2700, "web1", deploy.Drained, "0 sessions", 1200),
		host(2710, "web1", deploy.Flipping, "v2", 10),
		host(2800, "web1", deploy.Reloading, "v2", 90),
		host(3000, "web1", deploy.Verifying, "v2", 200),
		host(3400, "web1", deploy.Readying, "v2", 400),
		host(3500, "web1", deploy.Baking, "5s", 100),
		host(8600, "web1", deploy.Done, "", 0),
		at(8700, deploy.Event{Kind: deploy.KindWarning, Host: "web10", LB: "edge2", Code: "FD-LB-FORGOT", Detail: "the balancer restarted: taken out again"}),
		at(8800, deploy.Event{Kind: deploy.KindError, Host: "web10", Code: "FD-UNHEALTHY", Hint: "read the app's log",
			Detail:   `web10: verify: not healthy from edge1 within 30s: /health answered 500 Internal Server Error: "db down" (150 tries, 0 good)`,
			Evidence: []string{"panic: no db", "\x1b]0;owned\a::error::x", "goroutine 1 [running]:"}}),
		host(9000, "web10", deploy.RolledBack, "v1", 0),
		at(9100, deploy.Event{Kind: deploy.KindLB, LB: "edge2", Detail: "HAProxy reload"}),
	}
}

func aResult() deploy.Result {
	return deploy.Result{Time: midnight.Add(9200 * time.Millisecond), Rollout: "7f3a", Outcome: deploy.OutcomePaused, Exit: 3,
		Code: "FD-UNHEALTHY", Error: "web10: verify: not healthy", Hint: `go back with "flipdeploy rollback"`,
		Revision: "v2", Previous: "v1", MinServingSeen: 1, BytesSent: 20e6, BytesArtifact: 20e6, ElapsedMS: 9200,
		Hosts: map[string]deploy.HostResult{
			"web1":  {Phase: deploy.Done, Release: "v2-0a1b2c3d", OutMS: 1900},
			"web10": {Phase: deploy.RolledBack, Release: "v1-ffffffff", OutMS: 31000, Code: "FD-UNHEALTHY", Reason: "web10: verify: not healthy"},
		}}
}

// play shows the rollout and returns what came out.
func play(o Options, events []deploy.Event, r *deploy.Result) (stdout, stderr string) {
	var out, err bytes.Buffer
	o.Out, o.Err = &out, &err
	u := New(o)
	if r != nil {
		u.Fleet("shop", "web1", "web10", "edge1")
	}
	for _, e := range events {
		u.Event(e)
	}
	if r != nil {
		u.Result(*r)
	}
	u.Close()
	return out.String(), err.String()
}

func wantText(t *testing.T, what, got, want string) {
	t.Helper()
	want = strings.TrimPrefix(want, "\n")
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Errorf("%s, line %d\n got %q\nwant %q\nall of it:\n%s", what, i+1, strings.Join(g[min(i, len(g)):], "⏎"), strings.Join(w[min(i, len(w)):], "⏎"), got)
			return
		}
	}
}

func TestPlain(t *testing.T) {
	r := aResult()
	stdout, stderr := play(Options{}, aRollout(), &r)
	wantText(t, "stderr", stderr, `
fleet  plan       v1 → v2 on 2 hosts, 1 at a time
edge1  lock       held
web1   staged     v2, 20.0 MB  1.4s
web10  staged     v2 was there
web1   drained    0 sessions  1.2s
web1   done       7.1s
web10  warning    edge2: the balancer restarted: taken out again [FD-LB-FORGOT]
web10  error      verify: not healthy from edge1 within 30s: /health answered 500 Internal Server Error: "db down" (150 tries, 0 good) [FD-UNHEALTHY]
       | panic: no db
       | \x1b]0;owned\x07::error::x
       | goroutine 1 [running]:
       hint: read the app's log
web10  rolled_back  v1
edge2  lb         HAProxy reload
flipdeploy: web10: verify: not healthy [FD-UNHEALTHY]
flipdeploy: hint: go back with "flipdeploy rollback"
`)
	wantText(t, "stdout", stdout, `
paused: shop v2 on 1 of 2 hosts after 9.2s; at least 1 of 2 served; v1 before; none is out
  web10  rolled_back  v1  verify: not healthy [FD-UNHEALTHY]
`)
}

func TestPlainSaysMoreOrLess(t *testing.T) {
	events := aRollout()[6:10]
	_, stderr := play(Options{Verbose: 1}, events, nil)
	wantText(t, "with -v", stderr, `
web1  draining
web1  draining   edge1: 12 sessions
web1  drained    0 sessions  1.2s
`)
	_, stderr = play(Options{Quiet: true}, aRollout(), nil)
	wantText(t, "with -q", stderr, `
web10  warning    edge2: the balancer restarted: taken out again [FD-LB-FORGOT]
web10  error      verify: not healthy from edge1 within 30s: /health answered 500 Internal Server Error: "db down" (150 tries, 0 good) [FD-UNHEALTHY]
       | panic: no db
       | \x1b]0;owned\x07::error::x
       | goroutine 1 [running]:
       hint: read the app's log
`)
}

func TestPlainWithColourSaysTheSame(t *testing.T) {
	_, plain := play(Options{}, aRollout(), nil)
	_, coloured := play(Options{Color: true}, aRollout(), nil)
	if !strings.Contains(coloured, "\x1b[31merror    \x1b[0m  verify") {
		t.Errorf("no red error in %q", coloured)
	}
	for _, c := range []string{"32", "31", "33", "36", "0"} {
		coloured = strings.ReplaceAll(coloured, "\x1b["+c+"m", "")
	}
	wantText(t, "without its colours", coloured, plain)
}

func TestPlainSaysThatItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		u := New(Options{Out: &log, Err: &log})
		time.Sleep(time.Minute) // nothing began: nothing to say
		u.Event(deploy.Event{Kind: deploy.KindHost, Phase: deploy.Staging, Total: 160e6})
		u.Event(deploy.Event{Kind: deploy.KindHost, Host: "web1", Phase: deploy.Staging, Bytes: 45e6})
		time.Sleep(2 * time.Second)
		u.Event(host(0, "web1", deploy.Staged, "v2", 0))
		time.Sleep(16500 * time.Millisecond)
		u.Event(host(0, "web1", deploy.Draining, "", 0))
		u.Event(host(0, "web2", deploy.Drained, "", 0))
		u.Event(deploy.Event{Kind: deploy.KindLB, Host: "web1", LB: "edge1", Detail: "12 sessions"})
		for range 63 { // asked again and again, with the same answer
			time.Sleep(500 * time.Millisecond)
			u.Event(deploy.Event{Kind: deploy.KindLB, Host: "web1", LB: "edge1", Detail: "12 sessions"})
		}
		u.Event(host(0, "web1", deploy.Done, "", 0))
		time.Sleep(10 * time.Second)
		u.Close()
		wantText(t, "log", log.String(), `
web1  staged     v2
fleet  waiting    staging 45.0 of 160.0 MB  15.0s
web2   drained
fleet  waiting    web1 draining (edge1: 12 sessions), web2 drained  15.5s
fleet  waiting    web1 draining (edge1: 12 sessions), web2 drained  30.5s
web1   done
`)
	})
}

func TestJSON(t *testing.T) {
	r := aResult()
	events := aRollout()
	stdout, stderr := play(Options{JSON: true}, append(events[:1:1], events[2], events[3], events[7], events[9], events[17]), &r)
	wantText(t, "stdout", stdout, `
{"seq":1,"time":"2026-01-02T00:00:00Z","rollout":"7f3a","kind":"plan","detail":"v1 → v2 on 2 hosts, 1 at a time"}
{"seq":2,"time":"2026-01-02T00:00:01.6Z","rollout":"7f3a","kind":"lb","host":"web1","lb":"edge1","detail":"12 sessions"}
{"seq":3,"time":"2026-01-02T00:00:02.7Z","rollout":"7f3a","kind":"host","host":"web1","phase":"drained","detail":"0 sessions","elapsed_ms":1200}
{"seq":4,"time":"2026-01-02T00:00:08.8Z","rollout":"7f3a","kind":"error","host":"web10","detail":"web10: verify: not healthy from edge1 within 30s: /health answered 500 Internal Server Error: \"db down\" (150 tries, 0 good)","code":"FD-UNHEALTHY","hint":"read the app's log","evidence":["panic: no db","\\x1b]0;owned\\x07::error::x","goroutine 1 [running]:"]}
{"kind":"result","seq":5,"time":"2026-01-02T00:00:09.2Z","rollout":"7f3a","outcome":"paused","exit":3,"code":"FD-UNHEALTHY","error":"web10: verify: not healthy","hint":"go back with \"flipdeploy rollback\"","revision":"v2","previous":"v1","hosts":{"web1":{"phase":"done","release":"v2-0a1b2c3d","out_ms":1900},"web10":{"phase":"rolled_back","release":"v1-ffffffff","out_ms":31000,"code":"FD-UNHEALTHY","reason":"web10: verify: not healthy"}},"min_serving_seen":1,"bytes_sent":20000000,"bytes_artifact":20000000,"elapsed_ms":9200}
`)
	wantText(t, "stderr", stderr, `
web10  error      verify: not healthy from edge1 within 30s: /health answered 500 Internal Server Error: "db down" (150 tries, 0 good) [FD-UNHEALTHY]
       | panic: no db
       | \x1b]0;owned\x07::error::x
       | goroutine 1 [running]:
       hint: read the app's log
flipdeploy: web10: verify: not healthy [FD-UNHEALTHY]
flipdeploy: hint: go back with "flipdeploy rollback"
`)
}

func TestJSONHasNothingAfterTheResult(t *testing.T) {
	var out, err bytes.Buffer
	u := New(Options{Out: &out, Err: &err, JSON: true, Verbose: 1})
	u.Result(deploy.Result{Time: midnight, Outcome: deploy.OutcomeNothing})
	u.Event(aRollout()[0])
	u.Result(aResult())
	u.Close()
	u.Event(aRollout()[0])
	u.Close()
	wantText(t, "stdout", out.String(), `{"kind":"result","seq":1,"time":"2026-01-02T00:00:00Z","outcome":"nothing","exit":0,"hosts":{},"min_serving_seen":0,"bytes_sent":0,"bytes_artifact":0,"elapsed_ms":0}
`)
	wantText(t, "stderr", err.String(), "")
}

func TestEventsNeverWaitForAPipeThatStandsStill(t *testing.T) {
	stuck := make(chan struct{})
	u := New(Options{Out: blocked(stuck), Err: blocked(stuck), JSON: true, Verbose: 1})
	for range 1000 {
		u.Event(aRollout()[0])
	}
	u.Result(aResult())
	close(stuck)
	u.Close()
}

type blocked chan struct{}

func (b blocked) Write(p []byte) (int, error) { <-b; return len(p), nil }

func TestEventsFromManyGoroutines(t *testing.T) {
	var log lockedBuffer
	u := New(Options{Out: &log, Err: &log, Live: true})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, e := range aRollout() {
				u.Event(e)
			}
		})
	}
	all.Wait()
	u.Close()
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
