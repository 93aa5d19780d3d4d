package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
)

// lines are the status for a person: what holds the fleet, every host, and what
// could not be read.
func (st fleetStatus) lines() []string {
	lines := append([]string{ui.Line("%s: %s", st.App, st.runs())}, st.standing()...)
	lines = append(append(lines, ""), st.rows().Lines()...)
	return append(lines, st.troubles(len(st.Problems))...)
}

// standing is what holds the fleet.
func (st fleetStatus) standing() (lines []string) {
	if st.Lock != nil {
		lines = append(lines, ui.Line("locked by %s%s", st.Lock, pausing(st.Pausing)))
	}
	if st.Freeze != nil {
		lines = append(lines, ui.Line("%s", frozenWords(st.Freeze.LB, st.Freeze.Freeze)))
	}
	if u := st.Unfinished; u != nil {
		lines = append(lines, ui.Line("unfinished: %s %s to %s: %s", u.Mode, u.Rollout, or(u.Revision, "what ran before"), deploy.OutcomeUnfinished.Next(u.Mode)))
	}
	return lines
}

func pausing(yes bool) string {
	if yes {
		return ", asked to pause"
	}
	return ""
}

// runs is `v2 on 3, v1 on 1 of 5 hosts, 1 unreachable`.
func (st fleetStatus) runs() string {
	count, lost := map[string]int{}, ""
	unreachable := 0
	for _, h := range st.Hosts {
		if h.Running {
			count[or(h.Revision, "an app that is none of ours")]++
		}
		if !h.Reachable {
			unreachable++
			lost = fmt.Sprintf(", %d unreachable", unreachable)
		}
	}
	names := sortedKeys(count)
	slices.SortStableFunc(names, func(a, b string) int { return count[b] - count[a] })
	var parts []string
	for _, n := range names {
		parts = append(parts, fmt.Sprintf("%s on %d", n, count[n]))
	}
	if len(parts) == 0 {
		parts = []string{"runs on 0"}
	}
	return fmt.Sprintf("%s of %d hosts%s", strings.Join(parts, ", "), len(st.Hosts), lost)
}

func (st fleetStatus) rows() *ui.Table {
	t, zones := &ui.Table{Head: []string{"host"}}, st.zoned()
	if zones {
		t.Head = append(t.Head, "zone")
	}
	t.Head = append(t.Head, "release", "running", "healthy")
	for _, lb := range st.LBs {
		t.Head = append(t.Head, lb.Name)
	}
	for _, h := range st.Hosts {
		release, running := or(h.Release, "none"), yesNo(h.Running)
		if !h.Reachable {
			release, running = "?", "unreachable"
		}
		healthy := yesNo(h.Healthy)
		if !h.Asked {
			healthy = "?"
		}
		row := []string{h.Name}
		if zones {
			row = append(row, h.Zone)
		}
		row = append(row, release, running, healthy)
		for _, s := range h.LBs {
			row = append(row, s.words())
		}
		t.Add(row...)
	}
	return t
}

func (st fleetStatus) zoned() bool {
	return slices.ContainsFunc(st.Hosts, func(h hostStatus) bool { return h.Zone != "" })
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// words are `drain, 3 sessions, owner 20261121-…`.
func (s seatStatus) words() string {
	text := string(s.State)
	if s.Sessions > 0 {
		text += fmt.Sprintf(", %d sessions", s.Sessions)
	}
	if s.Owner != "" {
		text += ", owner " + s.Owner
	}
	return text
}
