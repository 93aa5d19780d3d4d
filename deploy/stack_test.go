package deploy

import (
	"fmt"
	"testing"
)

// What a fleet of two ran, rollout by rollout; the last was abandoned with web1 on v3.
func abandonedHalfWay(records ...Record) []Past {
	plan := func(from, to string) Plan {
		return Plan{Mode: ModeRollout, Release: to, Revision: to, Previous: from,
			Hosts: []PlannedHost{{Name: "web1", From: from, To: to, Ran: true}, {Name: "web2", From: from, To: to, Ran: true}}}
	}
	last := plan("v2", "v3")
	return []Past{{Plan: plan("", "v1"), Outcome: OutcomeDone}, {Plan: plan("v1", "v2"), Outcome: OutcomeDone},
		{Plan: last, Outcome: Abandoned, Kept: KeptOf(last, records)}}
}

func TestARollbackAfterAnAbandonedRolloutIsToWhatTheFleetRanBeforeIt(t *testing.T) {
	done := Record{Kind: "outcome", Host: "web1", Act: Done, Release: "v3"}
	past := abandonedHalfWay(done, Record{Kind: "abandon"})
	way, top, err := WayBack(Stack(past), 1)
	want(t, "way back", fmt.Sprintln(way("web1"), way("web2"), top.Previous, err), "v2 v2 v2 <nil>\n")

	// That rollback finished: the next one goes to what was before v2.
	past = append(past, Past{Plan: Plan{Mode: ModeRollback, Pops: 1}, Outcome: OutcomeDone})
	way, _, err = WayBack(Stack(past), 1)
	want(t, "and once more", fmt.Sprintln(way("web1"), way("web2"), err), "v1 v1 <nil>\n")
}

func TestARolloutThatWasAbandonedWithoutATraceIsNoneToGoBackFrom(t *testing.T) {
	for about, records := range map[string][]Record{
		"nothing was done": nil,
		"undone":           {{Kind: "outcome", Host: "web1", Act: Done, Release: "v3"}, {Kind: "outcome", Host: "web1", Act: RolledBack, Release: "v2"}},
		"put back on v2":   {{Kind: "abandon"}, {Kind: "outcome", Host: "web1", Act: Done, Release: "v2", Detail: "abandoned"}},
	} {
		way, _, err := WayBack(Stack(abandonedHalfWay(records...)), 1)
		want(t, about, fmt.Sprintln(way("web1"), way("web2"), err), "v1 v1 <nil>\n")
	}
}

func TestARollbackThatWasAbandonedIsDoneOnceMore(t *testing.T) {
	back := Plan{Mode: ModeRollback, Pops: 1, Hosts: []PlannedHost{{Name: "web1", From: "v2", To: "v1", Ran: true}}}
	past := append(abandonedHalfWay(), Past{Plan: back, Outcome: Abandoned, Kept: true})
	_, top, err := WayBack(Stack(past), 1)
	want(t, "way back", fmt.Sprintln(top.Previous, err), "v1 <nil>\n")
}
