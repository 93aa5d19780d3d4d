package cli

import (
	"context"
	"errors"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// reach dials the balancers, and returns those that answer, and why the others do
// not; an error when none does.
func (a *asking) reach(ctx context.Context) ([]*state.Store, []error, error) {
	var there []*state.Store
	var why []error
	for i, err := range dialEach(ctx, a.edges) {
		if err != nil {
			why = append(why, err)
			continue
		}
		there = append(there, a.stores[i])
	}
	if len(there) == 0 {
		return nil, nil, errors.Join(why...)
	}
	return there, why, nil
}

// balancers are what keeps state, for commands that do with less than all: it warns of the
// rest.
func (a *asking) balancers(ctx context.Context) ([]keeper, error) {
	there, missing, err := a.reach(ctx)
	for _, why := range missing {
		a.warn("", deploy.CodeOf(why), why.Error())
	}
	if err != nil && a.etcd == nil {
		return nil, err
	}
	if err != nil {
		a.warn("", deploy.CodeOf(err), err.Error())
	}
	a.there = there
	return a.keepers(there), nil
}

// whoami is who acts, as others are told.
func (a *asking) whoami() state.Holder { return state.Whoami(a.getenv, "", time.Now()) }

// seen is what several balancers have to say of lock and freeze, taken together.
type seen struct {
	holder  *state.Holder
	freezes map[string]state.Freeze // by balancer
	pausing bool
}

// look reads lock and freeze on the stores; what could not be read is in the error.
func look(ctx context.Context, stores []keeper) (seen, error) {
	all := make([]state.Sight, len(stores))
	err := eachIndex(stores, func(i int, s keeper) (err error) {
		all[i], err = s.Sight(ctx)
		return err
	})
	saw := seen{freezes: map[string]state.Freeze{}}
	for i, s := range all {
		if s.Holder != nil && (saw.holder == nil || saw.holder.Rollout == "") {
			saw.holder = s.Holder
		}
		if s.Freeze != nil {
			saw.freezes[stores[i].Name()] = *s.Freeze
		}
		saw.pausing = saw.pausing || s.Pausing
	}
	return saw, err
}

// frozen is the freeze of the first balancer that has one.
func (s seen) frozen() (string, *state.Freeze) {
	for _, name := range sortedKeys(s.freezes) {
		f := s.freezes[name]
		return name, &f
	}
	return "", nil
}
