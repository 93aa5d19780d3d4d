package cli

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

func coded(code string) error {
	return &deploy.Fault{Host: "web1", Code_: code, Err: errors.New("why"), Hint_: "do this"}
}

// Nothing was changed in any of these: the code says what to do about it.
func TestHowARefusalEnds(t *testing.T) {
	_, missing := inventory.Load("nowhere.toml")
	for _, c := range []struct {
		err     error
		outcome deploy.Outcome
		exit    int
		code    string
	}{
		{usage("no such thing"), deploy.OutcomeRefused, 2, "FD-USAGE"},
		{fmt.Errorf("wrapped: %w", usage("no such thing")), deploy.OutcomeRefused, 2, "FD-USAGE"},
		{missing, deploy.OutcomeRefused, 2, "FD-INVENTORY"},
		{coded("FD-SSH-REFUSED"), deploy.OutcomeRefused, 1, "FD-SSH-REFUSED"},
		{coded("FD-FLOOR"), deploy.OutcomeRefused, 1, "FD-FLOOR"},
		{coded("FD-NO-WAY-BACK"), deploy.OutcomeRefused, 1, "FD-NO-WAY-BACK"},
		{coded("FD-LOCKED"), deploy.OutcomeLocked, 5, "FD-LOCKED"},
		{&state.HeldError{}, deploy.OutcomeLocked, 5, "FD-LOCKED"},
		{coded("FD-FROZEN"), deploy.OutcomeLocked, 5, "FD-FROZEN"},
		{coded("FD-UNFINISHED"), deploy.OutcomeUnfinished, 6, "FD-UNFINISHED"},
		{&unfinishedError{plan: &deploy.Plan{}}, deploy.OutcomeUnfinished, 6, "FD-UNFINISHED"},
		{context.Canceled, deploy.OutcomeInterrupted, 130, "FD-INTERNAL"},
		{fmt.Errorf("web1: %w", context.Canceled), deploy.OutcomeInterrupted, 130, "FD-INTERNAL"},
		{context.DeadlineExceeded, deploy.OutcomeRefused, 1, "FD-INTERNAL"},
		{errors.New("never thought of"), deploy.OutcomeRefused, 1, "FD-INTERNAL"},
		{errors.Join(coded("FD-SSH-REFUSED"), coded("FD-LOCKED")), deploy.OutcomeRefused, 1, "FD-SSH-REFUSED"},
	} {
		got := refused(c.err)
		if got.Outcome != c.outcome || got.Exit != c.exit || got.Code != c.code {
			t.Errorf("%v: %s, exit %d, %s; want %s, exit %d, %s", c.err, got.Outcome, got.Exit, got.Code, c.outcome, c.exit, c.code)
		}
		if got.Exit != got.Outcome.Exit() && c.exit != 2 {
			t.Errorf("%v: exit %d, but the outcome %s is %d elsewhere", c.err, got.Exit, got.Outcome, got.Outcome.Exit())
		}
		if got.Kind != deploy.KindResult || got.Hosts == nil || got.Error != c.err.Error() || got.Hint != deploy.HintOf(c.err) || got.Time.IsZero() {
			t.Errorf("%v: %+v", c.err, got)
		}
	}
}

// The table of the README, in full.
func TestExitCodesOfOutcomes(t *testing.T) {
	for outcome, want := range map[deploy.Outcome]int{
		deploy.OutcomeDone: 0, deploy.OutcomeNothing: 0, deploy.OutcomeRefused: 1, deploy.OutcomePaused: 3,
		deploy.OutcomeStuck: 4, deploy.OutcomeLocked: 5, deploy.OutcomeUnfinished: 6, deploy.OutcomeRolledBack: 7,
		deploy.OutcomeInterrupted: 130,
	} {
		if got := outcome.Exit(); got != want {
			t.Errorf("%s: exit %d, want %d", outcome, got, want)
		}
	}
}
