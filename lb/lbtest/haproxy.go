package lbtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
)

// A HAProxy is a real one, in master-worker mode, in a directory of its own.
type HAProxy struct {
	Dir, Addr, Socket, Master string

	t   testing.TB
	cmd *exec.Cmd
	log bytes.Buffer
}

// StartHAProxy runs a HAProxy with pools as its configuration, which takes
// requests on Addr for the pool shop, until t ends.
func StartHAProxy(t testing.TB, pools string) *HAProxy {
	Need(t, "haproxy", "socat", "timeout")
	// Not t.TempDir: a socket's path may have 108 bytes at most.
	dir, err := os.MkdirTemp("", "fdlb")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &HAProxy{t: t, Dir: dir, Addr: FreeAddr(t), Socket: dir + "/admin.sock", Master: dir + "/master.sock"}
	h.Write(pools)
	h.cmd = exec.Command("haproxy", "-W", "-S", h.Master, "-f", filepath.Join(dir, "haproxy.cfg"))
	h.cmd.Stdout, h.cmd.Stderr = &h.log, &h.log
	h.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, h.cmd.Start())
	t.Cleanup(h.stop)
	h.answers()
	return h
}

// Write replaces the configuration; the next reload takes it.
func (h *HAProxy) Write(pools string) {
	text := fmt.Sprintf(`global
  stats socket %s level admin
  nbthread 1
defaults
  mode http
  retries 0
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  timeout check 2s
  default-server inter 100ms fall 2 rise 2
frontend in
  bind %s
  default_backend shop
%s
`, h.Socket, h.Addr, pools)
	must(h.t, os.WriteFile(filepath.Join(h.Dir, "haproxy.cfg"), []byte(text), 0o600))
}

// FreeAddr is an address on loopback where nobody listens just now.
func FreeAddr(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.2:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func (h *HAProxy) stop() {
	_ = h.cmd.Process.Signal(syscall.SIGTERM)
	_ = h.cmd.Wait()
	if h.t.Failed() {
		h.t.Logf("haproxy: %s", h.log.String())
	}
}

// Ctl sends one command, as a person would, and returns the answer.
func (h *HAProxy) Ctl(command string) string {
	cmd := exec.Command("socat", "-t5", "-", "UNIX-CONNECT:"+h.Socket)
	cmd.Stdin = strings.NewReader(command + "\n")
	out, _ := cmd.Output()
	return strings.TrimSpace(string(out))
}

// Pid is the process that answers now, "" when none does.
func (h *HAProxy) Pid() string {
	for line := range strings.Lines(h.Ctl("show info")) {
		if pid, ok := strings.CutPrefix(strings.TrimSpace(line), "Pid: "); ok {
			return pid
		}
	}
	return ""
}

func (h *HAProxy) answers() {
	Eventually(h.t, "HAProxy answers", func() bool { return h.Pid() != "" })
	Eventually(h.t, "its master answers", func() bool {
		c, err := net.Dial("unix", h.Master)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// Reload returns once another process answers.
func (h *HAProxy) Reload() {
	before := h.Pid()
	must(h.t, h.cmd.Process.Signal(syscall.SIGUSR2))
	Eventually(h.t, "HAProxy reloads", func() bool { p := h.Pid(); return p != "" && p != before })
	time.Sleep(20 * time.Millisecond)
}

// Servers are the server lines of a pool for backends, in order, with options.
func Servers(backends map[string]*Backend, options string) string {
	var b strings.Builder
	for _, name := range Names(backends) {
		fmt.Fprintf(&b, "  server %s %s %s\n", name, backends[name].Addr, options)
	}
	return b.String()
}

// Names are the hosts in order.
func Names(backends map[string]*Backend) []string {
	var names []string
	for n := range backends {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// NewBackends are n hosts: web1, web2, …
func NewBackends(t testing.TB, n int) map[string]*Backend {
	all := map[string]*Backend{}
	for i := range n {
		b := NewBackend(t, i+1)
		all[b.Name] = b
	}
	return all
}

// Config is what a driver for h is told.
func (h *HAProxy) Config(backends map[string]*Backend, upstreams ...string) lb.HAProxyConfig {
	hosts := map[string][]string{}
	for name, b := range backends {
		hosts[name] = []string{b.Addr}
	}
	return lb.HAProxyConfig{Name: "edge1", Upstreams: upstreams, Socket: h.Socket, Hosts: hosts, PollEvery: 50 * time.Millisecond}
}

// HAProxyRig is a Factory; change may alter what the driver is told.
func HAProxyRig(options string, change func(*HAProxy, *lb.HAProxyConfig)) Factory {
	return func(t testing.TB, n int) *Rig {
		backends := NewBackends(t, n)
		h := StartHAProxy(t, "backend shop\n  option httpchk GET /health\n"+Servers(backends, options))
		cfg := h.Config(backends, "shop")
		change(h, &cfg)
		return h.Rig(cfg, backends)
	}
}

// Rig joins h and a driver for cfg.
func (h *HAProxy) Rig(cfg lb.HAProxyConfig, backends map[string]*Backend) *Rig {
	hand := func(state string) func(string) {
		return func(host string) {
			if s := h.Ctl("set server shop/" + host + " state " + state); s != "" {
				h.t.Fatalf("by hand: %s", s)
			}
		}
	}
	return &Rig{
		Driver: lb.NewHAProxy(cfg, Shell{}), Act: Shell{}, Addr: h.Addr, Backends: backends,
		Reload: h.Reload, TakeOut: hand("maint"), PutBack: hand("ready"), Remind: true, Counts: true,
	}
}
