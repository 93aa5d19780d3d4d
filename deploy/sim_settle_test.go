package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A settling is what a second deployer does with an unfinished rollout.
type settling string

const (
	goOn   settling = "resume"
	goBack settling = "rollback"
	leave  settling = "abandon"
)

// standing is what the journal says beyond the plan, as package state reads it.
type standing struct {
	turned       Outcome
	done, failed map[string]bool
	closed       bool
}

func (s *sim) wrong() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.broken) > 0
}

func (s *sim) standing() standing {
	s.mu.Lock() // a run that died may still be on its way out
	defer s.mu.Unlock()
	st := standing{done: map[string]bool{}, failed: map[string]bool{}}
	for _, r := range s.records {
		switch {
		case r.Kind == "end":
			st.closed = true
		case r.Kind == "turn":
			st.turned, st.closed = r.Outcome, false
		case r.Kind == "outcome" && r.Act == Done:
			st.done[r.Host] = true
			delete(st.failed, r.Host)
		case r.Kind == "outcome" && r.Act == Failed:
			st.failed[r.Host] = true
			delete(st.done, r.Host)
		case r.Kind == "outcome" && r.Act == RolledBack:
			delete(st.done, r.Host)
		}
	}
	if st.turned == "" && s.plan.OnFailure == FailRollback && len(st.failed) > s.plan.MaxFail {
		st.turned = OutcomeRolledBack
	}
	return st
}

// settle does what deploy/cli does with an unfinished rollout: the fence first, then
// the fleet as it is, then the marks, then a run under the rollout's own id.
func (d *deployer) settle(ctx, stop context.Context, how settling) (Result, error) {
	before, err := LookAtBalancers(ctx, d.balancers())
	if err != nil {
		return Result{}, err
	}
	r := d.engine(d.s.plan)
	var early Survey
	if d.s.rules.looksFirst {
		early, _ = Look(ctx, r.Hosts, r.Balancers)
	}
	if err := d.fence(ctx, before); err != nil {
		return Result{}, err
	}
	survey, _ := Look(ctx, r.Hosts, r.Balancers)
	if d.s.rules.looksFirst {
		survey = early
	}
	if err := errors.Join(survey.Balancers(r.Balancers), d.adopt(ctx, survey)); err != nil {
		return Result{}, err
	}
	note := d.course(r, survey, how)
	if err := d.Append(ctx, note); err != nil {
		return Result{}, err
	}
	return r.Run(ctx, stop), nil
}

// fence shuts earlier deployers out, the balancers first.
func (d *deployer) fence(ctx context.Context, before Survey) error {
	err := everyone(d.lbs, func(lb *simLB) error {
		return lb.do(ctx, "raise", "", time.Millisecond, func() error {
			lb.fence, lb.raised = d.epoch, d.epoch
			return nil
		})
	})
	if err != nil {
		return err
	}
	return everyone(d.s.names, func(name string) error {
		h := d.hosts[name]
		if !before.OurBusiness(d.s.plan, name) || h.gone || d.s.rules.noHostFence {
			return nil
		}
		return h.do(ctx, "fence", "", time.Millisecond, func() error {
			h.fence, h.raised = d.epoch, d.epoch
			return nil
		})
	})
}

// adopt makes the marks of earlier deployers ours, and drops those of hosts that are
// in rotation everywhere.
func (d *deployer) adopt(ctx context.Context, survey Survey) error {
	return everyone(d.lbs, func(lb *simLB) error {
		for _, host := range sorted(survey.Seats[lb.name]) {
			if survey.Seats[lb.name][host].Owner != "us" {
				continue
			}
			if err := lb.adopt(ctx, host); err != nil {
				return err
			}
			if survey.InRotation(host) {
				if err := lb.Unclaim(ctx, host); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// adopt takes what stands under our mark as what we left.
func (lb *simLB) adopt(ctx context.Context, host string) error {
	return lb.do(ctx, "adopt", host, time.Millisecond, lb.fenced(func() error {
		if lb.mark[host] != "us" && lb.mark[host] != "" {
			return &simRefusal{RefusedForeign}
		}
		lb.mark[host], lb.epochs[host] = "us", lb.by.epoch
		if lb.state[host] != StateReady {
			lb.left[host] = simLeft{lb.state[host], lb.lives}
		}
		return nil
	}))
}

// course sets the direction and where hosts stand, and is what the journal is told.
func (d *deployer) course(r *Rollout, survey Survey, how settling) Record {
	st := d.s.standing()
	note := Record{Rollout: "us", Kind: string(how)}
	if how == goBack && r.Plan.Mode != ModeRollback {
		note.Kind, note.Outcome = "turn", OutcomeDone
	}
	switch {
	case how == leave:
		d.leaves = true
		r.Direction, r.Start = AsIs, survey.Left(r.Plan)
	case r.Plan.Mode == ModeRollback:
		r.Start = survey.Onward(r.Plan, st.done)
	case how == goBack, st.turned == OutcomeDone:
		r.Direction, r.Start = Back, survey.Resume(r.Plan)
	case st.turned != "":
		r.Turned, r.Start = true, survey.Resume(r.Plan)
	default:
		r.Start = survey.Onward(r.Plan, st.done)
	}
	note.Detail = fmt.Sprint(r.Start, r.Direction, r.Turned)
	return note
}

// everyone asks all side by side.
func everyone[T any](all []T, ask func(T) error) error {
	errs := make(chan error, len(all))
	for _, x := range all {
		go func() { errs <- ask(x) }()
	}
	var joined []error
	for range all {
		joined = append(joined, <-errs)
	}
	return errors.Join(slices.DeleteFunc(joined, func(err error) bool { return err == nil })...)
}
