package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/health"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// status reads the fleet, all machines side by side, as far as it can be read. No
// lock is taken and nothing is changed.
func (a *asking) status(ctx context.Context, wait time.Duration) fleetStatus {
	st := fleetStatus{App: a.inv.App.Name, Time: time.Now()}
	var p problems
	edges, webs := a.dialAll(ctx, wait)
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	stores := a.answering(edges, &p)
	for i, b := range a.lbs {
		st.LBs = append(st.LBs, lbStatus{b.name, edges[i] == nil})
	}
	a.readState(ctx, stores, &st, &p)
	st.Hosts = a.readHosts(ctx, edges, webs, &p)
	st.Problems = p.list()
	return st
}

// dialAll tells of every machine why it could not be reached in time.
func (a *asking) dialAll(ctx context.Context, wait time.Duration) (edges, webs []error) {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("no answer within %s", wait))
	defer cancel()
	_ = both(
		func() error { edges = dialEach(ctx, a.edges); return nil },
		func() error { webs = dialEach(ctx, a.webs); return nil },
	)
	return edges, webs
}

// problems are told once each, in the order of machines.
type problems struct {
	mu  sync.Mutex
	all []string
}

func (p *problems) add(machine string, err error) {
	if err == nil {
		return
	}
	for _, e := range parts(named(machine, err)) {
		p.mu.Lock()
		p.all = append(p.all, e.Error())
		p.mu.Unlock()
	}
}

func parts(err error) []error {
	if join, ok := err.(interface{ Unwrap() []error }); ok {
		return join.Unwrap()
	}
	return []error{err}
}

func (p *problems) list() []string {
	slices.Sort(p.all)
	return append([]string{}, slices.Compact(p.all)...)
}

// answering are the stores of the balancers that could be reached.
func (a *asking) answering(edges []error, p *problems) []*state.Store {
	var there []*state.Store
	for i, err := range edges {
		p.add(a.lbs[i].name, err)
		if err == nil {
			there = append(there, a.stores[i])
		}
	}
	return there
}

// readState reads lock, freeze and journal. The name of the program in a release is
// in the journal, too, where the inventory does not say it.
func (a *asking) readState(ctx context.Context, stores []*state.Store, st *fleetStatus, p *problems) {
	if len(stores) == 0 {
		return
	}
	var saw seen
	var open *deploy.Plan
	_ = both(
		func() (err error) {
			saw, err = look(ctx, stores)
			p.add(a.inv.App.Name, err)
			return nil
		},
		func() error {
			past, unfinished, err := pastOf(ctx, stores)
			p.add(a.inv.App.Name, err)
			_ = a.nameEntry(past, unfinished) // where nothing was ever rolled out nothing has to be named
			open = unfinished
			return nil
		},
	)
	st.Lock, st.Pausing = saw.holder, saw.pausing && saw.holder != nil
	if name, f := saw.frozen(); f != nil {
		st.Freeze = &freezeStatus{name, *f}
	}
	underWay := open != nil && saw.holder != nil && saw.holder.Rollout == open.Rollout
	if open != nil && !underWay {
		st.Unfinished = &openStatus{open.Rollout, open.Mode, open.Revision, open.Previous}
	}
}

func (a *asking) readHosts(ctx context.Context, edges, webs []error, p *problems) []hostStatus {
	seats := a.readSeats(ctx, edges, p)
	probe := a.vantages(edges)
	all := make([]hostStatus, len(a.inv.Hosts))
	_ = eachIndex(a.hostList(), func(i int, h *host) error {
		all[i] = hostStatus{Name: h.name, Reachable: webs[i] == nil, LBs: a.seatsOf(h.name, seats)}
		_ = both(
			func() error { p.add(h.name, or2(webs[i], func() error { return all[i].ask(ctx, h) })); return nil },
			func() error { p.add(h.name, all[i].probe(ctx, probe, h.name)); return nil },
		)
		return nil
	})
	return all
}

func or2(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

// ask learns what the host runs.
func (h *hostStatus) ask(ctx context.Context, from *host) error {
	r, err := from.Running(ctx)
	if err != nil {
		return err
	}
	h.Release, h.Running = r.Release, r.Release != ""
	if !h.Running {
		h.Release, err = from.Current(ctx)
	}
	if h.Release != site.Unmanaged {
		h.Revision = deploy.RevisionOf(h.Release)
	}
	return err
}

func (h *hostStatus) probe(ctx context.Context, c *checker, host string) error {
	if len(c.from[host]) == 0 {
		return errors.New("nobody is there to ask it for its health")
	}
	err := c.Probe(ctx, host)
	h.Healthy, h.asked = err == nil, true
	return err
}

// vantages is the checker with those only that can be reached.
func (a *asking) vantages(edges []error) *checker {
	dead := map[string]bool{}
	for i, err := range edges {
		dead[a.lbs[i].name] = err != nil
	}
	c := &checker{check: a.checker.check, own: a.checker.own, auto: a.checker.auto, warn: func(_, _, _ string) {}, from: map[string][]health.Vantage{}}
	for host, all := range a.checker.from {
		for _, v := range all {
			if !dead[v.Name] {
				c.from[host] = append(c.from[host], v)
			}
		}
	}
	return c
}

// readSeats asks every balancer that was reached where hosts stand.
func (a *asking) readSeats(ctx context.Context, edges []error, p *problems) []map[string]deploy.Seat {
	seats := make([]map[string]deploy.Seat, len(a.lbs))
	_ = eachIndex(a.lbs, func(i int, b *balancer) (err error) {
		if edges[i] == nil {
			seats[i], err = b.Seats(ctx)
			p.add(b.name, err)
		}
		return nil
	})
	return seats
}

func (a *asking) seatsOf(host string, seats []map[string]deploy.Seat) []seatStatus {
	all := []seatStatus{}
	for i, b := range a.lbs {
		s := seatStatus{LB: b.name, State: deploy.StateUnknown}
		if seat, ok := seats[i][host]; ok {
			s.State, s.Sessions, s.Owner = seat.State, seat.Sessions, seat.Owner
		}
		all = append(all, s)
	}
	return all
}
