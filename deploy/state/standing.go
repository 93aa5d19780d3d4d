package state

import "github.com/flipdeploy/flipdeploy/deploy"

// A Standing is what a journal says of an unfinished rollout beyond its plan: which
// way it was going, and how far. What hosts run now is asked of them, not of it.
type Standing struct {
	Turned deploy.Outcome // what going back ends as: rolled_back by itself, done when asked for; "" going forward
	Done   map[string]bool
	Failed map[string]bool // and not done since
}

// Standing reads what was written since the last plan.
func (j *Journal) Standing() Standing {
	s := Standing{Done: map[string]bool{}, Failed: map[string]bool{}}
	left := false // by an abandon, which was not: what it put back is as it was, and not done
	for _, r := range j.Records {
		switch r.Kind {
		case "plan":
			s, left = Standing{Done: map[string]bool{}, Failed: map[string]bool{}}, false
		case "abandon":
			left = true
		case "resume", "rollback":
			left = false
		case "turn":
			s.Turned, left = r.Outcome, false
		case "outcome":
			if !left {
				s.enter(r)
			}
		}
	}
	return s
}

func (s Standing) enter(r deploy.Record) {
	switch r.Act {
	case deploy.Done:
		s.Done[r.Host] = true
		delete(s.Failed, r.Host)
	case deploy.Failed:
		s.Failed[r.Host] = true
		delete(s.Done, r.Host)
	case deploy.RolledBack:
		delete(s.Done, r.Host)
	default:
	}
}
