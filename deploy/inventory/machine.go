package inventory

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// machines reads all [[lb]] and [[host]].
func (b *builder) machines() {
	for _, s := range b.several("lb", "a machine that runs HAProxy or nginx") {
		b.inv.LBs = append(b.inv.LBs, b.lb(s))
		b.lbFrom = append(b.lbFrom, s)
	}
	for _, s := range b.several("host", "a machine that runs the app") {
		if len(b.inv.Hosts) > maxHosts {
			break
		}
		for _, h := range b.hosts(s) {
			b.inv.Hosts = append(b.inv.Hosts, h)
			b.hostFrom = append(b.hostFrom, s)
		}
	}
	if n := len(b.inv.Hosts); n > maxHosts {
		b.add(b.placeOf(b.root.kids["host"]), "host", fmt.Sprintf("more than %d hosts", maxHosts), "")
	}
	b.unlikeLBs()
	b.unlikeHosts()
	b.zones()
}

func (b *builder) several(key, what string) []section {
	n := b.root.kids[key]
	if n == nil || n.arr && len(n.list) == 0 {
		b.add(b.placeOf(n), key, fmt.Sprintf("missing: at least one [[%s]], %s", key, what), "")
		return nil
	}
	var list []section
	for _, item := range n.list {
		if item.kids != nil {
			list = append(list, section{faults: b.faults, key: item.key, n: item, at: item.at})
		}
	}
	return list
}

// machine reads what a table of one machine and [ssh] say of reaching it.
func (b *builder) machine(s section) Machine {
	ssh := b.inv.SSH
	m := Machine{
		SSHPort:       s.port("ssh_port", ssh.Port),
		User:          s.str("ssh_user", ssh.User, userName),
		IdentityFiles: b.locals(s, "ssh_identity_file", ssh.IdentityFiles),
		KnownHosts:    b.locals(s, "ssh_known_hosts", ssh.KnownHosts),
		Jump:          b.jump(s, "ssh_jump", ssh.Jump),
		Line:          s.at.line,
	}
	sudo := ssh.Sudo
	if !b.section("ssh").has("sudo") {
		sudo = m.User != "root"
	}
	m.Sudo = s.flag("ssh_sudo", sudo)
	s.need("name", "events, locks and messages call it so")
	s.need("address", "where SSH finds it")
	return m
}

func (b *builder) lb(s section) LB {
	l := LB{Machine: b.machine(s)}
	l.Name = s.str("name", "", lbName)
	l.Address = oneWay(s.str("address", "", address))
	s.need("kind", "haproxy or nginx")
	s.need("upstream", "the pool that holds the hosts")
	l.Kind = s.word("kind", "", "haproxy", "nginx")
	l.Upstreams = s.strs("upstream", upstreamName)
	l.Socket = s.str("socket", "/run/haproxy/admin.sock", socket)
	l.MasterSocket = s.str("master_socket", "", socket)
	l.Config = s.str("config", "/etc/nginx/nginx.conf", remotePath)
	l.Zone = s.str("zone", "", label)
	switch {
	case l.Kind == "nginx":
		l = b.notHAProxy(s, l)
	case l.Kind == "haproxy" && s.has("config"):
		s.fault("config", "is nginx's: this balancer is HAProxy", "leave it out")
	}
	return l
}

func (b *builder) notHAProxy(s section, l LB) LB {
	for _, key := range []string{"socket", "master_socket"} {
		if s.has(key) {
			s.fault(key, "is HAProxy's: this balancer is nginx", "leave it out")
		}
	}
	l.Socket, l.MasterSocket = "", ""
	return l
}

// hosts is one host, or as many as the range in its name counts.
func (b *builder) hosts(s section) []Host {
	h := Host{
		Machine: b.machine(s),
		Path:    s.str("path", b.inv.App.Path, remotePath),
		Ports:   s.ports("port", b.inv.App.Ports),
		Zone:    s.str("zone", "", label),
		Labels:  s.strs("labels", label),
	}
	b.wherever(s, &h)
	names := s.spread("name", 0, machineName)
	addresses := s.spread("address", len(names), address)
	backends := s.spreadAll("backend", len(names), hostPort)
	var list []Host
	for i := 0; i < len(names) && i < len(addresses); i++ {
		one := h
		one.Name, one.Address = names[i], oneWay(addresses[i])
		one.Backends = one.backends(backends, i)
		list = append(list, one)
	}
	return list
}

// wherever fills in what is the same on all hosts of a range, and adds what is
// missing both here and in [app].
func (b *builder) wherever(s section, h *Host) {
	if h.Path == "" && !b.on("app.path") && !s.has("path") {
		b.section("app").need("path", "the app's root on every host")
	}
	if len(h.Ports) == 0 && !b.on("app.port") && !s.has("port") {
		b.section("app").need("port", "where the app listens")
	}
	h.HealthPort = b.inv.Health.Port
	if h.HealthPort == 0 && len(h.Ports) > 0 {
		h.HealthPort = h.Ports[0]
	}
	b.reloadSudo(h)
}

// reloadSudo: what a preset knows to be the app's user's is not root's, unless it says
// so; what is asked of a unit is root's.
func (b *builder) reloadSudo(h *Host) {
	r, s := b.inv.Reload, b.section("reload")
	sudo := h.Sudo
	if p := r.System(); p.Sudo != nil && r.Method == p.Method {
		sudo = *p.Sudo
	}
	h.CommandSudo = s.flag("sudo", sudo)
	if r.Unit != "" {
		sudo = h.Sudo
	}
	h.ReloadSudo = s.flag("sudo", sudo)
}

// backends are as given, else the address with each of the app's ports.
func (h Host) backends(given [][]string, i int) []string {
	var list []string
	for _, g := range given {
		list = append(list, canonical(g[i]))
	}
	if given != nil {
		return list
	}
	for _, p := range h.Ports {
		list = append(list, net.JoinHostPort(h.Address, strconv.Itoa(p)))
	}
	return list
}

// canonical writes address:port one way only.
func canonical(hp string) string {
	h, p, err := net.SplitHostPort(hp)
	if err != nil {
		return hp
	}
	n, _ := strconv.Atoi(p)
	return net.JoinHostPort(oneWay(h), strconv.Itoa(n))
}

// spread reads a string that may hold a range; count is how many there must
// be, 0 when any number will do. Nil after a fault.
func (s section) spread(key string, count int, rules ...rule) []string {
	n := s.get(key)
	if n == nil {
		return nil
	}
	return s.spreadNode(n, count, rules)
}

func (s section) spreadNode(n *node, count int, rules []rule) []string {
	list, wrong := spread(n.val.(string))
	if wrong == "" && count > 0 && len(list) != count {
		wrong = fmt.Sprintf("%s counts %d, the name %d: they must agree", quote(n.val.(string)), len(list), count)
	}
	for _, v := range list {
		for _, r := range rules {
			if wrong == "" {
				wrong = r(v)
			}
		}
	}
	if wrong != "" {
		s.add(n.at, n.key, wrong, rangeHint(n.val.(string)))
		return nil
	}
	return list
}

// rangeHint helps where a range was meant and none was read.
func rangeHint(s string) string {
	if strings.ContainsAny(s, "[{") && !rangeRef.MatchString(s) && !strings.Contains(s, "]:") && !strings.Contains(s, "::") {
		return `a range is written web[1:4] or web[01:04]`
	}
	return ""
}

// spreadAll reads one such string or several; nil without the key.
func (s section) spreadAll(key string, count int, rules ...rule) [][]string {
	var list [][]string
	for _, n := range s.items(key) {
		if one := s.spreadNode(n, count, rules); one != nil && count > 0 {
			list = append(list, one)
		}
	}
	return list
}
