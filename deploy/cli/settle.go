package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// settling is how the command, or its flags, would have an unfinished rollout settled;
// "" when not at all: a rollout never goes on with another's work by itself.
func (o rolloutOptions) settling() deploy.Settling {
	switch {
	case o.only != "":
		return o.only
	case o.mode == deploy.ModeRollback:
		return deploy.GoBack
	case o.unfinished == "resume" || o.unfinished == "rollback":
		return deploy.Settling(o.unfinished)
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
	return s.settle(ctx, held, open, how, o.only == deploy.GoOn, art)
}

// instead puts the numbers that a person gave with a rollback in the place of those of
// the rollout that it undoes.
func (o rolloutOptions) instead(p *deploy.Plan, r inventory.Rollout) {
	if o.parallel != "" {
		p.Parallel = max(1, r.Parallel.Resolve(len(p.Hosts), false))
	}
	if o.minServing != "" {
		p.MinServing = r.MinServing.Resolve(len(p.Hosts), true)
		p.Refloor(deploy.Amount{N: r.MinServing.N, Percent: r.MinServing.Percent, Set: true})
	}
	if o.bake != "" {
		p.Bake = r.Bake
	}
	if o.downtime {
		p.Parallel, p.MinServing = 1, 0
		p.Refloor(deploy.Amount{})
	}
}

// settled tells that an unfinished rollout is one no more.
func settled(o deploy.Outcome) bool {
	return o == deploy.OutcomeDone || o == deploy.OutcomeRolledBack || o == deploy.OutcomeNothing
}

// reached are those of the hosts that could be reached; the others are told and left.
func (s *session) reached(names []string) []*host {
	var all []*host
	for i, h := range s.hostList() {
		err := s.unreached[i]
		if err != nil {
			s.emit(deploy.Event{Kind: deploy.KindWarning, Host: h.name, Code: deploy.CodeOf(err), Detail: "cannot be reached: " + err.Error()})
		} else if slices.Contains(names, h.name) {
			all = append(all, h)
		}
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

// settle goes on under the rollout's own id, so that its marks are ours. A host that
// cannot be reached stays as it is, is listed, and counts as out. With trust a person goes
// on, who knows of the judge's doubt; --unfinished resume is a job that is run again.
func (s *session) settle(ctx, held context.Context, open *openRun, how deploy.Settling, trust bool, art *site.Artifact) (deploy.Result, error) {
	s.rollout = open.Rollout
	for _, h := range s.hosts {
		h.artifact = art
	}
	if err := each(s.lbs, func(b *balancer) error { return named(b.name, b.driver.Check(ctx)) }); err != nil {
		return deploy.Result{}, err
	}
	p := &prepared{art: art, rollout: s.engine(open.Plan, deploy.Survey{})}
	p.rollout.Paused = s.lease.Paused()
	t := deploy.Takeover{Rollout: p.rollout, Standing: open.Standing, How: how, Who: s.who, Trust: trust,
		Fence: func(ctx context.Context, hosts []string) (map[string]error, error) {
			unfenced, err := s.fenceWhoCan(ctx, s.reached(hosts))
			p.rollout.Journal = s.book
			return unfenced, err
		},
		Adopt: func(ctx context.Context, on deploy.Balancer, host string) error {
			return s.balancer(on.Name()).adopt(ctx, host, s.rollout)
		},
		Stage: func(ctx context.Context, _ *deploy.Rollout) error { return p.stageLeft(ctx, s) },
	}
	return s.hooked(ctx, held, p.rollout, goesBack(how, open.Plan, open.Standing), func() (deploy.Result, error) {
		defer s.probing(held, p.rollout)()
		res, err := t.Run(ctx, held)
		res.BytesSent = p.sent
		return res, err
	})
}

// goesBack tells whether hosts return to what they ran: no hook keeps them from that, in a
// rollback that is gone on with, and in a rollout that had turned back, or would have, too.
func goesBack(how deploy.Settling, p deploy.Plan, s deploy.Standing) bool {
	return how != deploy.GoOn || p.Mode == deploy.ModeRollback || s.GoingBack(p) != ""
}

func (s *session) balancer(name string) *balancer {
	i := slices.IndexFunc(s.lbs, func(b *balancer) bool { return b.name == name })
	return s.lbs[i]
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
			if seat.Owner == "" || seat.Owner == state.Hand || !survey.InRotation(host) && !seat.Taken {
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
	s.sayStrays()
	for _, b := range s.lbs {
		var left []string
		for _, m := range b.strays() {
			if m.Rollout != state.Hand {
				left = append(left, m.Host)
			}
		}
		for host, seat := range survey.Seats[b.name] {
			if seat.Owner != "" && seat.Owner != state.Hand {
				left = append(left, host)
			}
		}
		if len(left) >= p.Parallel {
			slices.Sort(left)
			left = slices.Compact(left)
		}
		if len(left) >= p.Parallel {
			return &deploy.Fault{Host: b.name, Code_: "FD-BUDGET",
				Err:   fmt.Errorf("earlier rollouts left %s out and marked, and parallel is %d: no host can be taken out", strings.Join(left, ", "), p.Parallel),
				Hint_: fmt.Sprintf("once they are well, put them back with \"flipdeploy ready --force %s\", then repeat", strings.Join(left, " "))}
		}
	}
	return nil
}
