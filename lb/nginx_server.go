package lb

import (
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A serverLine is one server of an upstream block.
type serverLine struct {
	upstream string // as the block is named
	listed   bool
	host     string   // of the inventory, "" for one that we do not know
	to       hostPort // the inventory's address of it
	at       *directive
	addr     string // as written
	down     bool   // flagged, by whomever
	mark     confMark
	backup   bool
	twisted  bool // its name has addresses of two hosts
}

// key names the line to people.
func (l *serverLine) key() string { return l.upstream + "/" + l.addr }

// ours tells whether the flag is one that flipdeploy set.
func (l *serverLine) ours() bool { return l.mark.rollout != "" }

// A literalPass is a proxy_pass and its like that names an address, not an upstream.
type literalPass struct {
	at   *directive
	addr string
}

// servers are all server lines of all upstreams, in http and stream.
func (c *nginxConf) servers() ([]*serverLine, error) {
	var all []*serverLine
	err := c.walk(func(d *directive, around []*directive) error {
		if d.name() != "server" || d.has || len(d.args) < 2 {
			return nil
		}
		if !in(around, "http", "upstream") && !in(around, "stream", "upstream") || len(around[1].args) != 2 {
			return nil
		}
		all = append(all, newServerLine(d, around[1].args[1]))
		return nil
	})
	return all, err
}

func newServerLine(d *directive, upstream string) *serverLine {
	l := &serverLine{upstream: upstream, at: d, addr: d.args[1]}
	l.down = slices.Contains(d.args[2:], "down")
	l.backup = slices.Contains(d.args[2:], "backup")
	l.mark = markOf(d)
	return l
}

// upstreams are the names of all upstream blocks, once each.
func (c *nginxConf) upstreams() ([]string, error) {
	var all []string
	err := c.walk(func(d *directive, around []*directive) error {
		if d.name() == "upstream" && d.has && len(d.args) == 2 && (in(around, "http") || in(around, "stream")) && !slices.Contains(all, d.args[1]) {
			all = append(all, d.args[1])
		}
		return nil
	})
	return all, err
}

// passes are the addresses that requests are sent to without an upstream block.
func (c *nginxConf) passes() ([]literalPass, error) {
	named, err := c.upstreams()
	if err != nil {
		return nil, err
	}
	var all []literalPass
	err = c.walk(func(d *directive, _ []*directive) error {
		if strings.HasSuffix(d.name(), "_pass") && !d.has && len(d.args) == 2 {
			if addr := passTarget(d.args[1]); addr != "" && !containsFold(named, addr) {
				all = append(all, literalPass{d, addr})
			}
		}
		return nil
	})
	return all, err
}

// passTarget is host or host:port of a URL, "" where a variable decides.
func passTarget(url string) string {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		rest = url
	}
	if strings.HasPrefix(rest, "unix:") {
		return ""
	}
	rest, _, _ = strings.Cut(rest, "/")
	if strings.ContainsRune(rest, '$') {
		return ""
	}
	if strings.HasPrefix(url, "https://") && !hasPort(rest) {
		return rest + ":443"
	}
	return rest
}

func hasPort(s string) bool { _, _, err := net.SplitHostPort(s); return err == nil }

func containsFold(all []string, s string) bool {
	return slices.ContainsFunc(all, func(one string) bool { return strings.EqualFold(one, s) })
}

// nginxAddr is where a server line points: an address and port, or a name and port
// that has to be looked up; ok is false for a unix socket and what is no address.
func nginxAddr(s string) (hp hostPort, name, ok bool) {
	if strings.HasPrefix(s, "unix:") || s == "" {
		return hostPort{}, false, false
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), "80"
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 || host == "" {
		return hostPort{}, false, false
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return hostPort{a.Unmap().String(), n}, false, true
	}
	if a, ok := nginxIPv4(host); ok {
		return hostPort{a, n}, false, true
	}
	if !goodName.MatchString(host) {
		return hostPort{}, false, false
	}
	return hostPort{host, n}, true, true
}

// nginxIPv4 reads four decimal numbers as nginx does: 010 is ten.
func nginxIPv4(s string) (string, bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return "", false
	}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 8)
		if err != nil || strings.HasPrefix(p, "+") {
			return "", false
		}
		parts[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(parts, "."), true
}

// assign finds whose each line is, by address and port or by the very name; names
// holds what the balancer's machine resolves the others to.
func assignLines(lines []*serverLine, upstreams []string, addrs map[hostPort]string, names map[string][]string) {
	for _, l := range lines {
		l.listed = containsFold(upstreams, l.upstream)
		l.host, l.to, l.twisted = ownerOf(l.addr, addrs, names)
	}
}

// ownerOf is the host that an address leads to, and that host's address as the
// inventory has it; twisted when it leads to another host too.
func ownerOf(addr string, addrs map[hostPort]string, names map[string][]string) (host string, to hostPort, twisted bool) {
	hp, isName, ok := nginxAddr(addr)
	if !ok {
		return "", hp, false
	}
	if host = addrs[hp]; host != "" || !isName {
		return host, hp, false
	}
	for _, ip := range names[hp.host] {
		at := hostPort{ip, hp.port}
		one := addrs[at]
		twisted = twisted || host != "" && one != host
		if one != "" {
			host, to = one, at
		}
	}
	return host, to, twisted
}

// unresolved are the names among lines that the balancer's machine must be asked for.
func unresolved(lines []*serverLine, addrs map[hostPort]string) []string {
	var all []string
	for _, l := range lines {
		hp, isName, ok := nginxAddr(l.addr)
		if ok && isName && addrs[hp] == "" && !slices.Contains(all, hp.host) {
			all = append(all, hp.host)
		}
	}
	slices.Sort(all)
	return all
}
