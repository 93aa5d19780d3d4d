package lb

import (
	_ "embed"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"sort"
	"strconv"
	"strings"

	"al.essio.dev/pkg/shellescape"
)

//go:embed script/ask.sh
var askSh string

//go:embed script/act.sh
var actSh string

//go:embed script/poll.sh
var pollSh string

//go:embed script/trim.awk
var trimAwk string

//go:embed script/decide.awk
var decideAwk string

var (
	goodName   = regexp.MustCompile(`^[A-Za-z0-9_.:][A-Za-z0-9_.:-]*$`)
	goodSocket = regexp.MustCompile(`^(/[A-Za-z0-9_./-]+|tcp://[A-Za-z0-9.:\[\]-]+:[0-9]+)$`)
)

// A hostPort is an address as HAProxy shows it.
type hostPort struct {
	host string
	port int
}

func (a hostPort) String() string { return net.JoinHostPort(a.host, strconv.Itoa(a.port)) }

// checked returns the hosts by address, or what in cfg may not go into a script.
func checked(cfg HAProxyConfig) (map[hostPort]string, error) {
	var bad Faults
	name := func(what, s string, ok *regexp.Regexp) {
		if !ok.MatchString(s) {
			bad = append(bad, fault("FD-LB-NAME", "correct it in the inventory", "%s %q has characters that are not allowed", what, s))
		}
	}
	for _, u := range cfg.Upstreams {
		name("upstream", u, goodName)
	}
	name("socket", cfg.Socket, goodSocket)
	if cfg.MasterSocket != "" {
		name("master_socket", cfg.MasterSocket, goodSocket)
	}
	addrs := map[hostPort]string{}
	for _, host := range sorted(cfg.Hosts) {
		name("host", host, goodName)
		for _, a := range cfg.Hosts[host] {
			hp, err := parseHostPort(a)
			switch other := addrs[hp]; {
			case err != nil:
				bad = append(bad, fault("FD-LB-NAME", "correct it in the inventory", "host %s: backend %q: %v", host, a, err))
			case other != "" && other != host:
				bad = append(bad, fault("FD-LB-NAME", "give each host its own backend", "hosts %s and %s have the same backend %s", other, host, a))
			}
			addrs[hp] = host
		}
	}
	return addrs, bad.err()
}

func parseHostPort(s string) (hostPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return hostPort{}, fmt.Errorf("want host:port")
	}
	n, err := strconv.Atoi(port)
	if err != nil || n < 1 || n > 65535 {
		return hostPort{}, fmt.Errorf("port %q is none", port)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return hostPort{a.Unmap().String(), n}, nil
	}
	if !goodName.MatchString(host) {
		return hostPort{}, fmt.Errorf("host %q is no address", host)
	}
	return hostPort{host, n}, nil
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// table is what the awk programs are told about upstreams and hosts.
func (h *HAProxy) table() string {
	var b strings.Builder
	for _, u := range h.cfg.Upstreams {
		fmt.Fprintf(&b, "up %s\n", u)
	}
	lines := make([]string, 0, len(h.addrs))
	for hp, host := range h.addrs {
		lines = append(lines, fmt.Sprintf("addr %s %s %d\n", host, hp.host, hp.port))
	}
	sort.Strings(lines)
	return b.String() + strings.Join(lines, "")
}

// script wraps body so that it can stand before and after others in one shell.
func (h *HAProxy) script(table, body string, vars ...string) string {
	all := append([]string{
		"FD_SOCK", h.cfg.Socket,
		"FD_MASTER", h.cfg.MasterSocket,
		"FD_SUDO", flag(h.cfg.Sudo),
		"FD_CFG", table,
		"FD_TRIM", code(trimAwk),
	}, vars...)
	var b strings.Builder
	b.WriteString("(\n")
	for i := 0; i < len(all); i += 2 {
		fmt.Fprintf(&b, "%s=%s\n", all[i], shellescape.Quote(all[i+1]))
	}
	return b.String() + code(askSh) + code(body) + ")\n"
}

// SudoCommand is the one command that goes through sudo, for a line in sudoers, when
// Sudo is set and the socket is not the SSH user's to write. (MasterSocket: the same
// with its path.)
func (c HAProxyConfig) SudoCommand() string {
	return "socat -T10 -t10 - UNIX-CONNECT:" + c.Socket
}

func flag(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// code drops the comment lines: a script goes over the wire ten times a second.
func code(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if t := strings.TrimSpace(line); t != "" && !strings.HasPrefix(t, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// lookScript reads the state; with a host, what its old workers still hold too.
func (h *HAProxy) lookScript(host string) string {
	if host == "" {
		return h.script(h.table(), "fd_open \"$FD_SOCK\"\nfd_snap\nfd_show\n")
	}
	var dst []string
	for hp, o := range h.addrs {
		if o == host {
			dst = append(dst, "dst "+hp.String())
		}
	}
	sort.Strings(dst)
	return h.script(h.table(), pollSh, "FD_DST", strings.Join(dst, " or "))
}

// actScript checks and acts as one: decide is what must hold before, readback what
// must hold after, undo the state for what was set when it does not.
func (h *HAProxy) actScript(decide, readback, undo string) string {
	return h.script(h.table(), actSh, "FD_DECIDE", code(decideAwk),
		"FD_ACT", decide, "FD_READBACK", readback, "FD_UNDO", undo)
}
