package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// onUnfinished: a rollout never goes on with another's work by itself; it says
// what stands where. A rollback undoes it, host by host.
func (o rolloutOptions) onUnfinished(ctx, held context.Context, s *session, open *deploy.Plan) (deploy.Result, error) {
	survey, err := deploy.Look(ctx, s.engineHosts(), s.engineBalancers())
	if o.mode != deploy.ModeRollback {
		return deploy.Result{}, &unfinishedError{plan: open, where: standing(survey, s.order())}
	}
	if err != nil {
		return deploy.Result{}, err
	}
	if o.to != "" || o.steps > 1 || o.artifact != "" {
		return deploy.Result{}, usage("rollout %s is unfinished: settle it with \"flipdeploy rollback\" alone first", open.Rollout)
	}
	return s.undoUnfinished(ctx, held, open)
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

// undoUnfinished goes on under the rollout's own id, so that its marks are ours:
// the fence first, then the fleet as it is, then every changed host back to what
// it ran before.
func (s *session) undoUnfinished(ctx, held context.Context, open *deploy.Plan) (deploy.Result, error) {
	s.rollout = open.Rollout
	if err := s.preflight(ctx, func(*site.Artifact) string { return "" }); err != nil {
		return deploy.Result{}, err
	}
	var hosts []*host
	for _, h := range open.Hosts {
		if h.Out == "" && s.hosts[h.Name] != nil {
			hosts = append(hosts, s.hosts[h.Name])
		}
	}
	if err := s.fence(ctx, hosts); err != nil {
		return deploy.Result{}, err
	}
	// What is found only now, behind the fence, is what counts.
	survey, err := deploy.Look(ctx, s.engineHosts(), s.engineBalancers())
	if err != nil {
		return deploy.Result{}, err
	}
	if err := s.adopt(held, survey); err != nil {
		return deploy.Result{}, err
	}
	r := s.engine(*open, survey)
	r.Journal, r.Direction, r.Start, r.Paused = s.book, deploy.Back, survey.Resume(*open), s.lease.Paused()
	s.emit(deploy.Event{Kind: deploy.KindPlan, Detail: fmt.Sprintf("rolling unfinished rollout %s back to %s", open.Rollout, or(open.Previous, "nothing"))})
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
			if err := b.adopt(ctx, host); err != nil {
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

// adopt makes a mark of this rollout one of our epoch; the host is not touched.
func (b *balancer) adopt(ctx context.Context, host string) error {
	claim := state.Claim{Rollout: b.rollout, Host: host, Keys: b.keys[host], Parallel: len(b.keys),
		Before: string(deploy.StateReady), Who: b.who}
	_, err := b.store.Act(b.epoch, claim).Run(ctx, ":")
	return err
}
