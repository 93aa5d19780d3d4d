package lb

import (
	"context"
	"fmt"
	"strings"
)

// maintNeeded tells whether drain alone may let requests through to host, and why.
//
// In drain HAProxy still sends: clients whose cookie names the server, clients in a
// stick-table, whatever a use-server rule picks, and in mode tcp everything on
// connections that are open. Cookies, tables that store servers and the mode can be
// read; a use-server rule cannot, and neither can persist rdp-cookie outside of tcp.
// So the last word has the reload: only where a stray request harms nobody (the app's
// socket stays open while the release is replaced) and none came since the drain is
// maint skipped. What cannot be read counts as there.
func maintNeeded(mine []*server, pools []pool, tables string, arriving, graceful bool) (needed bool, why string) {
	if !graceful {
		return true, "the app's socket may close while it reloads"
	}
	if arriving {
		return true, "requests still came in drain"
	}
	for _, v := range mine {
		switch {
		case v.mode != "http":
			return true, fmt.Sprintf("%s has mode %q", v.pool, v.mode)
		case v.cookie != "" || cookieOf(pools, v.pool) != "":
			return true, v.pool + " has a cookie"
		}
	}
	if tables != "" {
		return true, tables
	}
	return false, "no cookie, no stick-table, none came in drain"
}

func cookieOf(pools []pool, name string) string {
	for _, p := range pools {
		if p.name == name {
			return p.cookie
		}
	}
	return "?" // a pool whose row is missing proves nothing
}

// needsMaint reads what maintNeeded wants to know. Tables are part of the
// configuration: they are asked once a process.
func (h *HAProxy) needsMaint(ctx context.Context, host string, s *snapshot, arriving bool) (bool, string) {
	if needed, why := maintNeeded(s.of(host), s.pools, "", arriving, h.cfg.GracefulReload); needed {
		return needed, why
	}
	return maintNeeded(s.of(host), s.pools, h.stickyTables(ctx, s.gen), arriving, true)
}

// alone notes that host is empty in drain alone, of which HAProxy that was proven, and
// how many requests it had got by then.
func (h *HAProxy) alone(host string, s *snapshot, why string) {
	l, _ := h.Left(host)
	l.Alone, l.AloneBy, l.Total = why, s.gen.String(), h.load(host, s).total
	h.Recall(host, l)
}

// stillAlone proves anew what let host stay in drain: another HAProxy may be configured
// otherwise, and a request that came all the same came by what cannot be read. What is not
// proven any more goes to maint.
func (h *HAProxy) stillAlone(ctx context.Context, host string, s *snapshot) {
	l, _ := h.Left(host)
	if l.Alone == "" {
		return
	}
	came := l.AloneBy == s.gen.String() && l.Total != h.load(host, s).total
	if needed, why := h.needsMaint(ctx, host, s, came); !needed {
		h.alone(host, s, why)
		return
	}
	l.Maint, l.Alone = true, ""
	h.Recall(host, l)
}

// Emptied says by which facts host is out in drain alone; "" where it is not.
func (h *HAProxy) Emptied(host string) string {
	l, _ := h.Left(host)
	if l.Alone == "" {
		return ""
	}
	return "no maint: " + l.Alone
}

func (h *HAProxy) stickyTables(ctx context.Context, gen generation) string {
	h.mu.Lock()
	known, ok := h.sticky[gen]
	h.mu.Unlock()
	if ok {
		return known
	}
	out, err := h.read.Run(ctx, h.script("", tablesSh))
	if err != nil {
		return "stick-tables could not be read"
	}
	why := sticky(string(out))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sticky[gen] = why
	return why
}

// A table that stores no server says so when it is asked for one; any other answer
// means that some pool sends its clients by it.
const tablesSh = `
fd_open "$FD_SOCK"
fd_tables=$(fd_ask "$FD_SOCK" 'show table') || exit 43
for fd_n in $(printf '%s\n' "$fd_tables" | sed -n 's/^# table: \([A-Za-z0-9_.:-]*\),.*/\1/p'); do
	fd_ask "$FD_SOCK" "show table $fd_n data.server_id gt 0" | grep -q 'not stored in this table' || printf 'sticky %s\n' "$fd_n"
done
printf '%s\n' "$fd_tables" | grep -v '^# table: [A-Za-z0-9_.:-]*, ' | grep -q . && printf 'odd\n'
printf '== end\n'
`

// sticky says which table keeps clients with a server, "" when provably none does.
func sticky(out string) string {
	body, ended := strings.CutSuffix(out, "== end\n")
	line, _, _ := strings.Cut(body, "\n")
	name, found := strings.CutPrefix(line, "sticky ")
	switch {
	case found:
		return "stick-table " + name + " keeps clients with a server"
	case !ended || line != "":
		return "stick-tables could not be read"
	}
	return ""
}
