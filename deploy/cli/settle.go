package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// A settling is what becomes of an unfinished rollout.
type settling string

const (
	goOn   settling = "resume"
	goBack settling = "rollback"
	leave  settling = "abandon"
)

// settling is how the command, or its flags, would have an unfinished rollout settled;
// "" when not at all: a rollout never goes on with another's work by itself.
func (o rolloutOptions) settling() settling {
	switch {
	case o.only != "":
		return o.only
	case o.mode == deploy.ModeRollback:
		return goBack
	case o.unfinished == "resume" || o.unfinished == "rollback":
		return settling(o.unfinished)
	}
	return ""
}

// onUnfinished settles it or says what stands where.
func (o rolloutOptions) onUnfinished(ctx, held context.Context, s *session, open *openRun, art *site.Artifact) (deploy.Result, error) {
	how := o.settling()
	if how == "" {
		survey, _ := deploy.Look(ctx, s.engineHosts(), s.engineBalancers()) // what cannot be asked is said so
		return deploy.Result{}, &unfinishedError{plan: &open.Plan, where: standing(survey, s.order())}
	}
	if o.mode == deploy.ModeRollback {
		if o.to != "" || o.steps > 1 {
			return deploy.Result{}, usage("rollout %s is unfinished: settle it with \"flipdeploy rollback\" alone first", open.Rollout)
		}
		o.instead(&open.Plan, s.inv.Rollout)
	}
	return s.settle(ctx, held, open, how, art)
}

// instead puts the numbers that a person gave with a rollback in the place of those of
// the rollout that it undoes.
func (o rolloutOptions) instead(p *deploy.Plan, r inventory.Rollout) {
	if o.parallel != "" {
		p.Parallel = max(1, r.Parallel.Resolve(len(p.Hosts), false))
	}
	if o.minServing != "" {
		p.MinServing = r.MinServing.Resolve(len(p.Hosts), true)
	}
	if o.bake != "" {
		p.Bake = r.Bake
	}
	if o.downtime {
		p.Parallel, p.MinServing = 1, 0
	}
}

// settled tells that an unfinished rollout is one no more.
func settled(o deploy.Outcome) bool {
	return o == deploy.OutcomeDone || o == deploy.OutcomeRolledBack || o == deploy.OutcomeNothing
}

// reached are the hosts that could be reached; the others are told and left.
func (s *session) reached() []*host {
	var all []*host
	for i, h := range s.hostList() {
		err := s.unreached[i]
		if err == nil {
			all = append(all, h)
			continue
		}
		s.emit(deploy.Event{Kind: deploy.KindWarning, Host: h.name, Code: deploy.CodeOf(err), Detail: "cannot be reached: " + err.Error()})
	}
	return all
}

// standing says in words what every host runs and where it is, as far as it
// could be asked.
func standing(survey deploy.Survey, order []string) []string {
	var lines []string
	for _, host := range order {
		words := []string{}
		if r, ok := survey.Running[host]; ok {
			words = append(words, "runs "+or(deploy.RevisionOf(r.Release), "nothing"))
		} else {
			words = append(words, "could not be asked")
		}
		for _, lb := range sortedKeys(survey.Seats) {
			seat := survey.Seats[lb][host]
			text := fmt.Sprintf("%s on %s", seat.State, lb)
			if seat.Owner != "" {
				text += " (owner " + seat.Owner + ")"
			}
			words = append(words, text)
		}
		lines = append(lines, host+": "+strings.Join(words, ", "))
	}
	return lines
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// settle goes on under the rollout's own id, so that its marks are ours: the fence
// first, then the fleet as it is. A host that cannot be reached stays as it is, is
// listed, and counts as out.
func (s *session) settle(ctx, held context.Context, open *openRun, how settling, art *site.Artifact) (deploy.Result, error) {
	s.rollout = open.Rollout
	for _, h := range s.hosts {
		h.artifact = art
	}
	survey, err := s.shutOut(ctx, open)
	if err != nil {
		return deploy.Result{}, err
	}
	if err := s.adopt(held, survey); err != nil {
		return deploy.Result{}, err
	}
	p := &prepared{art: art, rollout: s.engine(open.Plan, survey)}
	r := p.rollout
	r.Journal, r.Paused = s.book, s.lease.Paused()
	said := course(open, how, r, survey)
	if err := p.stageLeft(ctx, s); err != nil {
		return deploy.Result{}, err
	}
	if err := s.noteSettling(held, open, how); err != nil {
		return deploy.Result{}, err
	}
	s.emit(deploy.Event{Kind: deploy.KindPlan, Detail: said})
	res := r.Run(held, ctx)
	res.BytesSent = p.sent
	return res, nil
}

// shutOut raises the fence against whoever began the rollout. What is found only now,
// behind it, is what counts.
func (s *session) shutOut(ctx context.Context, open *openRun) (deploy.Survey, error) {
	if err := each(s.lbs, func(b *balancer) error { return named(b.name, b.driver.Check(ctx)) }); err != nil {
		return deploy.Survey{}, err
	}
	before, err := deploy.LookAtBalancers(ctx, s.engineBalancers())
	if err != nil {
		return deploy.Survey{}, err
	}
	var ours []*host
	for _, h := range s.reached() {
		if before.OurBusiness(open.Plan, h.name) {
			ours = append(ours, h)
		}
	}
	unfenced, err := s.fenceWhoCan(ctx, ours)
	if err != nil {
		return deploy.Survey{}, err
	}
	survey, _ := deploy.Look(ctx, s.engineHosts(), s.engineBalancers())
	for host := range unfenced { // as if it could not be asked
		delete(survey.Current, host)
		delete(survey.Running, host)
	}
	return survey, survey.Balancers(s.engineBalancers())
}

// course sets the direction and where hosts stand, and says in words what follows.
func course(open *openRun, how settling, r *deploy.Rollout, survey deploy.Survey) string {
	back := open.goingBack()
	switch {
	case how == leave:
		r.Direction, r.Start = deploy.AsIs, survey.Left(open.Plan)
		return fmt.Sprintf("abandoning rollout %s: hosts that it left out return with what they run", open.Rollout)
	case open.Mode == deploy.ModeRollback:
		r.Direction, r.Start = deploy.Forward, survey.Onward(open.Plan, open.Done)
		return fmt.Sprintf("finishing rollback %s to %s", open.Rollout, or(open.Revision, "nothing"))
	case how == goBack, back == deploy.OutcomeDone:
		r.Direction, r.Start = deploy.Back, survey.Resume(open.Plan)
	case back != "":
		r.Turned, r.Start = true, survey.Resume(open.Plan)
	default:
		r.Direction, r.Start = deploy.Forward, survey.Onward(open.Plan, open.Done)
		return fmt.Sprintf("going on with rollout %s to %s", open.Rollout, or(open.Revision, "nothing"))
	}
	return fmt.Sprintf("rolling unfinished rollout %s back to %s", open.Rollout, or(open.Previous, "nothing"))
}

// noteSettling writes who goes on, and which way: a run that dies on the way back is
// gone on with on the way back.
func (s *session) noteSettling(ctx context.Context, open *openRun, how settling) error {
	r := deploy.Record{Time: time.Now(), Rollout: open.Rollout, Kind: string(how), Detail: s.who}
	if how == goBack && open.Mode != deploy.ModeRollback {
		r.Kind, r.Outcome = "turn", deploy.OutcomeDone
	}
	return s.book.Append(ctx, r)
}

// stageLeft makes sure that hosts which are still to change have the release that they
// are to run, before the first of them is drained.
func (p *prepared) stageLeft(ctx context.Context, s *session) error {
	todo, gone := toStage(p.rollout)
	for _, h := range s.hosts {
		h.gone = gone
	}
	left := *p
	left.rollout = &deploy.Rollout{Plan: p.rollout.Plan}
	left.rollout.Plan.Hosts = todo
	err := left.stage(ctx, s)
	p.sent = left.sent
	return err
}

// toStage are those hosts, and what to do where a release is gone.
func toStage(r *deploy.Rollout) (todo []deploy.PlannedHost, gone string) {
	back := r.Direction == deploy.Back || r.Turned
	for i, h := range r.Plan.Hosts {
		v := r.Start[i]
		switch {
		case back && v.Changed && h.From != "" && (v.Phase == deploy.Failed || v.Phase == deploy.Done && !v.Fresh || v.Phase == deploy.LeftOut && v.InPlace):
			h.To, h.Again = h.From, true
			todo = append(todo, h)
		case !back && r.Direction == deploy.Forward && v.Changes && (v.Phase == deploy.Staged || v.Phase == deploy.Failed):
			todo = append(todo, h)
		}
	}
	if back {
		return todo, "give the file it was made from with --artifact PATH, or close the rollout with \"flipdeploy abandon\""
	}
	return todo, "give the file it was made from with --artifact PATH, or go back with \"flipdeploy rollback\""
}

// adopt takes the marks of this rollout over into our epoch, and drops those of
// hosts that are in rotation everywhere.
func (s *session) adopt(ctx context.Context, survey deploy.Survey) error {
	return each(s.lbs, func(b *balancer) error {
		for host, seat := range survey.Seats[b.name] {
			if seat.Owner != s.rollout {
				continue
			}
			if err := b.adopt(ctx, host, s.rollout); err != nil {
				return named(host, err)
			}
			if err := b.takeOver(ctx, host, seat, survey.InRotation(host)); err != nil {
				return named(host, err)
			}
		}
		return nil
	})
}

// takeOver drops the mark of a host in rotation, and has the driver take one that is
// out for its own: what another deployer left, in maint too. Where it cannot, the run
// finds out by itself.
func (b *balancer) takeOver(ctx context.Context, host string, seat deploy.Seat, inRotation bool) error {
	if inRotation {
		return b.Unclaim(ctx, host)
	}
	if seat.State == deploy.StateDrain || seat.State == deploy.StateMaint {
		_, _ = b.Hold(ctx, host)
	}
	return nil
}

// adopt makes a mark of a rollout one of ours, in our epoch; the host is not touched.
func (b *balancer) adopt(ctx context.Context, host, rollout string) error {
	claim := state.Claim{Rollout: b.rollout, Host: host, Keys: b.keys[host], Parallel: len(b.keys),
		Before: string(deploy.StateReady), Who: b.who, Takes: []string{rollout}}
	_, err := b.store.Act(b.epoch, claim).Run(ctx, ":")
	return err
}

// dropStale removes marks that a finished rollout left on hosts in rotation: a run
// that was killed, or lost a balancer, between putting a host back and its mark.
func (s *session) dropStale(ctx context.Context, survey deploy.Survey) error {
	return each(s.lbs, func(b *balancer) error {
		for host, seat := range survey.Seats[b.name] {
			if seat.Owner == "" || seat.Owner == state.Hand || !survey.InRotation(host) {
				continue
			}
			if err := b.adopt(ctx, host, seat.Owner); err != nil {
				return named(host, err)
			}
			if err := b.Unclaim(ctx, host); err != nil {
				return named(host, err)
			}
		}
		return nil
	})
}

// roomFor tells when hosts that earlier rollouts left out take every slot, so that
// the plan would wait for ever.
func (s *session) roomFor(p deploy.Plan, survey deploy.Survey) error {
	for _, b := range s.lbs {
		var left []string
		for host, seat := range survey.Seats[b.name] {
			if seat.Owner != "" && seat.Owner != state.Hand {
				left = append(left, host)
			}
		}
		if len(left) >= p.Parallel {
			slices.Sort(left)
			return &deploy.Fault{Host: b.name, Code_: "FD-BUDGET",
				Err:   fmt.Errorf("earlier rollouts left %s out and marked, and parallel is %d: no host can be taken out", strings.Join(left, ", "), p.Parallel),
				Hint_: fmt.Sprintf("once they are well, put them back with \"flipdeploy ready --force %s\", then repeat", strings.Join(left, " "))}
		}
	}
	return nil
}
