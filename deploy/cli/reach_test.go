package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/sshconfig"
)

// way is a target with all that is passed on the way there.
func way(c remote.Config) string {
	text := fmt.Sprintf("%s@%s:%d", c.User, c.Address, c.Port)
	for via := c.Via; via != nil; via = via.Via() {
		text += " via " + via.Login()
	}
	return text
}

// configured is a network whose ~/.ssh/config says what is given, and else as little as
// ssh does.
func configured(said map[string]sshconfig.Host) *network {
	n := newNetwork(inventory.SSH{Config: true}, nil)
	n.host = func(q sshconfig.Query) (sshconfig.Host, error) {
		h := said[q.Destination]
		h.Name, h.User = or(h.Name, q.Destination), or(q.User, or(h.User, "me"))
		h.Port = max(q.Port, h.Port, 22) // all of ours are larger
		return h, nil
	}
	return n
}

func TestMachinesAreReachedAsTheInventoryAndTheConfigurationSay(t *testing.T) {
	said := map[string]sshconfig.Host{
		"web1":  {Name: "10.0.0.11", User: "deploy", Port: 2222, Jump: "ops@inner:23"},
		"inner": {Name: "192.0.2.2", Jump: "outer"},
		"outer": {Name: "192.0.2.1", User: "gate"},
	}
	for _, r := range []struct {
		m    inventory.Machine
		want string
	}{
		{inventory.Machine{Address: "web1"}, "deploy@10.0.0.11:2222 via ops@192.0.2.2:23 via gate@192.0.2.1:22"},
		{inventory.Machine{Address: "web1", User: "root", SSHPort: 2300}, "root@10.0.0.11:2300 via ops@192.0.2.2:23 via gate@192.0.2.1:22"},
		{inventory.Machine{Address: "web1", Jump: []inventory.Jump{}}, "deploy@10.0.0.11:2222"},
		{inventory.Machine{Address: "web1", Jump: []inventory.Jump{{Host: "outer", User: "x"}}}, "deploy@10.0.0.11:2222 via x@192.0.2.1:22"},
		{inventory.Machine{Address: "web1", Jump: []inventory.Jump{{Host: "a"}, {Host: "inner"}}}, "deploy@10.0.0.11:2222 via me@192.0.2.2:22 via me@a:22"},
		{inventory.Machine{Address: "web2"}, "me@web2:22"},
	} {
		c, err := configured(said).machine(r.m)
		if err != nil || way(c) != r.want {
			t.Errorf("%+v: %s, %v, want %s", r.m, way(c), err, r.want)
		}
	}
	n := newNetwork(inventory.SSH{}, nil)
	m := inventory.Machine{Address: "10.0.0.1", User: "deploy", SSHPort: 22, Jump: []inventory.Jump{{Host: "a", User: "ops", Port: 23}, {Host: "b"}}}
	one, _ := n.machine(m)
	m.Address = "10.0.0.2"
	two, _ := n.machine(m)
	if want := "deploy@10.0.0.1:22 via deploy@b:22 via ops@a:23"; way(one) != want || one.Via != two.Via {
		t.Errorf("%s, want %s; shared: %v", way(one), want, one.Via == two.Via)
	}
}

func TestJumpsThatGoInACircleAreRefused(t *testing.T) {
	n := configured(map[string]sshconfig.Host{"a": {Jump: "b"}, "b": {Jump: "c"}, "c": {Jump: "a"}})
	_, err := n.machine(inventory.Machine{Name: "web1", Address: "a"})
	if want := "web1: ~/.ssh/config for a: the jumps go in a circle: a → b → c → a"; err == nil || err.Error() != want || deploy.CodeOf(err) != "FD-SSH-CONFIG" {
		t.Errorf("says %v, want %s", err, want)
	}
	n = configured(map[string]sshconfig.Host{"a": {Jump: "b c"}})
	_, err = n.machine(inventory.Machine{Name: "web1", Address: "a"})
	if want := `web1: ~/.ssh/config for a: ProxyJump: "b c" is not an IP address or a host name`; err == nil || err.Error() != want {
		t.Errorf("says %v, want %s", err, want)
	}
}

// What the host's name turned out to be is what balancers are asked for.
func TestAnAliasLendsItsAddressToTheBackend(t *testing.T) {
	h := inventory.Host{Machine: inventory.Machine{Address: "web1"}, Ports: []int{8080}, Backends: []string{"web1:8080", "10.1.0.1:8080"}}
	if got := h.At("10.0.0.11", "deploy", 22); strings.Join(got.Backends, " ") != "10.0.0.11:8080 10.1.0.1:8080" || got.User != "deploy" {
		t.Errorf("%+v", got)
	}
	inv := inventory.Inventory{LBs: []inventory.LB{{Machine: inventory.Machine{Name: "e1", Address: "10.0.0.1", Line: 3}}, {Machine: inventory.Machine{Name: "e2", Address: "10.0.0.1", Line: 7}}}, Path: "inv"}
	if err := inv.Unlike(); err == nil || err.Error() != `inv:7:1: lb[e2].address: is the machine of "e1" on line 3` {
		t.Errorf("says %v", err)
	}
}

const behind = `
[app]
name = "shop"
path = "/srv/shop"
port = 8080
[reload]
method = "restart"
unit = "shop.service"
[ssh]
user = "%[1]s"
identity_file = "%[2]s"
known_hosts = "known_hosts"
jump = "127.0.0.1:%[3]d"
[[lb]]
name = "edge1"
kind = "nginx"
address = "127.0.0.1"
ssh_port = %[4]d
upstream = "shop"
[[host]]
name = "web1"
address = "127.0.0.1"
ssh_port = %[5]d
`

// The bastion first: nobody passes through a machine that is not trusted.
func TestTrustGoesThroughTheBastion(t *testing.T) {
	bastion := remotetest.Start(t)
	edge, web := remotetest.Start(t), remotetest.Start(t)
	dir := t.TempDir()
	in := func(name, text string) string {
		path := filepath.Join(dir, name)
		write(t, path, text)
		return path
	}
	inv := in("inventory.toml", fmt.Sprintf(behind, bastion.User, bastion.KeyFile, bastion.Port, edge.Port, web.Port))
	known := filepath.Join(dir, "known_hosts")
	e := flipdeploy(t, "trust", "-i", inv, "--yes")
	if e.code != 0 || !strings.Contains(e.stdout, "1 lines added to "+known) || !strings.Contains(e.stdout, "2 lines added to "+known) {
		t.Errorf("%d %s %s", e.code, e.stdout, e.stderr)
	}
	if e := flipdeploy(t, "trust", "-i", inv); e.code != 0 || e.stdout != "all 3 machines are known\n" {
		t.Errorf("%d %s %s", e.code, e.stdout, e.stderr)
	}
}
