package lb

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Check returns nil when everything a rollout needs of this HAProxy is there. It
// changes nothing and returns all faults at once, as Faults.
func (h *HAProxy) Check(ctx context.Context) error {
	if h.bad != nil {
		return h.bad
	}
	out, err := h.read.Run(ctx, h.script(h.table()+"pools\n", checkSh))
	if err != nil {
		return alone(h.explain("asking HAProxy", err))
	}
	first, rest, _ := strings.Cut(string(out), "\n")
	s, err := h.parsed([]byte(rest))
	if err != nil {
		return alone(err)
	}
	return h.faults(strings.TrimPrefix(first, "level "), s).err()
}

// checkSh asks for the level first: less than admin reads all and sets nothing.
const checkSh = `
fd_open "$FD_SOCK"
fd_level=$(fd_ask "$FD_SOCK" 'show cli level') || fd_fail ask $? "$fd_level"
[ -z "$FD_MASTER" ] || { fd_open "$FD_MASTER"; fd_m=$(fd_ask "$FD_MASTER" 'show proc') || fd_fail master "$fd_m"; case $fd_m in *'<PID>'*) ;; *) fd_fail master "$fd_m" ;; esac; }
fd_open "$FD_SOCK"
fd_snap
printf 'level %s\n' $fd_level
fd_show
`

// alone makes a fault that hides all others a list of one.
func alone(err error) error {
	var f *Fault
	if errors.As(err, &f) {
		return Faults{f}
	}
	return err
}

func (h *HAProxy) faults(have string, s *snapshot) Faults {
	var all Faults
	if have != "admin" {
		all = append(all, level(have))
	}
	if s.stopping {
		all = append(all, fault("FD-LB-SOCKET-STALE", "restart HAProxy: an old process holds the socket", "the process behind socket %s is stopping", h.cfg.Socket))
	}
	missing := h.upstreamFaults(s)
	all = append(all, missing...)
	if len(missing) == len(h.cfg.Upstreams) {
		return all // what hosts are in says nothing then
	}
	for _, host := range sorted(h.cfg.Hosts) {
		all = append(all, h.hostFaults(host, s)...)
	}
	return all
}

func (h *HAProxy) upstreamFaults(s *snapshot) Faults {
	var names []string
	for _, p := range s.pools {
		names = append(names, p.name)
	}
	var all Faults
	for _, u := range h.cfg.Upstreams {
		if !slices.Contains(names, u) {
			all = append(all, fault("FD-LB-UPSTREAM", "set `upstream` to one of: "+strings.Join(names, ", "), "upstream %s does not exist", u))
		}
	}
	return all
}

func (h *HAProxy) hostFaults(host string, s *snapshot) Faults {
	var all Faults
	for _, v := range s.servers {
		if v.host == host && !v.listed {
			all = append(all, fault("FD-LB-UNLISTED", "add "+v.pool+" to `upstream`: the host gets its traffic from there too",
				"%s is in pool %s as well, which is not listed", host, v.pool))
		}
		if v.host == host && v.listed && v.agentState&agentEnabled != 0 && !h.cfg.AllowAgent {
			f := fault("FD-LB-AGENT", "remove agent-check from that server: its agent can undo our drain at any time", "%s has an agent-check: %s", host, v.key())
			all = append(all, f)
		}
	}
	mine := s.of(host)
	if len(mine) == 0 {
		if h.cfg.Elsewhere[host] {
			return all
		}
		return append(all, h.absent(host, s))
	}
	if _, err := s.targets(host); err != nil {
		all = append(all, &Fault{code: "FD-LB-TRACK", text: host, cause: err, hint: "let the server track one of its own host, in a listed upstream"})
	}
	return all
}

func (h *HAProxy) absent(host string, s *snapshot) *Fault {
	f := fault("FD-LB-BACKEND", "set the host's `backend` to its address as HAProxy has it", "%s: %s is no server of %s",
		host, strings.Join(h.cfg.Hosts[host], ", "), strings.Join(h.cfg.Upstreams, ", "))
	for _, v := range s.servers {
		if v.listed {
			f.evidence = append(f.evidence, v.key()+" "+v.addr.String())
		}
	}
	return f
}
