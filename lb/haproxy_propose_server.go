package lb

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// server reads a server or server-template line of the pool in hand.
func (p *haProposal) server(l haLine) {
	switch {
	case l.words[0] == "server" && len(l.words) > 2:
		p.pool.one(l, p.pool.servers.with(l.words[3:]))
	case l.words[0] == "server-template" && len(l.words) > 3:
		p.pool.template(l, p.pool.servers.with(l.words[4:]))
	}
}

func (h *haPool) one(l haLine, s haServer) {
	address, port, why := haAddress(l.words[2])
	name := l.words[1]
	switch {
	case why == "" && port == 0:
		why = "has no port of its own"
	case s.backup && why == "":
		why = "is a backup, it gets no request while others serve"
	}
	if why != "" {
		h.note(l.where, "server %s %s %s: left out", name, l.words[2], why)
		return
	}
	h.options(l, name, s)
	one := ProposedServer{Name: name, Address: address, Port: port, Where: l.where}
	if s.disabled {
		one.Note = "is disabled: rollouts leave it as it is"
	}
	h.add(one, "HAProxy")
}

// options notes what matters to a rollout.
func (h *haPool) options(l haLine, name string, s haServer) {
	if s.weight {
		h.weighted(l.where)
	}
	if s.agent {
		h.note(l.where, "server %s has an agent-check, which can undo a drain: a rollout is refused until it is gone", name)
	}
	if s.proxy {
		h.note(l.where, "server %s gets the PROXY protocol: flipdeploy asks for health without it", name)
	}
	if !s.check && h.unchecked == "" {
		h.unchecked = l.where
	}
	health := &h.ProposedPool.Health
	health.TLS = health.TLS || s.tls
	if s.port > 0 && s.port < 65536 {
		health.Port = s.port
	}
}

// template is a line whose servers get their addresses from DNS, while HAProxy runs.
func (h *haPool) template(l haLine, s haServer) {
	from, to, ok := strings.Cut(l.words[2], "-")
	if !ok {
		from, to = "1", from
	}
	first, err1 := strconv.Atoi(from)
	last, err2 := strconv.Atoi(to)
	if err1 != nil || err2 != nil || last < first || s.backup {
		h.note(l.where, "server-template %s %s: left out", l.words[1], l.words[2])
		return
	}
	h.options(l, l.words[1], s)
	h.Slots += last - first + 1
	if _, port, why := haAddress(l.words[3]); why == "" && port > 0 {
		h.SlotPort = port
	}
	h.note(l.where, "server-template %s %s %s: its addresses are found at run time; write a [[host]] for each machine, with its IP address",
		l.words[1], l.words[2], l.words[3])
}

// haAddress reads an address as HAProxy's str2sa_range does: what follows the last colon
// is the port. why says that it is none that another machine has.
func haAddress(s string) (host string, port int, why string) {
	if family, rest, ok := strings.Cut(s, "@"); ok {
		if !slices.Contains([]string{"ipv4", "ipv6", "tcp", "tcp4", "tcp6", "mptcp", "mptcp4", "mptcp6"}, family) {
			return "", 0, "is no address of a machine"
		}
		s = rest
	}
	switch {
	case strings.Contains(s, "$"):
		return "", 0, "is known by HAProxy's environment only"
	case strings.HasPrefix(s, "/"):
		return "", 0, "is a socket of the balancer itself, no host"
	}
	host = s
	if at := strings.LastIndexByte(s, ':'); at >= 0 && !strings.HasSuffix(s, "]") {
		n, err := strconv.Atoi(s[at+1:])
		if err != nil || n < 1 || n > 65535 || s[at+1] == '+' {
			return "", 0, "has no port of its own"
		}
		host, port = s[:at], n
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().String(), port, ""
	}
	if host == "" || host == "*" || !goodName.MatchString(host) || strings.Contains(host, ":") {
		return "", 0, "is no address of a machine"
	}
	return host, port, ""
}
