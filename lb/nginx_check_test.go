package lb_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

func TestNginxCheckTellsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	b := lbtest.NewBackends(t, 5)
	g := lbtest.NewNginx(t)
	g.Write("nginx.conf", g.Main(fmt.Sprintf(`upstream shop {
  server %s;
  server %s backup;
  #server %s;
}
upstream api { server %[1]s; }
server { listen %[4]s; location / { proxy_pass http://%[5]s/x; } }
`, b["web1"].Addr, b["web2"].Addr, b["web3"].Addr, g.Addr, b["web4"].Addr)))
	g.Start()
	cfg := g.Driver(b, "shop", "shopp")
	err := lb.NewNginx(cfg, lbtest.Shell{}).Check(lbtest.Within(t, 5*time.Second))
	at := func(line int) string { return fmt.Sprintf("%s:%d", g.Config, 12+line) }
	want := strings.Join([]string{
		"FD-LB-UPSTREAM upstream shopp does not exist in " + g.Config,
		"FD-LB-UNLISTED web1 is in upstream api as well, which is not listed (" + at(6) + ")",
		"FD-LB-BACKUP web2 is a backup only, it gets no request while others serve (" + at(3) + ")",
		"FD-LB-BACKEND web3: " + b["web3"].Addr + " is no server of shop, shopp: its line is a comment in " + at(4),
		"FD-LB-BACKEND web4: " + b["web4"].Addr + " is no server of shop, shopp",
		"FD-LB-LITERAL web4 gets requests past every upstream: proxy_pass http://" + b["web4"].Addr + "/x (" + at(7) + ")",
		"FD-LB-BACKEND web5: " + b["web5"].Addr + " is no server of shop, shopp",
	}, "\n")
	var all lb.Faults
	if !errors.As(err, &all) {
		t.Fatalf("got %T: %v", err, err)
	}
	var got []string
	for _, f := range all {
		got = append(got, f.Code()+" "+f.Error())
		if f.Hint() == "" {
			t.Errorf("%s has no hint", f.Code())
		}
	}
	if g := strings.Join(got, "\n"); g != want {
		t.Errorf("got\n%s\nwant\n%s", g, want)
	}
	if want := "set `upstream` to one of: shop, api"; all[0].Hint() != want {
		t.Errorf("hint %q, want %q", all[0].Hint(), want)
	}
	if want := "shop/" + b["web1"].Addr + " (" + at(2) + ")"; all[4].Evidence()[0] != want {
		t.Errorf("evidence %q, want %q", all[4].Evidence()[0], want)
	}
}

func TestNginxThatCannotBeAskedIsNamed(t *testing.T) {
	t.Parallel()
	b := lbtest.NewBackends(t, 1)
	g := lbtest.NewNginx(t)
	g.Write("nginx.conf", g.Main(lbtest.Upstream("shop", b, "")+g.Site("shop")))
	ctx := lbtest.Within(t, 10*time.Second)
	check := func(change func(*lb.NginxConfig)) error {
		cfg := g.Driver(b, "shop")
		change(&cfg)
		return first(lb.NewNginx(cfg, lbtest.Shell{}).Check(ctx))
	}
	asIs := func(*lb.NginxConfig) {}
	wantErr(t, check(asIs), "FD-LB-NGINX-DOWN", "nginx does not run: "+g.Dir+"/nginx.pid names no nginx master process")
	wantErr(t, check(func(c *lb.NginxConfig) { c.Config = g.Dir + "/none.conf" }), "FD-LB-NGINX-FILES", g.Dir+"/none.conf does not exist, or may not be read")
	wantErr(t, check(func(c *lb.NginxConfig) { c.Config = "nginx.conf" }), "FD-LB-NAME", `config "nginx.conf" has characters that are not allowed`)
	g.Start()
	must(t, check(asIs))
	must(t, os.Symlink(g.Config, g.Dir+"/other.conf"))
	wantErr(t, check(func(c *lb.NginxConfig) { c.Config = g.Dir + "/other.conf" }), "FD-LB-NGINX-CONFIG", "nginx runs with "+g.Config+", not with "+g.Dir+"/other.conf")
	g.Write("nginx.pid.oldbin", "1\n")
	wantErr(t, check(asIs), "FD-LB-NGINX-UPGRADE", "two nginx masters run: "+g.Dir+"/nginx.pid.oldbin is there")
}

func TestNginxServersByNameAreFoundByTheirAddress(t *testing.T) {
	t.Parallel()
	if exec.Command("getent", "ahosts", "localhost").Run() != nil {
		t.Fatal("localhost has no address here")
	}
	b := lbtest.NewBackends(t, 1)
	_, port, _ := strings.Cut(b["web1"].Addr, ":")
	g := lbtest.StartNginx(t, "upstream shop { server localhost:"+port+"; server 127.2:"+port+"; }\n")
	cfg := g.Driver(b, "shop")
	cfg.Hosts = map[string][]string{"web1": {"127.0.0.1:" + port}, "web2": {"127.0.0.2:" + port}}
	d := lb.NewNginx(cfg, lbtest.Shell{})
	time.Sleep(70 * time.Millisecond)
	must(t, d.Swap(lbtest.Within(t, 5*time.Second), lbtest.Shell{}, nil, []string{"web1"}, 0))
	want := "server localhost:" + port + " down; # flipdeploy:20261121-000000-test (line broken here)\n server 127.2:" + port + ";"
	if got := g.Read("nginx.conf"); !strings.Contains(got, want) {
		t.Errorf("got\n%s", got)
	}
}

func TestNginxNotesSayWhatAReloadCanCost(t *testing.T) {
	t.Parallel()
	b := lbtest.NewBackends(t, 2)
	g := lbtest.StartNginx(t, `  keepalive_timeout 75s;
  resolver 127.0.0.53;
  upstream shop {
    ip_hash;
    zone shop 64k;
    server `+b["web1"].Addr+`;
    server `+b["web2"].Addr+`;
  }
  server { listen 127.0.0.2:18999; location / { set $to shop; proxy_pass http://$to; } }
`)
	g.Write("nginx.conf", "worker_shutdown_timeout 10s;\n"+g.Read("nginx.conf"))
	notes, err := lb.NewNginx(g.Driver(b, "shop"), lbtest.Shell{}).Notes(lbtest.Within(t, 5*time.Second))
	must(t, err)
	want := []string{
		"each nginx reload can reset busy keep-alive connections of clients that do not retry",
		"worker_shutdown_timeout 10s: requests that take longer are cut at each reload",
		"keepalive_timeout 75s",
		"proxy_pass http://$to: where it leads is decided at run time and cannot be checked",
		"resolver 127.0.0.53: names may be resolved at run time, past every upstream",
		"upstream shop: ip_hash: clients of a host that is out move to others, and back",
		"upstream shop: zone shop 64k",
	}
	for i, w := range want {
		if i >= len(notes) || !strings.Contains(notes[i], w) {
			t.Errorf("note %d of\n%s\nwant %s", i, strings.Join(notes, "\n"), w)
		}
	}
	if !strings.HasPrefix(notes[0], "nginx 1.") || !strings.Contains(notes[0], "keepalive_min_timeout") {
		t.Errorf("got %q", notes[0])
	}
}

// Every tool that may ask hosts tells the same, and every shell runs the scripts.
func TestNginxIsDrivenWithWhatTheMachineHas(t *testing.T) {
	t.Parallel()
	lbtest.Need(t, "busybox", "socat", "perl", "python3", "curl")
	b := lbtest.NewBackends(t, 2)
	b["web2"].Sick.Store(true)
	g := lbtest.StartNginx(t, lbtest.Upstream("shop", b, ""))
	time.Sleep(70 * time.Millisecond)
	for _, c := range []struct {
		tool string
		argv []string
	}{
		{"perl", nil}, {"python3", []string{"bash", "-s"}}, {"curl", nil}, {"socat", nil}, {"busybox", []string{"busybox", "sh", "-s"}},
	} {
		sh := lbtest.Shell{Argv: c.argv, Env: []string{"PATH=" + machineWith(t, c.tool)}}
		cfg := g.Driver(b, "shop")
		d := lb.NewNginx(cfg, sh)
		ctx := lbtest.Within(t, 20*time.Second)
		seats, err := d.Seats(ctx)
		if err != nil {
			t.Errorf("%s: %v", c.tool, err)
			continue
		}
		if !seats["web1"].Serving || seats["web2"].Serving || seats["web2"].State != lb.StateDown {
			t.Errorf("%s: seats %+v", c.tool, seats)
		}
		if want := "shop/" + b["web2"].Addr + " 500"; seats["web2"].Detail != want {
			t.Errorf("%s: %q, want %q", c.tool, seats["web2"].Detail, want)
		}
		must(t, d.Swap(ctx, sh, nil, []string{"web1"}, 0))
		must(t, d.Empty(ctx, sh, "web1", quiet))
		must(t, d.Ready(ctx, sh, "web1", quiet))
		cfg.Probe = lb.Probe{}
		d = lb.NewNginx(cfg, sh)
		b["web1"].Kill()
		seats, err = d.Seats(ctx)
		must(t, err)
		if seats["web1"].Serving || !seats["web2"].Serving {
			t.Errorf("%s: a connection is enough: seats %+v", c.tool, seats)
		}
		b["web1"].Revive()
	}
}

// machineWith is a PATH with the tools that every machine has, and one of those that ask.
func machineWith(t *testing.T, tool string) string {
	t.Helper()
	dir := t.TempDir()
	tools := strings.Fields("awk cat cp cut date dd grep head id ls mktemp mv nginx readlink rm sed sha256sum sleep sort stat sync tail tee timeout touch tr truncate uniq wc getent sh")
	if tool != "busybox" {
		tools = append(tools, tool)
	} else {
		tools = append(tools, "nc")
	}
	for _, name := range tools {
		if tool == "busybox" && name != "nginx" && name != "getent" {
			must(t, os.Symlink(program(t, "busybox"), dir+"/"+name))
			continue
		}
		must(t, os.Symlink(program(t, name), dir+"/"+name))
	}
	if tool == "python3" { // what is called so may be a script that finds the real one
		out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
		must(t, err)
		must(t, os.Remove(dir+"/python3"))
		must(t, os.Symlink(strings.TrimSpace(string(out)), dir+"/python3"))
	}
	return dir
}

func program(t *testing.T, name string) string {
	t.Helper()
	p, err := exec.LookPath(name)
	must(t, err)
	return p
}

// Whoever may not look into the workers sees the connections of their user.
func TestNginxConnectionsAreSeenWithoutRights(t *testing.T) {
	t.Parallel()
	lbtest.Need(t, "setpriv")
	if os.Getuid() != 0 {
		return // then the workers are ours, and the suite has shown it
	}
	g, d, b := startNginx(t, 2, "")
	other := lbtest.Shell{Argv: []string{"setpriv", "--reuid=12345", "--clear-groups", "sh", "-s"}}
	wait := make(chan error, 6)
	for range cap(wait) {
		go func() { _, err := lbtest.Get(g.Addr, "/slow?for=1500ms", ""); wait <- err }()
	}
	lbtest.Eventually(t, "web1 works", func() bool { return b["web1"].InFlight.Load() > 0 })
	seats, err := lb.NewNginx(g.Driver(b, "shop"), other).Seats(lbtest.Within(t, 5*time.Second))
	must(t, err)
	if seats["web1"].Sessions == 0 || seats["web2"].Sessions == 0 {
		t.Errorf("no session seen: %+v", seats)
	}
	must(t, d.Drain(lbtest.Within(t, 5*time.Second), lbtest.Shell{}, "web1", 1))
	blind := lb.NewNginx(g.Driver(b, "shop"), other)
	must(t, blind.Empty(lbtest.Within(t, 10*time.Second), other, "web1", quiet))
	if n := b["web1"].InFlight.Load(); n != 0 {
		t.Errorf("%d requests in flight on an empty host", n)
	}
	for range cap(wait) {
		must(t, <-wait)
	}
}
