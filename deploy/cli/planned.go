package cli

import (
	"fmt"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// plan decides what every host should run.
func (o rolloutOptions) plan(s *session, survey deploy.Survey, art *site.Artifact, past []deploy.Past) (deploy.Plan, error) {
	p := deploy.Plan{Rollout: s.rollout, App: s.inv.App.Name, Mode: o.mode, Entry: s.entry, NoUndo: o.noUndo}
	target := func(string) string { return p.Release }
	switch o.mode {
	case deploy.ModeRestart:
		target = func(host string) string { return or(survey.Running[host].Release, survey.Current[host]) }
	case deploy.ModeRollback:
		way, top, n, err := o.wayBack(past)
		if err != nil {
			return p, err
		}
		target, p.Revision, p.Pops = way, top.Previous, n
	case deploy.ModeRollout:
		p.Release = o.releaseID(art)
		p.Revision = deploy.RevisionOf(p.Release)
	}
	p, err := survey.Plan(p, s.order(), target)
	if err != nil {
		return p, err
	}
	if o.mode == deploy.ModeRestart {
		p.Revision = p.Previous
	}
	return p.InZones(s.inv.ZoneOf()).Resolve(o.wish(s.inv.Rollout)), nil
}

func (o rolloutOptions) wayBack(past []deploy.Past) (func(string) string, deploy.Plan, int, error) {
	stack, n := deploy.Stack(past), o.steps
	if o.to != "" {
		var err error
		if n, err = deploy.Steps(stack, o.to); err != nil {
			return nil, deploy.Plan{}, 0, err
		}
	}
	way, top, err := deploy.WayBack(stack, n)
	return way, top, n, err
}

func (o rolloutOptions) wish(r inventory.Rollout) deploy.Wish {
	amount := func(a inventory.Amount) deploy.Amount {
		return deploy.Amount{N: a.N, Percent: a.Percent, Set: !a.IsZero()}
	}
	w := deploy.Wish{Parallel: amount(r.Parallel), Canary: amount(r.Canary), MinServing: amount(r.MinServing),
		MaxFail: amount(r.MaxFailures), OnFailure: deploy.Failure(r.OnFailure), NoUndo: o.noUndo, Bake: r.Bake, ZoneBake: r.ZoneBake,
		OnDrain: deploy.DrainTimeout(r.OnDrainTimeout), Downtime: o.downtime}
	if j := r.Judge; j.On {
		w.Judge = &deploy.Judge{MinRequests: int64(j.MinRequests), BakeMax: j.BakeMax, PassDoubt: j.OnDoubt == "pass"}
	}
	if o.mode == deploy.ModeRollback { // no undo of an undo: one undo of the host, then the run pauses
		w.OnFailure, w.Canary, w.ZoneBake = deploy.FailPause, deploy.Amount{}, 0
	}
	return w
}

func (s *session) sayPlan(p deploy.Plan) {
	s.emit(deploy.Event{Kind: deploy.KindPlan, Detail: fmt.Sprintf("%s: %s → %s on %d of %d hosts, %d at a time; %s",
		p.App, or(p.Previous, "nothing"), p.Revision, p.Changes(), len(p.Hosts), p.Parallel, floorWords(p))})
	for _, h := range p.Hosts {
		switch {
		case h.Unread:
			s.emit(deploy.Event{Kind: deploy.KindWarning, Host: h.Name, Code: "FD-SKIPPED", Detail: h.Skip})
		case h.Out != "" && h.Skip == "":
			s.emit(deploy.Event{Kind: deploy.KindWarning, Host: h.Name, Phase: deploy.LeftOut, Code: "FD-LEFT-OUT",
				Detail: fmt.Sprintf("%s, runs %s: %s", leftWords(h), or(deploy.RevisionOf(h.From), "nothing"), h.Out)})
		}
	}
}

func leftWords(h deploy.PlannedHost) string {
	if h.InPlace {
		return "changed where it is, and left out"
	}
	return "left out"
}

func floorWords(p deploy.Plan) string {
	if p.Served() == 0 {
		return "none of them serves now"
	}
	text := fmt.Sprintf("%d serve now, at least %d always will", p.Served(), min(p.MinServing, p.Served()))
	for _, z := range p.Zones {
		text += fmt.Sprintf(", %d of %d in zone %s", min(z.MinServing, z.Serving), z.Serving, z.Name)
	}
	return text
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
