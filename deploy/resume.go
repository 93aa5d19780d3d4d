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
		v := HostView{Name: h.Name, Phase: RolledBack, Changes: h.Changes(), Serving: s.serves(h.Name)}
		ours := s.ownedBy(p.Rollout, h.Name)
		switch {
		case h.Out != "":
			v.Phase = LeftOut
		case ours && !s.InRotation(h.Name):
			v.Phase, v.Changed = Failed, true
		case s.outOf(h.Name) != "":
			v.Phase = LeftOut // a person took it over meanwhile
		case h.Changes() && (s.Running[h.Name].Release == h.To || s.Current[h.Name] == h.To):
			v.Phase, v.Changed = Done, true
		}
		views = append(views, v)
	}
	return views
}

// InRotation tells that no balancer has the host out.
func (s Survey) InRotation(host string) bool { return s.outOf(host) == "" }

func (s Survey) ownedBy(rollout, host string) bool {
	for _, seats := range s.Seats {
		if seats[host].Owner == rollout {
			return true
		}
	}
	return false
}

// retake takes hold of a host that an earlier run of this rollout left out: it is
// drained where it is not out, and empty everywhere.
func (l *life) retake(ctx context.Context) error {
	l.phase(Draining, "left out by an earlier run")
	if err := l.record(ctx, "intent", Draining, "", "undo"); err != nil {
		return err
	}
	err := everywhere(l.lbs, func(b Balancer) error {
		seats, err := b.Seats(ctx)
		if err != nil {
			return err
		}
		if st := seats[l.host.Name()].State; st == StateDrain || st == StateMaint {
			return nil
		}
		return errors.Join(b.Claim(ctx, l.host.Name(), l.budget()), b.Drain(ctx, l.host.Name(), l.budget()))
	})
	if err == nil {
		err = l.empty(ctx)
	}
	if err != nil {
		return fault(l.host.Name(), Draining, err)
	}
	l.phase(Drained, "no request in flight")
	return nil
}
