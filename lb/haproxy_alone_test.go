package lb_test

import (
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

const plainPool = "backend shop\n  server web1 @web1\n  server web2 @web2\n"

// aloneInDrain is web1 in drain and left there, since nothing keeps clients with it.
func aloneInDrain(t *testing.T) (*lbtest.HAProxy, *lb.HAProxy, map[string]*lbtest.Backend) {
	h, d, b := start(t, 2, plainPool, func(c *lb.HAProxyConfig) { c.GracefulReload = true }, "shop")
	ctx := lbtest.Within(t, 5*time.Second)
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	must(t, d.Empty(ctx, lbtest.Shell{}, "web1", quiet))
	if s := states(t, d)["web1"]; s.State != lb.StateDrain {
		t.Fatalf("got %+v, want drain", s)
	}
	if got, want := d.Emptied("web1"), "no maint: no cookie, no stick-table, none came in drain"; got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	return h, d, b
}

// goesToMaint has Hold called as a run does, until web1 is in maint.
func goesToMaint(t *testing.T, d *lb.HAProxy) {
	t.Helper()
	lbtest.Eventually(t, "web1 in maint", func() bool {
		_, err := d.Hold(lbtest.Within(t, 5*time.Second), lbtest.Shell{}, "web1")
		must(t, err)
		return states(t, d)["web1"].State == lb.StateMaint
	})
	if got := d.Emptied("web1"); got != "" {
		t.Errorf("says %q though it is in maint", got)
	}
	must(t, d.Ready(lbtest.Within(t, 5*time.Second), lbtest.Shell{}, "web1", quiet))
}

// Somebody gives the pool a cookie and reloads HAProxy while a host is out: what was proven
// of the HAProxy before is not of this one.
func TestAReloadThatBringsStickinessSendsADrainedHostToMaint(t *testing.T) {
	t.Parallel()
	h, d, b := aloneInDrain(t)
	h.Write("backend shop\n  cookie SRV insert indirect nocache\n" + lbtest.Servers(b, "cookie same"))
	h.Reload()
	goesToMaint(t, d)
}

// One that brings none leaves it in drain.
func TestAReloadWithoutStickinessLeavesADrainedHostInDrain(t *testing.T) {
	t.Parallel()
	h, d, _ := aloneInDrain(t)
	h.Reload()
	for range 3 {
		_, err := d.Hold(lbtest.Within(t, 5*time.Second), lbtest.Shell{}, "web1")
		must(t, err)
	}
	if s := states(t, d)["web1"]; s.State != lb.StateDrain {
		t.Errorf("got %+v, want drain", s)
	}
	must(t, d.Ready(lbtest.Within(t, 5*time.Second), lbtest.Shell{}, "web1", quiet))
}

// What cannot be read, such as a use-server rule, shows when a request comes.
func TestARequestInDrainSendsAHostToMaint(t *testing.T) {
	t.Parallel()
	h, d, _ := start(t, 2, "backend shop\n  use-server web1 if { path /mine }\n  server web1 @web1\n  server web2 @web2\n",
		func(c *lb.HAProxyConfig) { c.GracefulReload = true }, "shop")
	ctx := lbtest.Within(t, 5*time.Second)
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	must(t, d.Empty(ctx, lbtest.Shell{}, "web1", quiet))
	if s := states(t, d)["web1"]; s.State != lb.StateDrain {
		t.Fatalf("got %+v, want drain", s)
	}
	_, err := lbtest.Get(h.Addr, "/mine", "")
	must(t, err)
	goesToMaint(t, d)
}
