package inventory

import (
	"fmt"
	"net"
	"path"
	"strconv"
)

// A seen remembers which machine had each value first.
type seen map[string]Machine

// before is the machine that had v first, when it is not m itself.
func (s seen) before(v string, m Machine) (Machine, bool) {
	had, ok := s[v]
	if !ok {
		s[v] = m
	}
	return had, ok
}

func (m Machine) said() string { return fmt.Sprintf("%s on line %d", quote(m.Name), m.Line) }

func (m Machine) ssh() string { return net.JoinHostPort(m.Address, strconv.Itoa(m.SSHPort)) }

// unlikeLBs adds a fault for names and machines that two balancers share: one
// machine holds one lease, so its second name would wait for the first.
func (b *builder) unlikeLBs() {
	names, places := seen{}, seen{}
	for i, l := range b.inv.LBs {
		s := b.lbFrom[i]
		s.unlikeName(l.Machine, names, "balancer")
		if l.Address == "" {
			continue
		}
		if had, ok := places.before(l.ssh(), l.Machine); ok {
			s.once("address", "is the machine of "+had.said(), `several upstreams of one machine: upstream = ["a", "b"]`)
		}
	}
}

// unlikeHosts adds a fault for what two hosts share and must not: the name, a
// backend, the directory.
func (b *builder) unlikeHosts() {
	names, backends, places := seen{}, seen{}, seen{}
	for i, h := range b.inv.Hosts {
		s := b.hostFrom[i]
		s.unlikeName(h.Machine, names, "host")
		for _, be := range h.Backends {
			switch had, ok := backends.before(be, h.Machine); {
			case ok && had.Name == h.Name && had.Line == h.Line:
				s.once(s.source(), fmt.Sprintf("the backend %s stands here twice", be), "")
			case ok:
				s.once(s.source(), fmt.Sprintf("the backend %s is that of %s", be, had.said()), "")
			}
		}
		if had, ok := places.before(path.Join(h.ssh(), h.Path), h.Machine); ok && h.Path != "" {
			s.once("address", fmt.Sprintf("%s there is that of %s", h.Path, had.said()),
				"several instances on one machine need a path each")
		}
	}
}

func (s section) unlikeName(m Machine, names seen, what string) {
	if m.Name == "" {
		return
	}
	if had, ok := names.before(m.Name, m); ok {
		s.once("name", fmt.Sprintf("%s is already the name of the %s on line %d", quote(m.Name), what, had.Line), "")
	}
}

// source is the key that a host's backends come from.
func (s section) source() string {
	if s.has("backend") {
		return "backend"
	}
	return "address"
}

// once adds a fault unless the key has one: a range would repeat it.
func (s section) once(key, text, hint string) {
	if !s.on(s.key + "." + key) {
		s.fault(key, text, hint)
	}
}
