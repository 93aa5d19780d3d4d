package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Judge says how much has to be seen of a canary under traffic, and what follows when
// it is not. Without one the counters are compared all the same, and too little is no fault.
type Judge struct {
	MinRequests int64         `json:"min_requests"` // to the host, and to those on the old release
	BakeMax     time.Duration `json:"bake_max"`     // the bake goes on that long for them
	PassDoubt   bool          `json:"pass_doubt,omitempty"`
}

// A trial is one bake before the judge.
type trial struct {
	*life
	Judge
	before count
	began  time.Time
	canary bool // one of the first, which the others wait for
	asked  bool // it has to be seen at work
}

func (l *life) trial() *trial {
	t := &trial{life: l, began: time.Now(), canary: l.run.isCanary(l.host.Name())}
	if j := l.run.Plan.Judge; j != nil {
		t.Judge, t.asked = *j, t.canary && l.plan.Ran && l.run.Plan.Mode != ModeRollback
	}
	l.run.with(l.host.Name(), func(v *HostView) {
		if v.Doubt && v.Trusted {
			t.BakeMax, t.PassDoubt = 0, true
		}
	})
	return t
}

func (x *run) isCanary(host string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	done := 0
	for i := 0; i < len(x.hosts) && done < x.Plan.Canary; i++ {
		if v := &x.hosts[i]; v.Changes && v.Phase == Done && !v.Unseen && v.Name != host {
			done++
		}
	}
	return done < x.Plan.Canary
}

// judge says what the bake has shown. A canary of which too little was seen is watched
// for longer; in doubt, the run pauses.
func (t *trial) judge(ctx context.Context) error {
	for {
		host, old, blind, err := t.compare(ctx)
		if err != nil || t.run.Plan.Mode == ModeRollback {
			return err // nothing but what is clearly bad keeps a fleet from going back
		}
		late := !t.asked || time.Since(t.began) >= t.BakeMax
		risk := often
		if t.canary && (late || min(host.Requests, old.Requests) >= t.MinRequests) {
			risk = once
		}
		v, said := Say(host, old, t.MinRequests, risk)
		if v != VerdictFail && blind != nil {
			v, said = VerdictDoubt, strings.Join(blind, ", ")+" lost its counters meanwhile, or could not be asked"
		}
		switch {
		case v != VerdictDoubt || late:
			return t.spoken(ctx, v, said)
		case blind != nil: // what was seen before is not to be had any more
			t.before = t.count(ctx)
		}
		if err := t.stays(ctx, t.run.Timing.BakePoll); err != nil {
			return err
		}
	}
}

// spoken is what follows from a verdict.
func (t *trial) spoken(ctx context.Context, v Verdict, said string) error {
	if t.run.Plan.Judge != nil {
		t.verdict = fmt.Sprintf("judge: %s: %s", v, said)
	}
	switch {
	case v == VerdictFail:
		return t.withLog(ctx, &Fault{Host: t.host.Name(), Phase: Baking, Code_: "FD-JUDGE", Err: errors.New("judge: " + said),
			Hint_: "look at the app's log on the host: it answers its health check, and fails requests"})
	case v == VerdictDoubt && t.asked && !t.PassDoubt:
		return &Fault{Host: t.host.Name(), Phase: Baking, Code_: codeDoubt, Err: errors.New("judge: inconclusive: " + said),
			Hint_: "it serves, and is well as far as was seen: \"flipdeploy resume\" has it bake once more and goes on unless it is clearly bad, \"flipdeploy rollback\" goes back; the next time send more requests, or raise rollout.judge.bake_max"}
	}
	return nil
}

// codeDoubt is a canary that is well, and of which too little was seen.
const codeDoubt = "FD-JUDGE-DOUBT"

// compare adds up what all balancers counted since the bake began, of the host and of
// those on the old release still. blind are balancers that lost their counters meanwhile.
func (t *trial) compare(ctx context.Context) (host, old Tally, blind []string, err error) {
	after := t.count(ctx)
	serves := map[string]bool{} // of thousands, for each host that bakes
	for _, name := range after.old {
		serves[name] = true
	}
	still := slices.DeleteFunc(slices.Clone(t.before.old), func(name string) bool { return !serves[name] })
	for _, b := range t.lbs {
		lb := b.Name()
		h, o, whole := Between(t.before.by[lb], after.by[lb], t.host.Name(), still)
		if !whole {
			blind = append(blind, lb)
			continue
		}
		if err := t.hard(lb, h, o); err != nil {
			return host, old, blind, err
		}
		if h.Requests+o.Requests > 0 { // else it does not count them
			host, old = host.plus(h.Tally()), old.plus(o.Tally())
		}
	}
	return host, old, blind, nil
}
