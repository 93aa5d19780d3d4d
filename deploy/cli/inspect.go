package cli

import (
	"context"
	"errors"
	"sync"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// inspect looks at the whole fleet, all machines side by side, and for everything
// that would fail later. It changes nothing. What a machine did not tell is missing
// in the survey, and why is in the error, all of it at once, machine by machine.
// Hosts that the run leaves alone cannot keep it from anything: what is wrong with
// one that is out is a warning.
func (s *session) inspect(ctx context.Context, scope deploy.Scope, release func(*site.Artifact) string) (deploy.Survey, error) {
	survey := deploy.Survey{Current: map[string]string{}, Running: map[string]deploy.Running{}, Seats: map[string]map[string]deploy.Seat{}, Scope: scope}
	var mu sync.Mutex
	enter := func(f func()) {
		mu.Lock()
		defer mu.Unlock()
		f()
	}
	wrong := make([]error, len(s.inv.Hosts))
	err := both(
		func() error {
			asks := s.checker.allowed(ctx, s.lost()...)
			return errors.Join(asks, each(s.lbs, func(b *balancer) error {
				if err := b.driver.Check(ctx); err != nil {
					return named(b.name, err)
				}
				seats, err := b.Seats(ctx)
				enter(func() { survey.Seats[b.name] = seats })
				return named(b.name, err)
			}))
		},
		func() error {
			return eachIndex(s.hostList(), func(i int, h *host) error {
				if wrong[i] = s.unreached[i]; wrong[i] == nil {
					saw, err := h.check(ctx, release)
					enter(func() { saw.into(survey, h.name) })
					wrong[i] = named(h.name, err)
				}
				return nil
			})
		},
	)
	s.sayWarnings()
	return survey, flat(errors.Join(err, s.blocking(survey, wrong)))
}

// blocking are the faults of hosts that the run has to do with.
func (s *session) blocking(survey deploy.Survey, wrong []error) error {
	var all []error
	for i, h := range s.hostList() {
		switch {
		case wrong[i] == nil || survey.Scope.Leaves(h.name):
		case !survey.Scope.OutToo && !survey.InRotation(h.name):
			s.emit(deploy.Event{Kind: deploy.KindWarning, Host: h.name, Code: deploy.CodeOf(wrong[i]), Detail: "out of rotation, and: " + wrong[i].Error()})
		default:
			all = append(all, wrong[i])
		}
	}
	return errors.Join(all...)
}

func (w sight) into(survey deploy.Survey, host string) {
	if w.seen {
		survey.Current[host], survey.Running[host] = w.current, w.running
	}
}

func (s *session) sayWarnings() {
	for _, h := range s.hostList() {
		for _, w := range h.warnings {
			s.emit(deploy.Event{Kind: deploy.KindWarning, Host: h.name, Code: "FD-DOCTOR", Detail: w})
		}
		h.warnings = nil
	}
}

// flat makes one list of joined errors, each told once.
func flat(err error) error {
	var all []error
	told := map[string]bool{}
	var walk func(error)
	walk = func(err error) {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range joined.Unwrap() {
				walk(e)
			}
			return
		}
		if err != nil && !told[err.Error()] {
			told[err.Error()] = true
			all = append(all, err)
		}
	}
	walk(err)
	return errors.Join(all...)
}

// lost are the hosts that could not be reached.
func (s *session) lost() (names []string) {
	for i, h := range s.hostList() {
		if s.unreached[i] != nil {
			names = append(names, h.name)
		}
	}
	return names
}
