package deploy

import (
	"context"
	"errors"
)

// Resume tells where the hosts of an unfinished rollout stand, from what is seen
// alone: the marks and the processes, never the journal.
func (s Survey) Resume(p Plan) []HostView {
	var views []HostView
	for _, h := range p.Hosts {
		_, runs := s.Running[h.Name]
		_, points := s.Current[h.Name]
		seen := runs && points
		has := h.To != h.From && (s.Running[h.Name].Release == h.To || s.Current[h.Name] == h.To)
		v := HostView{Name: h.Name, Phase: RolledBack, Changes: h.Changes(), Fresh: !h.Ran, Serving: s.serves(h.Name)}
		v.Release = s.Running[h.Name].Release
		switch {
		case h.Skip != "": // nothing was done to it
			v.Phase = Pending
		case h.Out != "" && !h.InPlace:
			v.Phase = LeftOut
		case !seen: // not reached, or no longer in the inventory
			v.Phase, v.InPlace, v.Changed, v.Release = Unknown, h.InPlace, true, h.From
		case h.InPlace: // it stays out, whatever it runs
			v.Phase, v.InPlace, v.Changed = LeftOut, true, has
		case s.heldBy(p.Rollout, h.Name):
			v.Phase, v.Changed = Failed, true
		case s.outOf(h.Name) != "":
			v.Phase, v.Changed = LeftOut, has // a person took it over meanwhile
		case h.Changes() && has:
			v.Phase, v.Changed = Done, true
		}
		views = append(views, v)
	}
	return views
}

// Onward is the same for going on: what is not changed yet is left to be done. done
// are the hosts that the journal has as done: only of a restart, whose hosts look the
// same before and after, it is all that there is to go by.
func (s Survey) Onward(p Plan, done map[string]bool) []HostView {
	views := s.Resume(p)
	for i, h := range p.Hosts {
		v := &views[i]
		restarted := p.Mode == ModeRestart && done[h.Name]
		switch {
		case v.InPlace && v.Phase == LeftOut:
			v.Phase = s.onwardInPlace(h, restarted)
		case v.Phase == Done && s.Running[h.Name].Release != h.To: // its link was there before us, or it died since
			v.Phase = Staged
		case v.Phase != RolledBack:
		case !v.Changes || restarted:
			v.Phase = Done
		default:
			v.Phase = Staged
		}
	}
	return views
}

// onwardInPlace: only where process and disk agree on the release is the host done.
func (s Survey) onwardInPlace(h PlannedHost, restarted bool) Phase {
	r, current := s.Running[h.Name], s.Current[h.Name]
	switch {
	case restarted, h.Changes() && !h.Again && r.Release == h.To && current == h.To:
		return LeftOut
	}
	return Staged
}

// Left is the same for a rollout that is abandoned: who is out and ours is all that
// is to be done.
func (s Survey) Left(p Plan) []HostView {
	views := s.Resume(p)
	for i := range views {
		switch v := &views[i]; {
		case v.Phase == RolledBack:
			v.Phase = Done
		case v.InPlace: // out before the rollout came, and not by it
			v.Phase = LeftOut
		}
	}
	return views
}

// InRotation tells that no balancer has the host out.
func (s Survey) InRotation(host string) bool { return s.outOf(host) == "" }

// heldBy tells that the rollout took the host out on some balancer. A mark alone is no
// proof: a person may have been quicker.
func (s Survey) heldBy(rollout, host string) bool {
	for _, seats := range s.Seats {
		if seat := seats[host]; seat.Owner == rollout && seat.out() && !seat.Taken {
			return true
		}
	}
	return false
}

// retake takes hold of a host that an earlier run of this rollout left out: it is
// drained where it is not out, and empty everywhere.
func (l *life) retake(ctx context.Context) error {
	if l.run.crowded() && l.keptOut(ctx) != nil {
		return errCrowded
	}
	l.phase(Draining, "left out by an earlier run")
	if err := l.record(ctx, "intent", Draining, "", "undo"); err != nil {
		return err
	}
	// A drain is safe to repeat, in maint too; one of two backends may be in rotation.
	err := l.drain(ctx)
	if err != nil {
		return fault(l.host.Name(), Draining, err)
	}
	l.phase(Drained, l.emptiedWords())
	return nil
}

// notRetaken: the host stays out, as the earlier run left it.
func (l *life) notRetaken(ctx context.Context, err error) ending {
	l.changed = true
	if why := refusal(err); why == RefusedFloor || why == RefusedBudget {
		if e, ok := l.stepBack(ctx); ok {
			return e
		}
	}
	switch reason := refusal(err); {
	case reason == RefusedFloor || reason == RefusedBudget:
		return ending{phase: Failed, changed: true, blocked: true, err: errors.Join(err, l.amid())}
	case CodeOf(err) == codeDrainTimeout:
		return ending{phase: Failed, changed: true, pause: true, err: err}
	}
	return l.notUndone(err)
}

// stepBack returns a host that an earlier run left out on some balancers, and that may
// not leave the others now, with the release that it runs: two such hosts, each in
// rotation where the other is out, would wait for each other for ever. Where a takeover
// was under way it is not: what hangs of it cannot be ended while requests come.
func (l *life) stepBack(ctx context.Context) (e ending, ok bool) {
	if l.amid() != nil {
		return e, false
	}
	r, err := l.host.Running(ctx)
	current, wrong := l.host.Current(ctx)
	if err != nil || wrong != nil || r.Release == "" || current != r.Release || l.keptOut(ctx) == nil {
		return e, false
	}
	l.runs = current
	if l.verify(ctx, current) != nil || l.intent(ctx, Readying, current) != nil || l.ready(ctx) != nil {
		return e, false
	}
	switch {
	case current == l.plan.To && l.plan.To != l.plan.From:
		e = ending{phase: Done, runs: current, changed: true}
	case l.run.turned():
		e = ending{phase: RolledBack, runs: current, tried: true}
	default:
		return ending{phase: Staged, runs: current}, true
	}
	l.phase(e.phase, RevisionOf(current))
	l.outcome(ctx, e.phase, current, "")
	return e, true
}

// crowded tells that an earlier run left more hosts out, each on some balancer, than may
// be out on all of them.
func (x *run) crowded() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return (&View{Hosts: x.hosts}).tally().held > x.Plan.Parallel
}

var errCrowded = &crowd{}

type crowd struct{}

func (*crowd) Error() string   { return "too many hosts were left out to take this one out everywhere" }
func (*crowd) Refusal() string { return RefusedBudget }
func (*crowd) Code() string    { return "FD-BUDGET" }
func (*crowd) Hint() string    { return "it goes on when another host has returned" }
