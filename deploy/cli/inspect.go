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
func (s *session) inspect(ctx context.Context, release func(*site.Artifact) string) (deploy.Survey, error) {
	survey := deploy.Survey{Current: map[string]string{}, Running: map[string]deploy.Running{}, Seats: map[string]map[string]deploy.Seat{}}
	var mu sync.Mutex
	enter := func(f func()) {
		mu.Lock()
		defer mu.Unlock()
		f()
	}
	err := both(
		func() error {
			return each(s.lbs, func(b *balancer) error {
				if err := b.driver.Check(ctx); err != nil {
					return named(b.name, err)
				}
				seats, err := b.Seats(ctx)
				enter(func() { survey.Seats[b.name] = seats })
				return named(b.name, err)
			})
		},
		func() error {
			return eachIndex(s.hostList(), func(i int, h *host) error {
				if s.unreached[i] != nil {
					return s.unreached[i]
				}
				saw, err := h.check(ctx, release)
				enter(func() { saw.into(survey, h.name) })
				return named(h.name, err)
			})
		},
	)
	s.sayWarnings()
	return survey, flat(err)
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
