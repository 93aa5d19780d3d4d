package cli

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// on carries the command out on the fleet: lock, look, plan, stage, run. An error
// means that nothing was changed; from the first drain on there is a result.
func (o rolloutOptions) on(ctx context.Context, s *session) (deploy.Result, error) {
	art, err := o.openArtifact(ctx, s)
	if err != nil {
		return deploy.Result{}, err
	}
	if art != nil {
		defer func() { _ = art.Close() }() // only read from
	}
	if err := s.connect(ctx); err != nil {
		return deploy.Result{}, err
	}
	held, err := s.lock(ctx, state.Terms{Wait: o.lockWait, OverrideFreeze: o.overFreeze})
	if err != nil {
		return deploy.Result{}, err
	}
	work, done := joined(ctx, held)
	defer done()
	res, err := o.locked(work, held, s, art)
	if err != nil && ctx.Err() == nil && held.Err() != nil {
		err = errors.Join(context.Cause(held), err) // what was asked of machines then is no fault of theirs
	}
	return res, err
}

// joined ends with either context; the second is the lock.
func joined(ctx, held context.Context) (context.Context, context.CancelFunc) {
	both, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(held, func() { cancel(context.Cause(held)) })
	return both, func() { stop(); cancel(nil) }
}

// locked does the work under the lock. ctx ends with a signal and with the lock.
func (o rolloutOptions) locked(ctx, held context.Context, s *session, art *site.Artifact) (deploy.Result, error) {
	past, open, err := s.history(ctx)
	if err != nil {
		return deploy.Result{}, err
	}
	if open == nil && o.only != "" {
		return deploy.Result{Kind: deploy.KindResult, Time: time.Now(), Outcome: deploy.OutcomeNothing, Hosts: map[string]deploy.HostResult{}}, nil
	}
	if err := s.nameEntry(past, open); err != nil {
		return deploy.Result{}, err
	}
	if open != nil {
		fresh := s.rollout
		res, err := o.onUnfinished(ctx, held, s, open, art)
		if err != nil || o.only != "" || o.mode == deploy.ModeRollback || !settled(res.Outcome) {
			return res, err
		}
		s.rollout = fresh
		if past, _, err = s.history(ctx); err != nil {
			return deploy.Result{}, err
		}
	}
	r, err := o.prepare(ctx, s, art, past)
	if err != nil {
		return deploy.Result{}, err
	}
	if r.rollout.Plan.Changes() == 0 {
		return deploy.Nothing(r.rollout.Plan), nil
	}
	return r.run(ctx, held, s)
}

// A prepared rollout is staged on every host and has yet to drain the first.
type prepared struct {
	rollout *deploy.Rollout
	art     *site.Artifact
	sent    int64
}

// foresee is the plan for the fleet as it is, and all that keeps it from being
// carried out. It only reads.
func (o rolloutOptions) foresee(ctx context.Context, s *session, art *site.Artifact, past []deploy.Past) (deploy.Plan, deploy.Survey, error) {
	for _, h := range s.hosts {
		h.artifact, h.noUndo = art, o.noUndo
	}
	scope, err := o.scope(s)
	if err != nil {
		return deploy.Plan{}, deploy.Survey{}, err
	}
	if err := errors.Join(s.fits(art), s.hooksThere()); err != nil {
		return deploy.Plan{}, deploy.Survey{}, err
	}
	survey, err := s.inspect(ctx, scope, o.releaseID)
	if err != nil {
		return deploy.Plan{}, survey, err
	}
	plan, err := o.plan(s, survey, art, past)
	if err != nil {
		return plan, survey, err
	}
	return plan, survey, plan.Floor()
}

// prepare shuts earlier runs out once nothing speaks against the plan, and only
// then looks at the fleet that the plan is made for.
func (o rolloutOptions) prepare(ctx context.Context, s *session, art *site.Artifact, past []deploy.Past) (*prepared, error) {
	plan, before, err := o.foresee(ctx, s, art, past)
	if err == nil {
		err = o.asAgreed(s, plan, before)
	}
	if err != nil {
		return nil, err
	}
	in := s.inHand(plan, before)
	if err := s.fence(ctx, in); err != nil {
		return nil, err
	}
	if err := s.dropStale(ctx, before); err != nil {
		return nil, err
	}
	survey, err := s.lookAgain(ctx, before, in)
	if err != nil {
		return nil, err
	}
	if plan, err = o.plan(s, survey, art, past); err == nil {
		err = o.asAgreed(s, plan, survey) // once more: until the fence somebody may have been at it
	}
	if err != nil {
		return nil, err
	}
	s.sayPlan(plan)
	if plan.Changes() == 0 {
		return &prepared{rollout: &deploy.Rollout{Plan: plan}}, nil
	}
	if err := errors.Join(plan.Floor(), s.roomFor(plan, survey)); err != nil {
		return nil, err
	}
	p := &prepared{art: art, rollout: s.engine(plan, survey)}
	return p, p.stage(ctx, s)
}

// lookAgain is the fleet behind the fence; hosts that are not in hand are known from
// before.
func (s *session) lookAgain(ctx context.Context, before deploy.Survey, in []*host) (deploy.Survey, error) {
	ask, seen := s.asked(before, in)
	now, err := deploy.Look(ctx, ask, s.engineBalancers())
	maps.Copy(seen.Current, now.Current)
	maps.Copy(seen.Running, now.Running)
	seen.Seats = now.Seats
	return seen, err
}

// engine is the run of a plan.
func (s *session) engine(p deploy.Plan, survey deploy.Survey) *deploy.Rollout {
	r := s.inv.Rollout
	return &deploy.Rollout{
		Plan: p, Hosts: s.engineHosts(), Balancers: s.engineBalancers(), Carries: survey.Carries(s.engineBalancers()),
		Checker: s.checker, Emit: s.emit,
		Timing: deploy.Timing{Drain: r.DrainTimeout, LBReady: r.LBReadyTimeout, Host: r.HostDeadline, Progress: r.ProgressDeadline},
	}
}

// stage has every host get its release. Balancers and what runs are untouched.
func (p *prepared) stage(ctx context.Context, s *session) error {
	plan := p.rollout.Plan
	p.rollout.Journal = s.book
	if p.art == nil {
		_, err := deploy.StageAll(ctx, plan, s.engineHosts(), p.release, 0, s.emit)
		return err
	}
	cargo := s.load(p.art, plan.Changes())
	defer func() { _ = cargo.Close() }() // what was made for the way
	return both(
		func() (err error) {
			p.sent, err = deploy.StageAll(ctx, plan, s.engineHosts(), p.release, p.art.Size, s.emit)
			return err
		},
		func() error { _ = cargo.Keep(); return nil }, // the next delta is made without it, too
	)
}

// release is the artifact's where the id is its own; else one that a host has.
func (p *prepared) release(id string) deploy.Release {
	r := deploy.Release{ID: id, Revision: deploy.RevisionOf(id)}
	if p.art != nil && releaseID(r.Revision, p.art) == id {
		r.SHA256, r.Size = p.art.SHA256, p.art.Size
	}
	return r
}

// run journals the plan, the first thing that makes the rollout one that can be
// unfinished, and carries it out.
func (p *prepared) run(ctx, held context.Context, s *session) (deploy.Result, error) {
	if ctx.Err() != nil {
		return deploy.Result{}, context.Cause(ctx)
	}
	return s.hooked(ctx, held, p.rollout, p.rollout.Plan.Mode == deploy.ModeRollback, func() (deploy.Result, error) { return p.carryOut(ctx, held, s) })
}

func (p *prepared) carryOut(ctx, held context.Context, s *session) (deploy.Result, error) {
	if ctx.Err() != nil {
		return deploy.Result{}, context.Cause(ctx)
	}
	plan := p.rollout.Plan
	err := s.book.Append(held, deploy.Record{Time: time.Now(), Rollout: plan.Rollout, Kind: "plan", Plan: &plan, Detail: s.who})
	if err != nil {
		return deploy.Result{}, err
	}
	p.rollout.Paused = s.lease.Paused()
	defer s.probing(held, p.rollout)()
	res := p.rollout.Run(held, ctx)
	res.BytesSent = p.sent
	if p.art != nil {
		res.BytesArtifact = p.art.Size
	}
	if ctx.Err() == nil && (res.Exit == 0 || res.Outcome == deploy.OutcomeRolledBack) {
		s.prune(held, plan)
	}
	return res, nil
}

// prune removes old releases. That it failed is no reason to call a rollout failed.
func (s *session) prune(ctx context.Context, p deploy.Plan) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	err := each(p.Hosts, func(h deploy.PlannedHost) error {
		if h.Out != "" && !h.InPlace || h.Skip != "" {
			return nil
		}
		return named(h.Name, s.hosts[h.Name].Prune(ctx, []string{h.From, h.To}))
	})
	if err != nil {
		s.emit(deploy.Event{Kind: deploy.KindWarning, Code: deploy.CodeOf(err), Detail: "old releases were not pruned: " + err.Error()})
	}
}

// openArtifact opens what is to be rolled out, once. A rollback needs none.
func (o rolloutOptions) openArtifact(ctx context.Context, s *session) (*site.Artifact, error) {
	switch {
	case o.mode == deploy.ModeRestart, (o.mode == deploy.ModeRollback || o.only != "") && o.artifact == "":
		return nil, nil
	case s.inv.App.Artifact != "":
		art, err := openArtifact(ctx, s.inv.App, s.getenv)
		if err != nil {
			return nil, err
		}
		if err := o.sameArtifact(art); err != nil {
			return nil, errors.Join(err, art.Close())
		}
		return art, nil
	case o.mode == deploy.ModeRollout:
		return nil, usage("no artifact: give --artifact PATH, or set app.artifact in the inventory")
	}
	return nil, nil
}

// releaseID is the revision asked for, else the artifact's own, and its content.
func (o rolloutOptions) releaseID(art *site.Artifact) string {
	return releaseID(or(o.revision, art.Revision), art)
}

func releaseID(revision string, art *site.Artifact) string { return revision + "-" + art.SHA256[:8] }
