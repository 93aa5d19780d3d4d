package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
)

const (
	manyHosts = 100 // from so many on a terminal has them grouped
	mostRows  = 30  // of hosts that are not well, and of problems
)

// shown are the lines for a person at a terminal: a large fleet by groups of hosts that are
// alike, the largest first, and in full only those that are not well. A file and a pipe get
// every host, and so does who asks with -v.
func (a *asking) shown(st fleetStatus) []string {
	if len(st.Hosts) < manyHosts || a.verbose || !terminal(a.x.env.Stdout) {
		return st.lines()
	}
	return st.grouped()
}

func (st fleetStatus) grouped() []string {
	lines := append([]string{ui.Line("%s: %s", st.App, st.runs())}, st.standing()...)
	lines = append(append(lines, ""), st.groups().Lines()...)
	ill := st
	ill.Hosts = nil
	for _, h := range st.Hosts {
		if !h.well() {
			ill.Hosts = append(ill.Hosts, h)
		}
	}
	more := len(ill.Hosts) - mostRows
	ill.Hosts = ill.Hosts[:min(len(ill.Hosts), mostRows)]
	if len(ill.Hosts) > 0 {
		lines = append(append(lines, ""), ill.rows().Lines()...)
	}
	if more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more that are not well: flipdeploy status -v", more))
	}
	return append(lines, st.troubles(mostRows)...)
}

// well: in rotation wherever it is known, and healthy.
func (h hostStatus) well() bool {
	return h.Reachable && h.Running && h.Healthy &&
		!slices.ContainsFunc(h.LBs, func(s seatStatus) bool { return s.State != deploy.StateReady && s.State != deploy.StateAbsent })
}

// groups are the hosts that are alike, but for their sessions, under the number of them.
func (st fleetStatus) groups() *ui.Table {
	count, rows := map[string]int{}, map[string][]string{}
	st.Hosts = slices.Clone(st.Hosts)
	for i := range st.Hosts {
		h := &st.Hosts[i]
		h.LBs = slices.Clone(h.LBs)
		for j := range h.LBs {
			h.LBs[j].Sessions = 0
		}
	}
	all := st.rows()
	for _, row := range all.Rows {
		key := strings.Join(row[1:], "\x00")
		count[key]++
		rows[key] = row[1:]
	}
	keys := sortedKeys(count)
	slices.SortStableFunc(keys, func(a, b string) int { return count[b] - count[a] })
	t := &ui.Table{Head: append([]string{"hosts"}, all.Head[1:]...)}
	for _, key := range keys {
		t.Add(append([]string{strconv.Itoa(count[key])}, rows[key]...)...)
	}
	return t
}

// troubles are what could not be read, the first so many.
func (st fleetStatus) troubles(most int) (lines []string) {
	for i, p := range st.Problems {
		if i == 0 {
			lines = append(lines, "")
		}
		if i == most {
			return append(lines, fmt.Sprintf("! and %d more: flipdeploy status -v", len(st.Problems)-most))
		}
		lines = append(lines, ui.Line("! %s", p))
	}
	return lines
}
