package ui

import "github.com/flipdeploy/flipdeploy/deploy"

// A look is how a word stands in the story.
type look int

const (
	strange look = iota // a word that this program does not know; shown as it is
	resting             // waits for its turn
	moving              // under way
	well                // ended, and all is well
	ill                 // ended, and it is not
	notable             // ended, and a person should know
)

// lookOf is the one place where phases are told apart.
func lookOf(p deploy.Phase) look {
	switch p {
	case deploy.Pending, deploy.Staged, deploy.Drained:
		return resting
	case deploy.Staging, deploy.Draining, deploy.Flipping, deploy.Reloading,
		deploy.Verifying, deploy.Readying, deploy.Baking:
		return moving
	case deploy.Done:
		return well
	case deploy.Failed, deploy.Stuck, deploy.Unknown:
		return ill
	case deploy.RolledBack, deploy.LeftOut:
		return notable
	}
	return strange
}

// out tells whether a host that ended in p is out of rotation by our hand.
func out(p deploy.Phase) bool {
	switch p {
	case deploy.Draining, deploy.Drained, deploy.Flipping, deploy.Reloading, deploy.Verifying,
		deploy.Readying, deploy.Failed, deploy.Stuck, deploy.Unknown:
		return true
	case deploy.Pending, deploy.Staging, deploy.Staged, deploy.Baking, deploy.Done,
		deploy.RolledBack, deploy.LeftOut:
	}
	return false
}

// Levels of an event; a story shows those from its threshold on.
const (
	chatter = iota // what is waited for, poll by poll
	news
	alarm
)

// tell is the one place where events become lines.
func (s *story) tell(e deploy.Event) []string {
	switch e.Kind {
	case deploy.KindHost:
		return s.host(e)
	case deploy.KindPlan:
		return s.row(news, e.Host, "plan", notable, detail(e), elapsed(e))
	case deploy.KindLB:
		return s.balancer(e)
	case deploy.KindLock:
		return s.row(news, or(e.Host, e.LB), "lock", notable, e.Detail, elapsed(e))
	case deploy.KindHook:
		if s.crowd != nil && e.Host != "" {
			return nil
		}
		return s.row(news, e.Host, "hook", notable, e.Detail, elapsed(e))
	case deploy.KindWarning:
		return s.trouble(e, notable)
	case deploy.KindError:
		s.errors++
		return s.trouble(e, ill)
	case deploy.KindResult:
		return nil // Result shows it
	}
	return s.row(news, e.Host, string(e.Kind), strange, detail(e), elapsed(e))
}
