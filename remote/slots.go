package remote

import (
	"sync"
	"time"
)

// sshd refuses the eleventh session of a connection (MaxSessions 10); two are
// left for whoever shares the account's limits.
const maxSessions = 8

// slots bound the sessions of one connection. Where sshd allows fewer they are fewer
// from then on.
type slots struct {
	mu      sync.Mutex
	limit   int
	used    int
	held    int           // of used: for as long as the run lasts
	changed chan struct{} // closed when one is given back
}

func newSlots() *slots { return &slots{limit: maxSessions, changed: make(chan struct{})} }

// take takes one where there is room; where not, changed is closed once one was given back.
func (s *slots) take() (changed <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used >= s.limit {
		return s.changed, false
	}
	s.used++
	return nil, true
}

func (s *slots) give() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	close(s.changed)
	s.changed = make(chan struct{})
}

// hold counts a taken one as held until free is called.
func (s *slots) hold() (free func()) {
	s.count(1)
	return sync.OnceFunc(func() { s.count(-1) })
}

func (s *slots) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += n
}

// Patience with refusals: sshd frees a session that has ended a moment after it says so,
// and until then refuses a new one, past its MaxSessions.
const (
	sessionLag      = time.Second
	sessionPatience = 3 * time.Second
	sessionPause    = 20 * time.Millisecond
)

// lower tells whether it is clear, after sshd has refused a session for so long, that it
// allows no more than are open: the next one then waits for one of those to end. Where
// all of those are held it would wait for ever.
func (s *slots) lower(refused time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if refused <= sessionLag || s.used <= s.held {
		return false
	}
	s.limit = max(s.used, s.held+1)
	return true
}

// open is how many sessions are.
func (s *slots) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// free is how many more may be.
func (s *slots) free() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit - s.used
}
