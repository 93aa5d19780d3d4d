package cli

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/health"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/remote"
)

// wire makes every machine of the inventory, and what is asked of it. This is the
// one place that knows all three rooms.
func (s *session) wire() error {
	check, err := checkOf(s.inv.Health)
	if err != nil {
		return err
	}
	s.checker = &checker{check: check, from: map[string][]health.Vantage{}, own: map[string]health.Vantage{},
		auto: s.inv.Health.Via == "auto",
		warn: func(host, code, text string) {
			s.emit(deploy.Event{Kind: deploy.KindWarning, Host: host, Code: code, Detail: text})
		}}
	if err := s.machines(); err != nil {
		return err
	}
	for i, l := range s.inv.LBs {
		s.wireBalancer(l, s.edges[i])
	}
	for i, h := range s.inv.Hosts {
		s.wireHost(h, s.webs[i])
	}
	s.entry = entryName(s.inv)
	s.etcd, err = etcdOf(s.inv)
	return err
}

// machines makes all of them, none connected to yet. Afterwards the inventory has what
// ~/.ssh/config says of them, where it is asked.
func (s *session) machines() error {
	s.net.read(s.inv)
	window, err := windowFor(s.inv, openFiles())
	if err != nil {
		return err
	}
	var errs []error
	for i, l := range s.inv.LBs {
		c, err := s.net.machine(l.Machine)
		s.inv.LBs[i].Machine = l.Machine.At(c.Address, c.User, c.Port)
		s.edges, errs = append(s.edges, remote.New(c)), append(errs, err)
	}
	for i, h := range s.inv.Hosts {
		c, err := s.net.machine(h.Machine)
		c.Window = window
		s.inv.Hosts[i] = h.At(c.Address, c.User, c.Port)
		s.webs, errs = append(s.webs, remote.New(c)), append(errs, err)
	}
	return errors.Join(append(errs, s.inv.Unlike())...)
}

func (s *session) wireBalancer(l inventory.LB, m *remote.Machine) {
	sure := &sureMachine{Machine: m}
	store := state.New(l.Name, s.inv.State.Dir, s.inv.App.Name, sure, opener{m}, l.Sudo)
	sure.turns = state.New(l.Name, s.inv.State.Dir, s.inv.App.Name, m, opener{m}, l.Sudo).Turn
	hosts, keys, elsewhere := map[string][]string{}, map[string][]state.Key{}, map[string]bool{}
	for _, h := range s.inv.Hosts {
		elsewhere[h.Name] = !l.Carries(h)
		hosts[h.Name] = h.Backends
		for _, up := range l.Upstreams {
			for _, addr := range h.Backends {
				keys[h.Name] = append(keys[h.Name], state.Key{Upstream: up, Address: addr})
			}
		}
	}
	s.stores = append(s.stores, store)
	s.lbs = append(s.lbs, &balancer{name: l.Name, store: store, keys: keys, machine: sure, driver: s.driver(l, sure, hosts, elsewhere)})
}

// driver speaks to the kind of balancer that the inventory names.
func (s *session) driver(l inventory.LB, m lb.Runner, hosts map[string][]string, elsewhere map[string]bool) driver {
	if l.Kind == "nginx" {
		return lb.NewNginx(lb.NginxConfig{
			Name: l.Name, Upstreams: l.Upstreams, Config: l.Config, Sudo: l.Sudo, Hosts: hosts, Elsewhere: elsewhere,
			ReadyTimeout: s.inv.Rollout.LBReadyTimeout, Probe: probeOf(s.inv),
		}, m)
	}
	return lb.NewHAProxy(lb.HAProxyConfig{
		Name: l.Name, Upstreams: l.Upstreams, Socket: l.Socket, MasterSocket: l.MasterSocket, Sudo: l.Sudo, Hosts: hosts, Elsewhere: elsewhere,
		ReadyTimeout:   s.inv.Rollout.LBReadyTimeout,
		GracefulReload: s.inv.Reload.Method == "signal",
		Share:          new(deploy.Shared[[]byte]).Get,
	}, m)
}

// probeOf is how nginx's machine asks whether a host serves: over plain HTTP as the
// health check does, else whether it can be connected to.
func probeOf(inv *inventory.Inventory) lb.Probe {
	h := inv.Health
	if h.Kind != "http" || h.Scheme == "https" {
		return lb.Probe{}
	}
	var good []string
	for _, code := range h.Status {
		good = append(good, strconv.Itoa(code))
	}
	return lb.Probe{Path: h.Path, Host: h.Host, Status: strings.Join(good, "|"), Port: h.Port}
}

func (s *session) wireHost(h inventory.Host, m *remote.Machine) {
	x := newHost(s.inv, h, m)
	x.version = func(ctx context.Context) (string, error) { return s.checker.versionOf(ctx, h.Name) }
	x.rollout = func() string { return s.rollout }
	x.say = func(code, text string) {
		s.emit(deploy.Event{Kind: deploy.KindWarning, Host: h.Name, Code: code, Detail: text})
	}
	s.hosts[h.Name] = x
	own := health.Vantage{Name: h.Name, Dialer: ground{m, h.Path}, Addr: net.JoinHostPort(h.Address, strconv.Itoa(h.HealthPort))}
	s.checker.own[h.Name] = own
	x.well = func(ctx context.Context) error { return s.checker.needs(ctx, h.Name) }
	if s.inv.Health.Via == "host" {
		s.checker.from[h.Name] = []health.Vantage{own}
		return
	}
	for i, e := range s.edges {
		if !s.inv.LBs[i].Carries(h) {
			continue
		}
		s.checker.from[h.Name] = append(s.checker.from[h.Name], health.Vantage{Name: e.Name(), Dialer: e, Addr: s.healthAddr(h)})
	}
}

// healthAddr is where the balancers reach the host: its first backend's address,
// with the health check's own port.
func (s *session) healthAddr(h inventory.Host) string {
	address := h.Address
	if host, _, err := net.SplitHostPort(h.Backends[0]); err == nil {
		address = host
	}
	return net.JoinHostPort(address, strconv.Itoa(h.HealthPort))
}

// opener fits a machine's sessions to what state asks for.
type opener struct{ m *remote.Machine }

func (o opener) Open(ctx context.Context, script string) (state.Session, error) {
	return o.m.Open(ctx, script)
}

// entryName is the program's name inside a release as the inventory or the
// artifact has it, "" when neither does.
func entryName(inv *inventory.Inventory) string {
	return or(inv.App.Entry, inv.App.FileName())
}
