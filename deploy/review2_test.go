package deploy

import (
	"context"
	"testing"
	"testing/synctest"
)

// What a review of resume and abandon suspected, each with the fleet that shows it.

// seen is a fleet of one host as a settling finds it.
func seen(runs, current string, seat Seat) Survey {
	return Survey{Current: map[string]string{"web1": current}, Running: map[string]Running{"web1": {Release: runs}},
		Seats: map[string]map[string]Seat{"edge1": {"web1": seat}}}
}

func TestAHostInRotationThatDoesNotRunTheReleaseIsStillToBeDone(t *testing.T) {
	p := Plan{Rollout: "us", Hosts: []PlannedHost{{Name: "web1", From: v1, To: v2, Ran: true, Drift: true}}}
	for _, c := range []struct {
		runs string
		want Phase
	}{
		{v1, Staged}, // its link pointed at the release before we came, and was never taken over
		{"", Staged}, // it was done, and died
		{v2, Done},
	} {
		got := seen(c.runs, v2, Seat{State: StateReady}).Onward(p, nil)[0].Phase
		want(t, "runs "+c.runs, string(got), string(c.want))
	}
}

// settledWith is what becomes of a fleet of which some hosts cannot be seen.
func settledWith(t *testing.T, s *sim, gone string, d Direction, start func(Survey) []HostView, change func(r *Rollout)) (res Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := s.rollout(v2, wish(1))
		change(r)
		delete(r.Hosts, gone) // no longer in the inventory
		survey, _ := Look(context.Background(), r.Hosts, r.Balancers)
		r.Direction, r.Start = d, start(survey)
		res = r.Run(context.Background(), context.Background())
	})
	return res
}

func TestAHostChangedInPlaceThatIsNoLongerInTheInventoryIsNotTouched(t *testing.T) {
	s := newSim(2, 1, v1)
	s.hosts["web2"].hand = true
	s.lbs[0].state["web2"] = StateMaint
	var p *Rollout
	res := settledWith(t, s, "web2", Back, func(v Survey) []HostView { return v.Resume(p.Plan) }, func(r *Rollout) {
		p = r
		r.Plan.Hosts[1].InPlace = true
	})
	want(t, "outcome", string(res.Outcome), "stuck")
	want(t, "web2", string(res.Hosts["web2"].Phase), "unknown")
}

func TestAHostThatNobodyCouldAskIsNamedInTheResult(t *testing.T) {
	for _, d := range []Direction{Forward, AsIs} {
		s := newSim(2, 1, v1)
		var p *Rollout
		res := settledWith(t, s, "web2", d, func(v Survey) []HostView {
			if d == AsIs {
				return v.Left(p.Plan)
			}
			return v.Onward(p.Plan, nil)
		}, func(r *Rollout) { p = r })
		want(t, "outcome", string(res.Outcome), "stuck")
		want(t, "code", res.Code, "FD-UNKNOWN")
		want(t, "error", res.Error, "web2: could not be asked: nothing was done to it")
		want(t, "hint", res.Hint, "bring it up, or end what is left of it, before anything sends it requests; "+map[Direction]string{
			Forward: OutcomeStuck.Next(ModeRollout), AsIs: `once well, put back with "flipdeploy ready --force web2"`}[d])
	}
}

func TestWhatSkippedHostsLackIsNothingToGoOnWith(t *testing.T) {
	s := newSim(3, 1, v1)
	var res Result
	synctest.Test(t, func(t *testing.T) {
		r := s.rollout(v2, wish(1))
		h := &r.Plan.Hosts[2]
		h.To, h.Skip, h.Unread = h.From, "skipped: no answer", true
		res = r.Run(context.Background(), context.Background())
	})
	want(t, "outcome", string(res.Outcome)+" "+res.Code, "paused FD-SKIPPED")
	want(t, "hint", res.Hint, "bring it up, then roll the same release out again")
	last := s.records[len(s.records)-1]
	want(t, "end", last.Kind+" "+string(last.Outcome), "end done")
}
