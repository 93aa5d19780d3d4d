package state

import (
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// The end that a dying run wrote arrives after another has read the journal, and
// before it goes on.
func TestARolloutThatIsGoneOnWithIsUnfinishedWhateverArrivedBefore(t *testing.T) {
	for _, kind := range []string{"turn", "resume", "rollback", "abandon"} {
		j := Journal{Records: []deploy.Record{
			{Kind: "plan", Plan: &deploy.Plan{}}, {Kind: "end", Outcome: deploy.OutcomeDone}, {Kind: kind},
		}}
		if !j.Unfinished() || j.Outcome() != "" {
			t.Errorf("%s: unfinished %v, outcome %q", kind, j.Unfinished(), j.Outcome())
		}
		j.Records = append(j.Records, deploy.Record{Kind: "end", Outcome: deploy.OutcomeRolledBack})
		if j.Unfinished() || j.Outcome() != deploy.OutcomeRolledBack {
			t.Errorf("%s, ended: unfinished %v, outcome %q", kind, j.Unfinished(), j.Outcome())
		}
	}
}
