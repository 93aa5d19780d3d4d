package cli

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/flipdeploy/flipdeploy/lb"
)

// A draftHost is one machine: all servers of one address, on all balancers.
type draftHost struct {
	name, address string
	ports         []int    // nil: the app's
	backends      []string // where they are not address and port
	comment       string
	on            []string // balancers that have it
}

// host takes a server in. One that another balancer has already gets no second host.
func (d *draft) host(lbName string, s lb.ProposedServer) {
	address := s.Address
	if s.Local {
		address = placeholder(lbName)
	}
	for i := range d.hosts {
		h := &d.hosts[i]
		if h.address == address || s.Local && slices.Contains(h.backends, joinPort(s.Address, s.Port)) {
			h.add(lbName, s)
			h.betterName(d, s)
			return
		}
	}
	h := draftHost{address: address, name: d.hostName(s)}
	h.add(lbName, s)
	d.hosts = append(d.hosts, h)
}

func (h *draftHost) add(lbName string, s lb.ProposedServer) {
	if !slices.Contains(h.on, lbName) {
		h.on = append(h.on, lbName)
	}
	if !slices.Contains(h.ports, s.Port) {
		h.ports = append(h.ports, s.Port)
	}
	if at := joinPort(s.Address, s.Port); s.Local && !slices.Contains(h.backends, at) {
		h.backends = append(h.backends, at)
	}
	if s.Note != "" {
		h.comment = s.Note
	}
}

// betterName: HAProxy's is better than one that was made up.
func (h *draftHost) betterName(d *draft, s lb.ProposedServer) {
	if madeUp.MatchString(h.name) && goodHostName(s.Name) && !d.named(s.Name) {
		h.name = s.Name
	}
}

var (
	madeUp   = regexp.MustCompile(`^web\d+$`)
	hostWord = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$`)
)

func goodHostName(s string) bool { return hostWord.MatchString(s) }

// hostName is the balancer's name of a server, the first label of its own, or web1.
func (d *draft) hostName(s lb.ProposedServer) string {
	label := ""
	if _, err := netip.ParseAddr(s.Address); err != nil && !s.Local {
		label, _, _ = strings.Cut(s.Address, ".")
	}
	for _, name := range []string{s.Name, label} {
		if goodHostName(name) && !d.named(name) {
			return name
		}
	}
	for i := len(d.hosts) + 1; ; i++ {
		if name := fmt.Sprintf("web%d", i); !d.named(name) {
			return name
		}
	}
}

func (d *draft) named(name string) bool {
	return slices.ContainsFunc(d.hosts, func(h draftHost) bool { return h.name == name })
}

// A stretch is one [[host]]: a host, or several whose names and addresses count up
// together.
type stretch struct {
	draftHost
	count int
}

// stretches puts hosts that follow one another in the file together.
func stretches(hosts []draftHost) []stretch {
	var all []stretch
	for at := 0; at < len(hosts); {
		n := 1
		for at+n < len(hosts) && follows(hosts[at+n-1], hosts[at+n]) {
			n++
		}
		if n < 3 { // two are as easy to read, and to change, one by one
			n = 1
		}
		s := stretch{hosts[at], n}
		if n > 1 {
			s.name = span(hosts[at].name, hosts[at+n-1].name)
			s.address = span(hosts[at].address, hosts[at+n-1].address)
		}
		all = append(all, s)
		at += n
	}
	return all
}

// lastNumber cuts the last number out of a name or an IPv4 address.
var lastNumber = regexp.MustCompile(`^(.*?)(\d{1,9})(\D*)$`)

// follows: b is the host after a in every way, and nothing is to be said of either.
func follows(a, b draftHost) bool {
	return slices.Equal(a.ports, b.ports) && a.comment+b.comment == "" && a.backends == nil && b.backends == nil &&
		counts(a.name, b.name) && counts(a.address, b.address)
}

func counts(a, b string) bool {
	x, y := lastNumber.FindStringSubmatch(a), lastNumber.FindStringSubmatch(b)
	if x == nil || y == nil || strings.Contains(a, ":") || x[1] != y[1] || x[3] != y[3] {
		return false
	}
	m, _ := strconv.Atoi(x[2])
	n, _ := strconv.Atoi(y[2])
	padded := x[2][0] == '0' && len(x[2]) > 1 || y[2][0] == '0'
	return n == m+1 && (!padded || len(x[2]) == len(y[2]))
}

func span(first, last string) string {
	x, y := lastNumber.FindStringSubmatch(first), lastNumber.FindStringSubmatch(last)
	return x[1] + "[" + x[2] + ":" + y[2] + "]" + x[3]
}
