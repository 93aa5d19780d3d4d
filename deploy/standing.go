package deploy

import "slices"

// A Standing is what the journal of an unfinished rollout says beyond its plan: which
// way it was going, and how far. What hosts run now is asked of them, not of it.
type Standing struct {
	Turned Outcome // what going back ends as: rolled_back by itself, done when asked for; "" going forward
	Done   map[string]bool
	Doubt  map[string]bool // of those that are done: the judge was in doubt
	Failed map[string]bool // and not done since
	// Amid are hosts whose app was asked to take a release over, and nobody wrote how that
	// went: a process that hangs may take over later.
	Amid map[string]bool
}

func newStanding() Standing {
	return Standing{Done: map[string]bool{}, Doubt: map[string]bool{}, Failed: map[string]bool{}, Amid: map[string]bool{}}
}

// StandingOf reads what was written since the last plan.
func StandingOf(records []Record) Standing {
	s := newStanding()
	left := false // by an abandon, which was not: what it put back is as it was, and not done
	for _, r := range records {
		switch r.Kind {
		case "plan":
			s, left = newStanding(), false
		case "abandon":
			left = true
		case "resume", "rollback":
			left = false
		case "turn":
			s.Turned, left = r.Outcome, false
		case "intent":
			s.intended(r)
		case "outcome":
			if !left {
				s.enter(r)
			}
		}
	}
	return s
}

// intended: a host returns only once its takeover, or the undo of it, was proven.
func (s Standing) intended(r Record) {
	switch r.Act {
	case Reloading:
		s.Amid[r.Host] = true
	case Readying:
		delete(s.Amid, r.Host)
	default:
	}
}

func (s Standing) enter(r Record) {
	switch r.Act {
	case Done:
		s.Done[r.Host], s.Doubt[r.Host] = true, r.Doubt
		delete(s.Failed, r.Host)
	case Failed:
		s.Failed[r.Host] = true
		delete(s.Done, r.Host)
	case RolledBack:
		delete(s.Done, r.Host)
	default:
	}
}

// GoingBack tells that the rollout had turned back, or would have: its failures were
// too many, and it died before it could write down what follows.
func (s Standing) GoingBack(p Plan) Outcome {
	if s.Turned == "" && p.OnFailure == FailRollback && len(s.Failed) > p.MaxFail {
		return OutcomeRolledBack
	}
	return s.Turned
}

// Unfinished tells whether the rollout planned something, or was gone on with, and did
// not come to an end since. The end that a dying run wrote may arrive after another has
// begun to go on.
func Unfinished(records []Record) bool {
	for _, r := range slices.Backward(records) {
		switch {
		case r.Kind == "end":
			return false
		case r.Begins():
			return true
		}
	}
	return false
}

// Begins tells that somebody set to work: on a plan, or on what another had left.
func (r Record) Begins() bool {
	switch r.Kind {
	case "plan", "turn", "resume", "rollback", "abandon":
		return true
	}
	return false
}
