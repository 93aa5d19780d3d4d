package cli

import (
	"context"
	"errors"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// An openRun is a rollout that was begun and not ended.
type openRun struct {
	deploy.Plan
	deploy.Standing
}

// history reads past runs, oldest first, and the one that was begun and not ended,
// nil when there is none.
func (s *session) history(ctx context.Context) (past []deploy.Past, open *openRun, err error) {
	return pastOf(ctx, s.keepers(s.stores))
}

func pastOf(ctx context.Context, keepers []keeper) (past []deploy.Past, open *openRun, err error) {
	journals, err := state.NewBook(keepers, 0).Journals(ctx)
	for i := len(journals) - 1; i >= 0; i-- {
		p := journals[i].Plan()
		if p == nil {
			continue
		}
		past = append(past, deploy.Past{Plan: *p, Outcome: journals[i].Outcome(), Kept: deploy.KeptOf(*p, journals[i].Records)})
		if journals[i].Unfinished() {
			open = &openRun{*p, journals[i].Standing()}
		}
	}
	return past, open, err
}

// nameEntry settles the program's name inside releases: what the inventory or the
// artifact says, else what the newest rollout had.
func (s *session) nameEntry(past []deploy.Past, open *openRun) error {
	for i := len(past) - 1; i >= 0 && s.entry == ""; i-- {
		s.entry = past[i].Plan.Entry
	}
	if open != nil && open.Entry != "" {
		s.entry = open.Entry
	}
	if s.entry == "" {
		return &deploy.Fault{Code_: "FD-ENTRY", Err: errors.New("the name of the program inside releases is not known"),
			Hint_: "set app.entry in the inventory"}
	}
	for _, h := range s.hosts {
		h.setEntry(s.entry)
	}
	return nil
}
