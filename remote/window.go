package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// A Window bounds how many of its machines have a connection at once: one for which there
// is no room takes the place of that which was idle the longest. Nothing under way is ever
// cut: a machine in use keeps its connection, and who finds all of them in use waits.
type Window struct {
	limit int

	mu    sync.Mutex
	open  map[*Machine]*use
	turn  int           // grows with each machine that becomes idle
	freed chan struct{} // closed when one does
	most  int           // that were open at once
}

// A use is how many calls a machine has under way.
type use struct {
	calls int
	idle  int // the turn in which the last one ended
}

// NewWindow lets n machines be connected.
func NewWindow(n int) *Window {
	return &Window{limit: max(n, 1), open: map[*Machine]*use{}, freed: make(chan struct{})}
}

// Limit is how many machines may be connected.
func (w *Window) Limit() int { return w.limit }

// Most is how many machines had a connection, or were about to, at once.
func (w *Window) Most() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most
}

var errIdle = errors.New("the connection was idle, and another machine needed its place")

// Hold keeps the machine's connection, the one that is there or will be made, until release
// is called; without a Window there is nothing to do. Every call holds it for itself; who
// asks several things holds it for all of them. Every error is a *NotStartedError.
func (m *Machine) Hold(ctx context.Context) (release func(), err error) {
	w := m.cfg.Window
	if w == nil {
		return func() {}, nil
	}
	for {
		left, freed, ok := w.enter(m)
		if left != nil {
			left.fail(errIdle)
			left.wait()
		}
		if ok {
			return sync.OnceFunc(func() { w.leave(m) }), nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, m.notConnected(fmt.Errorf("all %d connections are in use: %w", w.limit, context.Cause(ctx)))
		}
	}
}

// enter counts a call, where there is room; left is the connection that has to go for it.
func (w *Window) enter(m *Machine) (left *link, freed chan struct{}, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.open[m]
	if u == nil && len(w.open) >= w.limit {
		idle := w.longestIdle()
		if idle == nil {
			return nil, w.freed, false
		}
		// Nobody holds it, and nobody can before it is out of the window: what comes next
		// connects anew.
		delete(w.open, idle)
		left = idle.leave()
	}
	if u == nil {
		u = &use{}
		w.open[m] = u
		w.most = max(w.most, len(w.open))
	}
	u.calls++
	return left, nil, true
}

func (w *Window) longestIdle() (m *Machine) {
	for one, u := range w.open {
		if u.calls == 0 && (m == nil || u.idle < w.open[m].idle) {
			m = one
		}
	}
	return m
}

func (w *Window) leave(m *Machine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u := w.open[m]
	if u.calls--; u.calls > 0 {
		return
	}
	w.turn++
	u.idle = w.turn
	close(w.freed)
	w.freed = make(chan struct{})
}

// leave gives the machine's connection away, nil where there is none.
func (m *Machine) leave() *link {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := m.live
	m.live = nil
	return l
}
