package lb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

func quiet(string) {}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start runs a HAProxy whose pools are written with the backends' names for their
// addresses, and a driver for upstreams.
func start(t *testing.T, n int, pools string, change func(*lb.HAProxyConfig), upstreams ...string) (*lbtest.HAProxy, *lb.HAProxy, map[string]*lbtest.Backend) {
	backends := lbtest.NewBackends(t, n)
	for name, b := range backends {
		pools = strings.ReplaceAll(pools, "@"+name, b.Addr)
	}
	h := lbtest.StartHAProxy(t, pools)
	cfg := h.Config(backends, upstreams...)
	cfg.MasterSocket = h.Master
	if change != nil {
		change(&cfg)
	}
	return h, lb.NewHAProxy(cfg, lbtest.Shell{}), backends
}

func states(t *testing.T, d *lb.HAProxy) map[string]lb.Seat {
	t.Helper()
	seats, err := d.Seats(lbtest.Within(t, 5*time.Second))
	must(t, err)
	return seats
}

const stickyPool = "backend shop\n  cookie SRV insert indirect nocache\n  server web1 @web1 cookie c1\n  server web2 @web2 cookie c2\n"

func TestStickyClientsLeaveThroughMaint(t *testing.T) {
	t.Parallel()
	h, d, b := start(t, 2, stickyPool, func(c *lb.HAProxyConfig) { c.MaintKeepsSessions = true }, "shop")
	load := lbtest.StartLoad(t, h.Addr, "SRV=c1")
	lbtest.Eventually(t, "sticky traffic", func() bool { return load.By("web1") > 20 })
	must(t, d.Drain(lbtest.Within(t, 5*time.Second), lbtest.Shell{}, "web1", 1))
	var said []string
	must(t, d.Empty(lbtest.Within(t, 8*time.Second), lbtest.Shell{}, "web1", func(s string) { said = append(said, s) }))
	if want := "to maint: the app's socket may close while it reloads"; !slices.Contains(said, want) {
		t.Errorf("said %q, want %q", said, want)
	}
	before := b["web1"].Served.Load()
	time.Sleep(200 * time.Millisecond)
	if n := b["web1"].Served.Load() - before; n != 0 {
		t.Errorf("%d requests came to an empty host", n)
	}
	must(t, d.Ready(lbtest.Within(t, 5*time.Second), lbtest.Shell{}, "web1", quiet))
	load.Stop(t)
}

func TestStickyClientsThatNeverPauseAreNotCut(t *testing.T) {
	t.Parallel()
	h, d, _ := start(t, 2, strings.ReplaceAll(stickyPool, "cookie c", "on-marked-down shutdown-sessions cookie c"), nil, "shop")
	load := lbtest.StartLoad(t, h.Addr, "SRV=c1")
	lbtest.Eventually(t, "sticky traffic", func() bool { return load.By("web1") > 20 })
	long := make(chan error, 1)
	go func() {
		_, err := lbtest.Get(h.Addr, "/slow?for=2500ms", "SRV=c1")
		long <- err
	}()
	time.Sleep(50 * time.Millisecond)
	must(t, d.Drain(lbtest.Within(t, 5*time.Second), lbtest.Shell{}, "web1", 1))
	err := d.Empty(lbtest.Within(t, 1500*time.Millisecond), lbtest.Shell{}, "web1", quiet)
	var busy *lb.BusyError
	if !errors.As(err, &busy) || !busy.Arriving || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want a BusyError with requests arriving", err)
	}
	if s := states(t, d)["web1"]; s.State != lb.StateDrain {
		t.Errorf("got %+v, want it drained", s)
	}
	must(t, d.GiveBack(lbtest.Within(t, 5*time.Second), lbtest.Shell{}, "web1"))
	must(t, <-long)
	load.Stop(t)
}

func TestMaintIsSkippedOnlyWhereProvenUnneeded(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, pools, said string }{
		{"plain", "backend shop\n  server web1 @web1\n  server web2 @web2\n", ""},
		{"rates are counted, nobody is kept", "backend shop\n  stick-table type ip size 1k store http_req_rate(10s)\n  server web1 @web1\n  server web2 @web2\n", ""},
		{"cookie", "backend shop\n  cookie SRV insert\n  server web1 @web1 cookie a\n  server web2 @web2\n", "to maint: shop has a cookie"},
		{"cookie of another server", "backend shop\n  cookie SRV insert\n  server web1 @web1\n  server web2 @web2 cookie b\n", "to maint: shop has a cookie"},
		{"table of another pool", "backend shop\n  stick on src table t\n  server web1 @web1\n  server web2 @web2\nbackend t\n  stick-table type ip size 1k\n", "to maint: stick-table t keeps clients with a server"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, d, _ := start(t, 2, c.pools, func(c *lb.HAProxyConfig) { c.GracefulReload = true }, "shop")
			ctx, said := lbtest.Within(t, 5*time.Second), ""
			must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
			must(t, d.Empty(ctx, lbtest.Shell{}, "web1", func(s string) {
				if strings.HasPrefix(s, "to maint") {
					said = s
				}
			}))
			if said != c.said {
				t.Errorf("said %q, want %q", said, c.said)
			}
			must(t, d.Ready(ctx, lbtest.Shell{}, "web1", quiet))
		})
	}
}

func TestAllNamesOfAHostGoTogether(t *testing.T) {
	t.Parallel()
	h, d, b := start(t, 3, `backend shop
  option httpchk GET /health
  server web1 @web1 check
  server-template app 2 @web1
  server web2 @web2 check
  server spare @web3 check backup
backend api
  server a1 @web1 track shop/web1
  server a2 @web2
`, nil, "shop", "api")
	ctx := lbtest.Within(t, 10*time.Second)
	must(t, d.Check(ctx))
	if s := states(t, d); s["web3"].Serving || s["web3"].State != lb.StateReady || !s["web1"].Serving {
		t.Errorf("a backup must not count as serving: %+v", s)
	}
	wantErr(t, d.Claim(ctx, lbtest.Shell{}, "web1", 2), "FD-FLOOR", "without it 1 would serve, fewer than 2")
	must(t, d.Claim(ctx, lbtest.Shell{}, "web1", 1))
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	must(t, d.Empty(ctx, lbtest.Shell{}, "web1", quiet))
	before := b["web1"].Served.Load()
	for range 12 {
		_, err := lbtest.Get(h.Addr, "/", "")
		must(t, err)
	}
	if n := b["web1"].Served.Load() - before; n != 0 {
		t.Errorf("%d requests came under another name", n)
	}
	want := "shop/web1 MAINT, shop/app1 MAINT, shop/app2 MAINT, api/a1 MAINT (via shop/web1)"
	if s := states(t, d)["web1"]; s.State != lb.StateMaint || s.Detail != want {
		t.Errorf("got %+v, want %s", s, want)
	}
	must(t, d.Ready(ctx, lbtest.Shell{}, "web1", quiet))
	if s := states(t, d)["web1"]; s.State != lb.StateReady || !s.Serving {
		t.Errorf("got %+v", s)
	}
}

func TestTheLastServerOfAPoolStays(t *testing.T) {
	t.Parallel()
	_, d, _ := start(t, 3, "backend shop\n  server web1 @web1\n  server web2 @web2\nbackend api\n  server web3 @web3\n", nil, "shop", "api")
	ctx := lbtest.Within(t, 5*time.Second)
	wantErr(t, d.Claim(ctx, lbtest.Shell{}, "web3", 1), "FD-FLOOR", "without it 0 would serve in api")
	must(t, d.Claim(ctx, lbtest.Shell{}, "web3", 0))
}

func TestATrackedServerOfAnotherHostIsRefused(t *testing.T) {
	t.Parallel()
	_, d, _ := start(t, 2, "backend shop\n  option httpchk GET /health\n  server web1 @web1 check\n  server web2 @web2 track shop/web1\n", nil, "shop")
	err := d.Claim(lbtest.Within(t, 5*time.Second), lbtest.Shell{}, "web2", 0)
	wantErr(t, err, "FD-LB-TRACK", "it tracks a server that is not this host's: shop/web2 shop/web1")
}

func TestAHalfDrainedHostIsPutBack(t *testing.T) {
	t.Parallel()
	_, d, _ := start(t, 2, "backend shop\n  server web1 @web1\n  server web2 @web2\nbackend api\n  server web1 @web1\n  server web2 @web2\n", nil, "shop", "api")
	err := d.Drain(lbtest.Within(t, 5*time.Second), refusing{"api/web1"}, "web1", 1)
	wantErr(t, err, "FD-LB-SET", "HAProxy refused to set api/web1 No such server.")
	if s := states(t, d)["web1"]; s.State != lb.StateReady || !s.Serving {
		t.Errorf("got %+v, want it as it was", s)
	}
}

// refusing has HAProxy not know one server when it is to be drained.
type refusing struct{ key string }

func (r refusing) Run(ctx context.Context, script string) ([]byte, error) {
	script = strings.Replace(script, "}set server $fd_p state", "}set server $(case $fd_p-$fd_to in "+r.key+"-drain) echo shop/none ;; *) echo $fd_p ;; esac) state", 1)
	return lbtest.Shell{}.Run(ctx, script)
}

func TestRequestsInOldWorkersAreWaitedFor(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*lb.HAProxyConfig)
	}{
		{"asked through the master", nil},
		{"seen as sockets", func(c *lb.HAProxyConfig) { c.MasterSocket = "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, d, b := start(t, 1, "backend shop\n  server web1 @web1\n", c.change, "shop")
			states(t, d)
			done := make(chan error, 1)
			go func() {
				_, err := lbtest.Get(h.Addr, "/slow?for=1200ms", "")
				done <- err
			}()
			lbtest.Eventually(t, "a request in flight", func() bool { return b["web1"].InFlight.Load() > 0 })
			h.Reload()
			ctx := lbtest.Within(t, 5*time.Second)
			must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 0))
			must(t, d.Empty(ctx, lbtest.Shell{}, "web1", quiet))
			if n := b["web1"].InFlight.Load(); n != 0 {
				t.Errorf("%d requests in flight on an empty host", n)
			}
			must(t, <-done)
		})
	}
}

func TestAReloadWhileEmptyingIsToldAgain(t *testing.T) {
	t.Parallel()
	h, d, b := start(t, 2, "backend shop\n  server web1 @web1\n  server web2 @web2\n", nil, "shop")
	ctx := lbtest.Within(t, 8*time.Second)
	for range 2 {
		go func() { _, _ = lbtest.Get(h.Addr, "/slow?for=900ms", "") }()
	}
	lbtest.Eventually(t, "a request in flight", func() bool { return b["web1"].InFlight.Load() > 0 })
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	h.Reload()
	must(t, d.Empty(ctx, lbtest.Shell{}, "web1", quiet))
	if s := states(t, d)["web1"]; s.State != lb.StateMaint || b["web1"].InFlight.Load() != 0 {
		t.Errorf("got %+v with %d requests, want maint and none", s, b["web1"].InFlight.Load())
	}
}

func TestAForgottenHostGoesToMaintOnlyWhenIdle(t *testing.T) {
	t.Parallel()
	h, d, b := start(t, 1, "backend shop\n  server web1 @web1 on-marked-down shutdown-sessions\n", nil, "shop")
	ctx := lbtest.Within(t, 8*time.Second)
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 0))
	must(t, d.Empty(ctx, lbtest.Shell{}, "web1", quiet))
	h.Reload()
	done := make(chan error, 1)
	go func() {
		_, err := lbtest.Get(h.Addr, "/slow?for=2s", "")
		done <- err
	}()
	lbtest.Eventually(t, "a request came in", func() bool { return b["web1"].InFlight.Load() > 0 })
	for _, want := range []lb.State{lb.StateDrain, lb.StateMaint} {
		again, err := d.Hold(ctx, lbtest.Shell{}, "web1")
		if err != nil || again != (want == lb.StateDrain) {
			t.Errorf("got %v, %v", again, err)
		}
		if s := states(t, d)["web1"]; s.State != want {
			t.Errorf("got %+v, want %s", s, want)
		}
		if want == lb.StateDrain {
			must(t, <-done)
		}
	}
}

func TestALaterRunGoesOnWithWhatWasLeft(t *testing.T) {
	t.Parallel()
	h, d, b := start(t, 2, "backend shop\n  server web1 @web1\n  server web2 @web2\n", nil, "shop")
	ctx := lbtest.Within(t, 8*time.Second)
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	must(t, d.Empty(ctx, lbtest.Shell{}, "web1", quiet))
	left, ok := d.Left("web1")
	if want := fmt.Sprintf("{%s %d map[shop/web1:1] true true 0   0}", h.Pid(), left.Start); !ok || fmt.Sprint(left) != want {
		t.Errorf("left %v, want %s", left, want)
	}
	later := lb.NewHAProxy(h.Config(b, "shop"), lbtest.Shell{})
	later.Recall("web1", left)
	h.Reload()
	again, err := later.Hold(ctx, lbtest.Shell{}, "web1")
	if !again || err != nil {
		t.Errorf("got %v, %v, want true, nil", again, err)
	}
	must(t, later.Ready(ctx, lbtest.Shell{}, "web1", quiet))
	if _, ok := later.Left("web1"); ok {
		t.Error("it still remembers a host that is back")
	}
}

func TestWithFallOneAReadyHostWasCheckedAnew(t *testing.T) {
	t.Parallel()
	_, d, b := start(t, 2, "backend shop\n  option httpchk GET /health\n"+
		"  server web1 @web1 check inter 700ms fall 1 rise 1\n  server web2 @web2\n", nil, "shop")
	ctx := lbtest.Within(t, 8*time.Second)
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	must(t, d.Empty(ctx, lbtest.Shell{}, "web1", quiet))
	before := b["web1"].Checks.Load()
	must(t, d.Ready(ctx, lbtest.Shell{}, "web1", quiet))
	if b["web1"].Checks.Load() == before {
		t.Error("no new check before it was put back")
	}
}

// wantErr wants a code, a hint and the exact words.
func wantErr(t *testing.T, err error, code, text string) {
	t.Helper()
	var c interface {
		error
		Code() string
		Hint() string
	}
	if !errors.As(err, &c) {
		t.Fatalf("got %v, want %s", err, code)
	}
	if c.Code() != code || c.Error() != text || c.Hint() == "" {
		t.Errorf("got %s %q, hint %q,\nwant %s %q", c.Code(), c.Error(), c.Hint(), code, text)
	}
}
