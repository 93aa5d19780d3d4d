package deploy

import (
	"context"
	"sync"
)

// A Shared question is asked once for all who want to know at a time. In a fleet of
// thousands each host that leaves asks where all the others stand.
type Shared[T any] struct {
	mu    sync.Mutex
	begun int
	under *asking[T]
}

type asking[T any] struct {
	done   chan struct{}
	cut    bool // by the end of the one who asked: that says nothing
	answer T
	err    error
}

// Get returns what ask says, asked by us or by another since we came.
func (s *Shared[T]) Get(ctx context.Context, ask func(context.Context) (T, error)) (none T, err error) {
	s.mu.Lock()
	came := s.begun // what was asked before may have been answered before
	for s.under != nil {
		q, n := s.under, s.begun
		s.mu.Unlock()
		select {
		case <-q.done:
		case <-ctx.Done():
			return none, ctx.Err()
		}
		if n > came && !q.cut {
			return q.answer, q.err
		}
		s.mu.Lock()
	}
	q := &asking[T]{done: make(chan struct{})}
	s.under = q
	s.begun++
	s.mu.Unlock()
	q.answer, q.err = ask(ctx)
	q.cut = ctx.Err() != nil
	s.mu.Lock()
	s.under = nil
	s.mu.Unlock()
	close(q.done)
	return q.answer, q.err
}
