package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// onUnfinished: a rollout never goes on with another's work by itself; it says
// what stands where. A rollback settles it: an unfinished rollout is undone, host
// by host, and an unfinished rollback is finished.
func (o rolloutOptions) onUnfinished(ctx, held context.Context, s *session, open *deploy.Plan) (deploy.Result, error) {
	reached := s.reached()
	if o.mode != deploy.ModeRollback {
		survey, _ := deploy.Look(ctx, s.engineHosts(), s.engineBalancers()) // what cannot be asked is said so
		return deploy.Result{}, &unfinishedError{plan: open, where: standing(survey, s.order())}
	}
	if o.to != "" || o.steps > 1 || o.artifact != "" {
		return deploy.Result{}, usage("rollout %s is unfinished: settle it with \"flipdeploy rollback\" alone first", open.Rollout)
	}
	if o.parallel != "" {
		open.Parallel = max(1, s.inv.Rollout.Parallel.Resolve(len(open.Hosts), false))
	}
	return s.settle(ctx, held, open, reached)
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
func (s *session) settle(ctx, held context.Context, open *deploy.Plan, reached []*host) (deploy.Result, error) {
	s.rollout = open.Rollout
	if err := each(s.lbs, func(b *balancer) error { return named(b.name, b.driver.Check(ctx)) }); err != nil {
		return deploy.Result{}, err
	}
	before, err := deploy.LookAtBalancers(ctx, s.engineBalancers())
	if err != nil {
		return deploy.Result{}, err
	}
	var ours []*host
	for _, h := range reached {
		if before.OurBusiness(*open, h.name) {
			ours = append(ours, h)
		}
	}
	if err := s.fence(ctx, ours); err != nil {
		return deploy.Result{}, err
	}
	// What is found only now, behind the fence, is what counts.
	survey, _ := deploy.Look(ctx, s.engineHosts(), s.engineBalancers())
	if err := survey.Balancers(s.engineBalancers()); err != nil {
		return deploy.Result{}, err
	}
	if err := s.adopt(held, survey); err != nil {
		return deploy.Result{}, err
	}
	r := s.engine(*open, survey)
	r.Journal, r.Paused = s.book, s.lease.Paused()
	r.Direction, r.Start = deploy.Back, survey.Resume(*open)
	words := "rolling unfinished rollout %s back to %s"
	to := open.Previous
	if open.Mode == deploy.ModeRollback {
		r.Direction, r.Start = deploy.Forward, survey.Onward(*open)
		words, to = "finishing rollback %s to %s", open.Revision
	}
	s.emit(deploy.Event{Kind: deploy.KindPlan, Detail: fmt.Sprintf(words, open.Rollout, or(to, "nothing"))})
	return r.Run(held, ctx), nil
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
			if survey.InRotation(host) {
				if err := b.Unclaim(ctx, host); err != nil {
					return named(host, err)
				}
			}
		}
		return nil
	})
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
