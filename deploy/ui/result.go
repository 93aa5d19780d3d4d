package ui

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// resultLines is the result for a person: one sentence, then every host that is
// out or has something to say; of a crowd the first ones, the worst first, and where all
// of them are.
func resultLines(app string, r deploy.Result, few bool) []string {
	lines := []string{string(r.Outcome) + ": " + lastLine(app, r)}
	names := slices.Sorted(maps.Keys(r.Hosts))
	if few {
		names = worstFirst(r)
		slices.SortStableFunc(names, func(a, b string) int { return later(r.Hosts[a]) - later(r.Hosts[b]) })
	}
	said := 0
	for _, name := range names {
		h := r.Hosts[name]
		if h.Reason == "" && !out(h.Phase) {
			continue
		}
		if said++; !few || said <= mostNamed {
			lines = append(lines, hostLine(name, h))
		}
	}
	if few && said > mostNamed {
		lines = append(lines, fmt.Sprintf("  and %s more: flipdeploy %s", thousands(said-mostNamed), allOf(r)))
	}
	return lines
}

// later has hosts that only turned back with the others named after those for which they did.
func later(h deploy.HostResult) int {
	if h.Code == "FD-TURNED-BACK" {
		return 1
	}
	return 0
}

// allOf is the command that lists all hosts.
func allOf(r deploy.Result) string {
	if r.Rollout == "" {
		return "status -v"
	}
	return "show " + r.Rollout
}

func hostLine(name string, h deploy.HostResult) string {
	reason := strings.ReplaceAll(strings.TrimPrefix(h.Reason, name+": "), "\n", "; ")
	f := fault{text: reason, code: h.Code}
	return strings.TrimRight(fmt.Sprintf("  %s  %s  %s  %s", name, h.Phase, or(deploy.RevisionOf(h.Release), "-"), f.said()), " ")
}

// lastLine is what became of the run, and of those who asked meanwhile.
func lastLine(app string, r deploy.Result) string {
	if r.Probe == nil {
		return sentence(app, r)
	}
	return sentence(app, r) + "; " + r.Probe.String()
}

func sentence(app string, r deploy.Result) string {
	what := strings.TrimSpace(app + " " + r.Revision)
	n, all := len(withPhase(r, deploy.Done)), len(r.Hosts)
	switch r.Outcome {
	case deploy.OutcomeDone:
		return joined("; ", ran(what, n, all)+" in "+took(r), served(r), before(r))
	case deploy.OutcomeNothing:
		if all == 0 {
			return "there was nothing to do"
		}
		return ran(what, n, all) + " already"
	case deploy.OutcomeRolledBack:
		back := all - len(withPhase(r, deploy.LeftOut))
		return joined("; ", ran(strings.TrimSpace(app+" back on "+or(r.Previous, "what it ran")), back, all)+" in "+took(r), served(r), failed(r))
	case deploy.OutcomeRefused, deploy.OutcomeLocked, deploy.OutcomeUnfinished:
		return "nothing was changed"
	case deploy.OutcomePaused, deploy.OutcomeStuck, deploy.OutcomeInterrupted, deploy.Abandoned:
	}
	return joined("; ", ran(what, onRevision(r), all)+" after "+took(r), served(r), before(r), outNow(r))
}

// ran is `shop v2 on 4 hosts`, or `shop v2 on 3 of 4 hosts`.
func ran(what string, n, all int) string {
	of := ""
	if n != all {
		of = fmt.Sprintf(" of %d", all)
	}
	hosts := "hosts"
	if all == 1 {
		hosts = "host"
	}
	return strings.TrimSpace(fmt.Sprintf("%s on %d%s %s", what, n, of, hosts))
}

func took(r deploy.Result) string { return duration(time.Duration(r.ElapsedMS) * time.Millisecond) }

func served(r deploy.Result) string {
	return fmt.Sprintf("at least %d of %d served", r.MinServingSeen, len(r.Hosts))
}

func before(r deploy.Result) string {
	if r.Previous == "" || r.Previous == r.Revision {
		return ""
	}
	return r.Previous + " before"
}

func failed(r deploy.Result) string {
	if r.Revision == "" {
		return ""
	}
	return r.Revision + " failed"
}

// onRevision counts the hosts on the wanted revision, however they came there.
func onRevision(r deploy.Result) int {
	if r.Revision == "" {
		return len(withPhase(r, deploy.Done))
	}
	n := 0
	for _, h := range r.Hosts {
		if h.Release != "" && deploy.RevisionOf(h.Release) == r.Revision {
			n++
		}
	}
	return n
}

func outNow(r deploy.Result) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.Hosts)) {
		if p := r.Hosts[name].Phase; out(p) {
			names = append(names, fmt.Sprintf("%s (%s)", name, p))
		}
	}
	if names == nil {
		return "none is out"
	}
	if more := len(names) - mostNamed; more > 0 {
		return fmt.Sprintf("out: %s and %s more", strings.Join(names[:mostNamed], ", "), thousands(more))
	}
	return "out: " + strings.Join(names, ", ")
}

func withPhase(r deploy.Result, p deploy.Phase) (names []string) {
	for name, h := range r.Hosts {
		if h.Phase == p {
			names = append(names, name)
		}
	}
	return names
}
