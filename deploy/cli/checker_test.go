package cli

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/health"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// What keeps hosts from being asked is found before the first of them is out.
func TestAnSSHDThatForwardsNothingIsFoundInPreflight(t *testing.T) {
	from := func(config ...string) *checker {
		v := health.Vantage{Name: "edge1", Dialer: remotetest.Start(t, config...).Machine(t), Addr: "127.0.0.1:1"}
		return &checker{from: map[string][]health.Vantage{"web1": {v}, "web2": {v}}}
	}
	c := from("AllowTcpForwarding no")
	err := c.allowed(t.Context())
	want := "edge1: it may ask no host for its health: dial 127.0.0.1:1: administratively prohibited: open failed"
	if err == nil || err.Error() != want || deploy.CodeOf(err) != "FD-SSH-FORWARD" {
		t.Errorf("says %v, want %s", err, want)
	}
	hint := "in sshd_config on edge1: AllowTcpForwarding local, without DisableForwarding, no PermitOpen that leaves hosts out, and no \"restrict\" before the key; or health.via = \"host\" or \"auto\""
	if got := deploy.HintOf(err); got != hint {
		t.Errorf("hint %s, want %s", got, hint)
	}
	own := func(config ...string) map[string]health.Vantage {
		m := remotetest.Start(t, config...).Machine(t)
		return map[string]health.Vantage{"web1": {Name: "web1", Dialer: m, Addr: "127.0.0.1:1"}, "web2": {Name: "web2", Dialer: m, Addr: "127.0.0.1:1"}}
	}
	if c.auto, c.own = true, own(); c.allowed(t.Context()) != nil {
		t.Error("told though hosts may be asked from themselves")
	}
	c.own = own("AllowTcpForwarding no")
	err = c.allowed(t.Context())
	if self := ": it may not ask itself for its health: dial 127.0.0.1:1: administratively prohibited: open failed"; err == nil || err.Error() != want+"\nweb1"+self+"\nweb2"+self {
		t.Errorf("where neither may ask: says %v", err)
	}
	if hint := deploy.HintOf(err); !strings.HasSuffix(hint, `and no "restrict" before the key`) {
		t.Errorf("hint %s", hint)
	}
	c = &checker{from: map[string][]health.Vantage{"web1": {c.own["web1"]}}, own: c.own} // health.via = "host"
	if err := c.allowed(t.Context()); !strings.HasSuffix(deploy.HintOf(err), `before the key; or health.via = "lb"`) {
		t.Errorf("says %v, hint %s", err, deploy.HintOf(err))
	}
	if err := from().allowed(t.Context()); err != nil { // nothing listens there, which is another's to say
		t.Errorf("says %v", err)
	}
}

// A PermitOpen may let the balancer's machine ask some.
func TestAnSSHDThatForwardsToSomeIsFoundInPreflight(t *testing.T) {
	m := remotetest.Start(t, "PermitOpen 127.0.0.1:1").Machine(t)
	c := &checker{from: map[string][]health.Vantage{}, own: map[string]health.Vantage{}}
	for host, addr := range map[string]string{"web1": "127.0.0.1:1", "web2": "127.0.0.1:2", "web3": "127.0.0.1:3"} {
		c.from[host] = []health.Vantage{{Name: "edge1", Dialer: m, Addr: addr}}
		c.own[host] = health.Vantage{Name: host, Dialer: m, Addr: "127.0.0.1:1"}
	}
	err := c.allowed(t.Context())
	want := "edge1: it may not ask for the health of web2, web3: dial 127.0.0.1:2: administratively prohibited: open failed"
	if err == nil || err.Error() != want || deploy.CodeOf(err) != "FD-SSH-FORWARD" {
		t.Errorf("says %v, want %s", err, want)
	}
	if c.auto = true; c.allowed(t.Context()) != nil {
		t.Error("told though those hosts may be asked from themselves")
	}
	web3 := c.own["web3"]
	web3.Addr = "127.0.0.1:3"
	c.own["web3"] = web3
	err = c.allowed(t.Context())
	want = "edge1: it may not ask for the health of web3: dial 127.0.0.1:3: administratively prohibited: open failed\n" +
		"web3: it may not ask itself for its health: dial 127.0.0.1:3: administratively prohibited: open failed"
	if err == nil || err.Error() != want {
		t.Errorf("where web3 may not: says %v", err)
	}
}

type mute struct{}

func (mute) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A host that is off may say nothing for minutes, and nobody forbids anything by that.
func TestASilentHostDoesNotHoldThePreflightUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		c := &checker{from: map[string][]health.Vantage{"web1": {{Name: "edge1", Dialer: mute{}, Addr: "10.0.0.1:80"}}}}
		if err := c.allowed(t.Context()); err != nil || time.Since(began) > 5*time.Second {
			t.Errorf("says %v after %s", err, time.Since(began))
		}
		began = time.Now()
		if err := c.allowed(t.Context(), "web1"); err != nil || time.Since(began) > 0 {
			t.Errorf("about one that cannot be reached: says %v after %s", err, time.Since(began))
		}
	})
}
