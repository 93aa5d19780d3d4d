package inventory

import (
	"net"
	"strconv"
)

// At is the machine as it was found to be reached.
func (m Machine) At(address, user string, port int) Machine {
	m.Address, m.User, m.SSHPort = oneWay(address), user, port
	return m
}

// At is the host as it was found to be reached. A backend that is the address by default
// goes with it.
func (h Host) At(address, user string, port int) Host {
	before := h.Address
	h.Machine = h.Machine.At(address, user, port)
	var backends []string
	for _, b := range h.Backends {
		for _, p := range h.Ports {
			if b == net.JoinHostPort(before, strconv.Itoa(p)) {
				b = net.JoinHostPort(h.Address, strconv.Itoa(p))
				break
			}
		}
		backends = append(backends, b)
	}
	h.Backends = backends
	return h
}

// Unlike is nil unless two balancers or two hosts turn out to be one, when names were
// looked up after the file was read.
func (inv *Inventory) Unlike() error {
	b := &builder{faults: &faults{}, inv: inv}
	for _, l := range inv.LBs {
		b.lbFrom = append(b.lbFrom, b.late("lb", l.Machine))
	}
	for _, h := range inv.Hosts {
		b.hostFrom = append(b.hostFrom, b.late("host", h.Machine))
	}
	b.unlikeLBs()
	b.unlikeHosts()
	return b.err(inv.Path)
}

func (b *builder) late(key string, m Machine) section {
	return section{faults: b.faults, key: key + "[" + m.Name + "]", n: &node{}, at: pos{line: m.Line, col: 1}}
}
