package cli

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// status reads the fleet, all machines side by side, as far as it can be read. No
// lock is taken and nothing is changed.
func (a *asking) status(ctx context.Context, wait time.Duration) fleetStatus {
	st := fleetStatus{App: a.inv.App.Name, Time: time.Now()}
	var p problems
	edges, webs := a.dialAll(ctx, wait)
	ctx, cancel := context.WithTimeout(ctx, unhurried(readWait, len(a.inv.Hosts)))
	defer cancel()
	stores := a.answering(edges, &p)
	a.readState(ctx, a.keepers(stores), &st, &p)
	st.Hosts = a.readHosts(ctx, edges, webs, &p)
	for i, b := range a.lbs { // now: some may have been lost meanwhile
		st.LBs = append(st.LBs, lbStatus{b.name, edges[i] == nil})
	}
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
func (a *asking) readState(ctx context.Context, stores []keeper, st *fleetStatus, p *problems) {
	if len(stores) == 0 {
		return
	}
	var saw seen
	var open *openRun
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
