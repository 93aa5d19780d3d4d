package cli

import (
	"strings"
	"testing"

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
	hint := "in sshd_config on edge1: AllowTcpForwarding local, without DisableForwarding, and no \"restrict\" before the key; or health.via = \"host\" or \"auto\""
	if got := deploy.HintOf(err); got != hint {
		t.Errorf("hint %s, want %s", got, hint)
	}
	own := func(config ...string) map[string]health.Vantage {
		return map[string]health.Vantage{"web1": {Name: "web1", Dialer: remotetest.Start(t, config...).Machine(t), Addr: "127.0.0.1:1"}}
	}
	if c.auto, c.own = true, own(); c.allowed(t.Context()) != nil {
		t.Error("told though hosts may be asked from themselves")
	}
	c.own = own("AllowTcpForwarding no")
	err = c.allowed(t.Context())
	if self := "web1: it may not ask itself for its health: dial 127.0.0.1:1: administratively prohibited: open failed"; err == nil || err.Error() != want+"\n"+self {
		t.Errorf("where neither may ask: says %v", err)
	}
	if hint := "in sshd_config on web1: AllowTcpForwarding local, without DisableForwarding, and no \"restrict\" before the key"; deploy.HintOf(c.mayAsk(t.Context(), c.own)) != hint {
		t.Errorf("hint %s", deploy.HintOf(c.mayAsk(t.Context(), c.own)))
	}
	c = &checker{from: map[string][]health.Vantage{"web1": {c.own["web1"]}}, own: c.own} // health.via = "host"
	if err := c.allowed(t.Context()); !strings.HasSuffix(deploy.HintOf(err), `before the key; or health.via = "lb"`) {
		t.Errorf("says %v, hint %s", err, deploy.HintOf(err))
	}
	if err := from().allowed(t.Context()); err != nil { // nothing listens there, which is another's to say
		t.Errorf("says %v", err)
	}
}
