package cli

import (
	"context"
	"errors"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// fence shuts every earlier run out, on the balancers first and then on the hosts.
// Nothing is raised when a host cannot be asked how high it is.
func (s *session) fence(ctx context.Context, hosts []*host) error {
	floors, errs := s.floors(ctx, hosts)
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := s.fenceBalancers(ctx, floors); err != nil {
		return err
	}
	return errors.Join(s.raise(ctx, hosts)...)
}

// fenceWhoCan does the same without the hosts on which it cannot be done; why is told,
// a host an error, nil where it was. Those may not be touched.
func (s *session) fenceWhoCan(ctx context.Context, hosts []*host) (why map[string]error, err error) {
	floors, unread := s.floors(ctx, hosts)
	if err := s.fenceBalancers(ctx, floors); err != nil {
		return nil, err
	}
	unwritten := s.raise(ctx, hosts)
	why = map[string]error{}
	for i, h := range hosts {
		if err := errors.Join(unread[i], unwritten[i]); err != nil {
			why[h.name] = err
			s.emit(deploy.Event{Kind: deploy.KindWarning, Host: h.name, Code: deploy.CodeOf(err), Detail: "not touched, since earlier runs cannot be shut out there: " + err.Error()})
		}
	}
	return why, nil
}

func (s *session) floors(ctx context.Context, hosts []*host) ([]int64, []error) {
	floors, errs := make([]int64, len(hosts)), make([]error, len(hosts))
	_ = eachIndex(hosts, func(i int, h *host) error {
		floor, err := h.fence(ctx)
		floors[i], errs[i] = floor, named(h.name, err)
		return nil
	})
	return floors, errs
}

func (s *session) raise(ctx context.Context, hosts []*host) []error {
	errs := make([]error, len(hosts))
	_ = eachIndex(hosts, func(i int, h *host) error {
		errs[i] = named(h.name, h.raise(ctx, s.epoch))
		return nil
	})
	return errs
}

func (s *session) fenceBalancers(ctx context.Context, floors []int64) (err error) {
	if s.epoch, err = state.Raise(ctx, s.fences(), floors...); err != nil {
		return err
	}
	s.book = state.NewBook(s.keepers(s.stores), s.epoch)
	for _, b := range s.lbs {
		b.epoch, b.rollout = s.epoch, s.rollout
		b.machine.fenced(s.epoch)
		if m, ok := b.driver.(interface{ Mark(rollout string) error }); ok { // its marks are in the configuration, too
			if err := m.Mark(s.rollout); err != nil {
				return named(b.name, err)
			}
		}
	}
	return nil
}
