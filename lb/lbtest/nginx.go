package lbtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
)

// A Nginx is a real one, in a directory of its own.
type Nginx struct {
	Dir, Addr, Config string

	t   testing.TB
	cmd *exec.Cmd
	log bytes.Buffer
}

// NewNginx is a Nginx that does not run yet: write its files, then Start it.
func NewNginx(t testing.TB) *Nginx {
	Need(t, "nginx")
	dir, err := os.MkdirTemp("", "fdng")
	must(t, err)
	must(t, os.Chmod(dir, 0o755)) // its workers are nobody's
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &Nginx{t: t, Dir: dir, Addr: FreeAddr(t), Config: dir + "/nginx.conf"}
}

// StartNginx runs a nginx with http in its http block, until t ends.
func StartNginx(t testing.TB, http string) *Nginx {
	g := NewNginx(t)
	g.Write("nginx.conf", g.Main(http))
	g.Start()
	return g
}

// Main is a main file: what every test's nginx needs, and http in the http block.
func (g *Nginx) Main(http string) string {
	temps := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temps += fmt.Sprintf("  %s_temp_path %s/tmp-%s;\n", kind, g.Dir, kind)
	}
	return fmt.Sprintf(`daemon off;
worker_processes 2;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log notice;
events { worker_connections 512; }
http {
  access_log off;
%[2]s%[3]s
}
`, g.Dir, temps, http)
}

// Site is a server on Addr that sends all to the upstream.
func (g *Nginx) Site(upstream string) string {
	return fmt.Sprintf("  server {\n    listen %s;\n    location / { proxy_pass http://%s; proxy_connect_timeout 2s; }\n  }\n", g.Addr, upstream)
}

// Write replaces a file of its directory; the next reload reads it.
func (g *Nginx) Write(name, text string) {
	p := filepath.Join(g.Dir, name)
	must(g.t, os.MkdirAll(filepath.Dir(p), 0o755))
	must(g.t, os.WriteFile(p, []byte(text), 0o644)) //nolint:gosec // nginx's files are everybody's to read
}

// Read is a file of its directory.
func (g *Nginx) Read(name string) string {
	b, err := os.ReadFile(filepath.Join(g.Dir, name))
	must(g.t, err)
	return string(b)
}

// Start returns once its workers run.
func (g *Nginx) Start() {
	g.cmd = exec.Command("nginx", "-c", g.Config)
	g.cmd.Stdout, g.cmd.Stderr = &g.log, &g.log
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	must(g.t, g.cmd.Start())
	g.t.Cleanup(g.stop)
	Eventually(g.t, "nginx runs", func() bool { return len(g.Workers()) == 2 })
}

func (g *Nginx) stop() {
	_ = g.cmd.Process.Signal(syscall.SIGTERM)
	_ = g.cmd.Wait()
	if g.t.Failed() {
		text, _ := os.ReadFile(filepath.Join(g.Dir, "error.log"))
		lines := strings.Split(string(text), "\n")
		g.t.Logf("nginx: %s%s", g.log.String(), strings.Join(lines[max(0, len(lines)-30):], "\n"))
	}
}

// Workers are the pids of those that take connections.
func (g *Nginx) Workers() []int { return g.children("nginx: worker process") }

// OldWorkers are those that are shutting down.
func (g *Nginx) OldWorkers() []int { return g.children("nginx: worker process is shutting down") }

func (g *Nginx) children(title string) []int {
	pid := strconv.Itoa(g.cmd.Process.Pid)
	text, _ := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
	var all []int
	for _, p := range strings.Fields(string(text)) {
		name, _ := os.ReadFile("/proc/" + p + "/cmdline")
		if strings.TrimRight(string(name), "\x00 ") == title {
			n, _ := strconv.Atoi(p)
			all = append(all, n)
		}
	}
	return all
}

// Reload returns once every worker is a new one.
func (g *Nginx) Reload() {
	g.t.Helper()
	before := g.Workers()
	g.HUP()
	Eventually(g.t, "nginx reloads", func() bool {
		now := g.Workers()
		return len(now) == 2 && !slices.ContainsFunc(now, func(p int) bool { return slices.Contains(before, p) })
	})
	// What changed the files before the reload is as old as the workers, to 50 ms.
	time.Sleep(70 * time.Millisecond)
}

// HUP asks for a reload and does not wait for it.
func (g *Nginx) HUP() { must(g.t, g.cmd.Process.Signal(syscall.SIGHUP)) }

// Reloads is how often nginx has begun to reload.
func (g *Nginx) Reloads() int { return strings.Count(g.Read("error.log"), ", reconfiguring") }

// Upstream is an upstream block of all backends, in order, with options.
func Upstream(name string, backends map[string]*Backend, options string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  upstream %s {\n", name)
	for _, host := range Names(backends) {
		fmt.Fprintf(&b, "    server %s%s;\n", backends[host].Addr, options)
	}
	return b.String() + "  }\n"
}

// Driver is what a driver for g is told.
func (g *Nginx) Driver(backends map[string]*Backend, upstreams ...string) lb.NginxConfig {
	hosts := map[string][]string{}
	for name, b := range backends {
		hosts[name] = []string{b.Addr}
	}
	return lb.NginxConfig{Name: "edge1", Upstreams: upstreams, Config: g.Config, Hosts: hosts, Rollout: "20261121-000000-test",
		PollEvery: 50 * time.Millisecond, Probe: lb.Probe{Path: "/health"}}
}

// NginxRig is a Factory; change may alter what the driver is told.
func NginxRig(change func(*Nginx, *lb.NginxConfig)) Factory {
	return func(t testing.TB, n int) *Rig {
		backends := NewBackends(t, n)
		g := NewNginx(t)
		g.Write("nginx.conf", g.Main("  include conf.d/*.conf;\n"+g.Site("shop")))
		g.Write("conf.d/shop.conf", Upstream("shop", backends, ""))
		g.Start()
		time.Sleep(70 * time.Millisecond)
		cfg := g.Driver(backends, "shop")
		change(g, &cfg)
		return g.Rig(cfg, backends, "conf.d/shop.conf")
	}
}

// Rig joins g and a driver for cfg; the servers are in file.
func (g *Nginx) Rig(cfg lb.NginxConfig, backends map[string]*Backend, file string) *Rig {
	hand := func(flag, mark string) func(string) {
		return func(host string) {
			line := regexp.MustCompile(`(server ` + regexp.QuoteMeta(backends[host].Addr) + `)( down)?;( # flipdeploy.*)?`)
			g.Write(file, line.ReplaceAllString(g.Read(file), "${1}"+flag+";"+mark))
			g.Reload()
		}
	}
	return &Rig{
		Driver: lb.NewNginx(cfg, Shell{}), Act: Shell{}, Addr: g.Addr, Backends: backends,
		Reload: g.Reload, TakeOut: hand(" down", ""), PutBack: hand("", "${3}"), Reopen: true,
	}
}
