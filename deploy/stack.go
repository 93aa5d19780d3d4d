package deploy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Past is a run that ended, as history keeps it.
type Past struct {
	Plan    Plan
	Outcome Outcome
	Kept    bool // some host was left on what the run brought
}

// stands tells that a rollout is one that a rollback may undo: it finished, or was
// abandoned and left hosts on its release.
func (p Past) stands() bool { return p.Outcome == OutcomeDone || p.Outcome == Abandoned && p.Kept }

// KeptOf tells whether some host was left on the release that the plan brought it, as
// far as was proven.
func KeptOf(p Plan, records []Record) bool {
	on := map[string]string{}
	for _, r := range records {
		switch {
		case r.Kind == "plan":
			clear(on)
		case r.Kind == "outcome" && (r.Act == Done || r.Act == RolledBack || r.Act == Failed):
			on[r.Host] = ""
			if r.Act == Done {
				on[r.Host] = r.Release
			}
		}
	}
	return slices.ContainsFunc(p.Hosts, func(h PlannedHost) bool { return h.To != h.From && on[h.Name] == h.To })
}

// Stack folds past runs, oldest first, into what a rollback may undo: a rollout
// that finished pushes, a rollback that finished pops. A rollout that was abandoned
// pushes, too, where hosts were left on its release: to go back is to what they ran before
// it. A rollout of the release that is on top already adds nothing: it only repaired hosts.
func Stack(past []Past) []Plan {
	var stack []Plan
	for _, p := range past {
		switch {
		case !p.stands():
		case p.Plan.Mode == ModeRollback && p.Outcome == Abandoned: // it is to be done once more
		case p.Plan.Mode == ModeRollback:
			stack = stack[:max(0, len(stack)-max(1, p.Plan.Pops))]
		case p.Plan.Mode == ModeRollout && (len(stack) == 0 || stack[len(stack)-1].Release != p.Plan.Release):
			stack = append(stack, p.Plan)
		}
	}
	return stack
}

// Steps is how many rollouts lie between now and the time when the fleet ran
// revision.
func Steps(stack []Plan, revision string) (int, error) {
	for n := 1; n <= len(stack); n++ {
		if stack[len(stack)-n].Previous == revision {
			return n, nil
		}
	}
	return 0, &Fault{Code_: "FD-NO-WAY-BACK",
		Err:   fmt.Errorf("the fleet never ran %s before; it ran %s", revision, before(stack)),
		Hint_: "roll it out: \"flipdeploy rollout --artifact PATH --revision " + revision + "\""}
}

func before(stack []Plan) string {
	var all []string
	for _, p := range slices.Backward(stack) {
		if p.Previous != "" && !slices.Contains(all, p.Previous) {
			all = append(all, p.Previous)
		}
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

// WayBack tells what each host ran before the newest n rollouts. A host that is
// not in them goes where most went.
func WayBack(stack []Plan, n int) (target func(host string) string, to Plan, err error) {
	if n < 1 || n > len(stack) {
		return nil, Plan{}, &Fault{Code_: "FD-NO-WAY-BACK",
			Err:   errors.New(noWay(n, len(stack))),
			Hint_: "see what the fleet ran with \"flipdeploy history\""}
	}
	top := stack[len(stack)-n]
	from := map[string]string{}
	count := map[string]int{}
	most := ""
	for _, h := range top.Hosts {
		if h.Out == "" {
			from[h.Name] = h.From
		}
		if h.Out == "" && h.From != "" {
			count[h.From]++
		}
	}
	for _, h := range top.Hosts {
		if count[h.From] > count[most] {
			most = h.From
		}
	}
	if most == "" {
		return nil, top, &Fault{Code_: "FD-NO-WAY-BACK",
			Err:   fmt.Errorf("before %s nothing ran on this fleet", top.Revision),
			Hint_: "there is nothing to roll back to; roll out another release instead"}
	}
	return func(host string) string {
		if id := from[host]; id != "" {
			return id
		}
		return most
	}, top, nil
}

func noWay(n, have int) string {
	if have == 0 {
		return "no finished rollout to roll back"
	}
	return fmt.Sprintf("only %d finished rollouts to roll back, not %d", have, n)
}
