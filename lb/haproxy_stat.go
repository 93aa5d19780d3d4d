package lb

import (
	"fmt"
	"strconv"
	"strings"
)

// A statRow is one row of `show stat`.
type statRow struct {
	server
	kind string // 0 frontend, 1 pool, 2 server
	at   string // address, as HAProxy writes it
}

// into copies what v has not got from `show servers state`.
func (r statRow) into(v *server) {
	have := *v
	*v = r.server
	v.pool, v.name, v.addr, v.fqdn = have.pool, have.name, have.addr, have.fqdn
	v.op, v.admin, v.uweight, v.health = have.op, have.admin, have.uweight, have.health
	v.checkState, v.agentState = have.checkState, have.agentState
	v.stat = true
}

func parseStat(text string) ([]statRow, error) {
	body, ok := strings.CutPrefix(text, "# ")
	lines, err := parseCSV(body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("show stat: %w", err)
	case !ok || len(lines) == 0:
		return nil, fmt.Errorf("show stat: no header")
	}
	var rows []statRow
	columns := columnsOf(lines[0])
	for _, line := range lines[1:] {
		r := row{columns: columns, cells: line}
		rows = append(rows, r.stat())
		if r.err != nil {
			return nil, fmt.Errorf("show stat: %w", r.err)
		}
	}
	return rows, nil
}

// A row reads cells by column name and keeps the first error.
type row struct {
	columns map[string]int // of the table
	cells   []string
	err     error
}

func columnsOf(names []string) map[string]int {
	at := make(map[string]int, len(names))
	for i, n := range names {
		at[n] = i
	}
	return at
}

func (r *row) text(name string) string {
	if i, ok := r.columns[name]; (!ok || i >= len(r.cells)) && r.err == nil {
		r.err = fmt.Errorf("no column %s", name)
	}
	return r.maybe(name)
}

// maybe is "" where there is no such column, or the row does not come so far.
func (r *row) maybe(name string) string {
	if i, ok := r.columns[name]; ok && i < len(r.cells) {
		return r.cells[i]
	}
	return ""
}

func (r *row) number(name string) int { return int(r.count(name)) }

// count is 0 for an empty cell: HAProxy leaves out what does not apply.
func (r *row) count(name string) int64 {
	s := r.text(name)
	if s == "" || s == "-" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("%s %q is no number", name, s)
	}
	return n
}

// counters: a pool in mode tcp counts no answers, and req_tot is none of a server's.
func (r *row) counters() Counters {
	c := Counters{Errors5xx: r.count("hrsp_5xx"), Broken: r.count("eresp"), Connect: r.count("econ"),
		Retries: r.count("wretr") + r.count("wredis"), ChecksDown: r.count("chkdown")}
	for _, class := range []string{"1xx", "2xx", "3xx", "4xx", "5xx", "other"} {
		c.Requests += r.count("hrsp_" + class)
	}
	return c
}

func (r *row) stat() statRow {
	v := statRow{kind: r.text("type")}
	v.pool, v.name, v.status, v.tracked = r.text("pxname"), r.text("svname"), r.text("status"), r.text("tracked")
	v.backup = r.number("bck") > 0
	v.scur, v.qcur, v.stot = r.number("scur"), r.number("qcur"), r.count("stot")
	v.rise, v.fall = r.number("check_rise"), r.number("check_fall")
	v.checkStatus, v.checkCode = r.text("check_status"), r.text("check_code")
	v.counts = r.counters()
	// These are shown to level operator and above, and not by every version.
	v.lastCheck, v.at = r.maybe("last_chk"), r.maybe("addr")
	v.cookie, v.mode = r.maybe("cookie"), r.maybe("mode")
	return v
}
