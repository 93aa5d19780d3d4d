package lb

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
)

// A Proposal is what the configuration of one balancer says of its pools, for an
// inventory that is to be written.
type Proposal struct {
	File   string // as it was given
	Kind   string // nginx, haproxy
	Config string // nginx: where it starts to read, on the balancer; "" is not known
	Socket string // HAProxy: "" is none that could be used
	Pools  []*ProposedPool
	Notes  []ProposedNote
}

// A ProposedPool is an nginx upstream or a HAProxy backend with servers.
type ProposedPool struct {
	Name, Where string
	TCP         bool
	Health      ProposedHealth
	Servers     []ProposedServer
	Slots       int // servers whose addresses are found at run time only
	SlotPort    int // theirs, 0 when not known
	Notes       []ProposedNote
}

// A ProposedHealth is what HAProxy asks; zero values are not known.
type ProposedHealth struct {
	Where, Path, Host string
	Port              int
	Status            []int
	TLS               bool
}

// A ProposedServer is a server that a host can stand for.
type ProposedServer struct {
	Name    string // "" where the balancer has none
	Address string // IP address or host name
	Port    int
	Where   string // FILE:LINE
	Note    string // what is odd about it
	Local   bool   // the balancer's own loopback
}

// A ProposedNote tells what could not be used, or matters to a rollout.
type ProposedNote struct{ Where, Text string }

func (n ProposedNote) String() string {
	if n.Where == "" {
		return n.Text
	}
	return n.Where + ": " + n.Text
}

func (p *ProposedPool) note(where, format string, a ...any) {
	n := ProposedNote{where, fmt.Sprintf(format, a...)}
	if !slices.Contains(p.Notes, n) {
		p.Notes = append(p.Notes, n)
	}
}

func (p *Proposal) note(where, format string, a ...any) {
	p.Notes = append(p.Notes, ProposedNote{where, fmt.Sprintf(format, a...)})
}

// Pool is the pool of that name, as the balancer compares names; nil for none.
func (p *Proposal) Pool(name string) *ProposedPool {
	for _, one := range p.Pools {
		if one.Name == name || p.Kind == "nginx" && strings.EqualFold(one.Name, name) {
			return one
		}
	}
	return nil
}

// Sharing are the other pools that send to a server of pool: a host that leaves one
// of them has to leave all.
func (p *Proposal) Sharing(pool *ProposedPool) []*ProposedPool {
	var all []*ProposedPool
	for _, other := range p.Pools {
		if other != pool && slices.ContainsFunc(other.Servers, func(s ProposedServer) bool { return pool.has(s.Address, s.Port) }) {
			all = append(all, other)
		}
	}
	return all
}

func (p *ProposedPool) has(address string, port int) bool {
	return slices.ContainsFunc(p.Servers, func(s ProposedServer) bool { return s.Address == address && s.Port == port })
}

// used leaves pools out that have nothing for an inventory, and says so of those whose
// name cannot be written in one.
func (p *Proposal) used() {
	p.Pools = slices.DeleteFunc(p.Pools, func(one *ProposedPool) bool {
		if !poolName(one.Name) {
			p.note(one.Where, "the name %q cannot stand in an inventory: use A-Z, a-z, 0-9, . _ : and -", one.Name)
			return true
		}
		if len(one.Servers)+one.Slots > 0 {
			return false
		}
		p.Notes = append(p.Notes, one.Notes...) // why there is none
		return true
	})
}

func poolName(s string) bool { return len(s) <= 250 && goodName.MatchString(s) }

// oneMachine tells whether an address can be that of one machine that others reach.
func oneMachine(s string) bool {
	ip, err := netip.ParseAddr(s)
	if err != nil {
		return s != "" && !strings.ContainsAny(s, ":[") && strings.Trim(s, "0123456789.") != "" &&
			!strings.Contains(s, "..") && strings.Trim(s[:1]+s[len(s)-1:], ".-") != "" && len(s) <= 253 && goodName.MatchString(s)
	}
	return ip.Zone() == "" && !ip.IsUnspecified() && !ip.IsMulticast() && !ip.IsLinkLocalUnicast() && s != "255.255.255.255"
}

func isLoopback(s string) bool {
	ip, err := netip.ParseAddr(s)
	return s == "localhost" || err == nil && ip.IsLoopback()
}

func isIP(s string) bool { _, err := netip.ParseAddr(s); return err == nil }

// add takes a server in, once, with what is odd about it.
func (p *ProposedPool) add(s ProposedServer, balancer string) {
	switch {
	case !oneMachine(s.Address):
		p.note(s.Where, "%s is not the address of one machine: left out", s.Address)
		return
	case p.has(s.Address, s.Port):
		return
	case isLoopback(s.Address):
		s.Local = true
		p.note(s.Where, "%s is the balancer itself: its SSH address is to be filled in for the host, too", s.Address)
	case !isIP(s.Address):
		p.note(s.Where, "%s is a name: for SSH it must lead to the same machine as for %s", s.Address, balancer)
	}
	if s.Note != "" {
		p.note(s.Where, "%s %s", s.Address, s.Note)
	}
	p.Servers = append(p.Servers, s)
}

// fileReason is what the system said of a file, without its path.
func fileReason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func badFile(hint, format string, a ...any) *Fault { return fault("FD-INIT-FILE", hint, format, a...) }

// nothing: a file was read and no pool is in it.
func (p *Proposal) nothing(file, what, hint string) error {
	f := fault("FD-INIT-UPSTREAM", hint, "%s: no %s with a server in it", file, what)
	for _, n := range p.Notes {
		f.evidence = append(f.evidence, n.String())
	}
	return f
}
