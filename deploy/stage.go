package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// StageAll puts the release that each host is to run on it, on all hosts side by
// side, before anything is drained. It returns the bytes sent; every host that
// failed is in the error.
func StageAll(ctx context.Context, p Plan, hosts map[string]Host, release func(id string) Release, size int64, emit func(Event)) (int64, error) {
	s := staging{rollout: p.Rollout, emit: emit, of: map[string]int64{}}
	s.begin(p, size)
	var wg sync.WaitGroup
	errs := make([]error, len(p.Hosts))
	for i, h := range p.Hosts {
		if h.Changes() {
			wg.Go(func() { errs[i] = s.host(ctx, h, hosts[h.Name], release(h.To)) })
		}
	}
	wg.Wait()
	return s.sent, errors.Join(errs...)
}

// A staging adds up what all hosts are told.
type staging struct {
	rollout string
	emit    func(Event)

	mu    sync.Mutex
	of    map[string]int64 // bytes that each host takes, as far as is known
	total int64
	sent  int64
}

// begin says the most that there can be to send.
func (s *staging) begin(p Plan, size int64) {
	for _, h := range p.Hosts {
		if size > 0 && h.Changes() {
			s.of[h.Name] = size
			s.total += size
		}
	}
	if s.total > 0 {
		s.say(Event{Phase: Staging, Total: s.total})
	}
}

// say emits one event at a time. The caller need not hold the lock.
func (s *staging) say(e Event) {
	e.Kind, e.Rollout, e.Time = KindHost, s.rollout, time.Now()
	s.emit(e)
}

func (s *staging) host(ctx context.Context, h PlannedHost, on Host, r Release) error {
	began, passed := time.Now(), int64(0)
	done, err := on.Stage(ctx, r, func(n, of int64) {
		s.mu.Lock()
		defer s.mu.Unlock()
		passed += n
		s.takes(h.Name, max(of, passed))
		s.say(Event{Host: h.Name, Phase: Staging, Bytes: n, Of: s.of[h.Name], Total: s.total})
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent += done.Bytes
	if err != nil {
		return fault(h.Name, Staging, err)
	}
	s.takes(h.Name, passed)
	if s.total > 0 {
		s.say(Event{Host: h.Name, Phase: Staging, Of: passed, Total: s.total})
	}
	s.say(Event{Host: h.Name, Phase: Staged, Detail: staged(h, done, r.Size), ElapsedMS: time.Since(began).Milliseconds()})
	return nil
}

// takes notes what a host takes in all.
func (s *staging) takes(host string, of int64) {
	s.total += of - s.of[host]
	s.of[host] = of
}

func staged(h PlannedHost, sent Sent, size int64) string {
	text := RevisionOf(h.To)
	switch {
	case sent.How != "":
		text += fmt.Sprintf(", %.1f of %.1f MB: %s", float64(sent.Bytes)/1e6, float64(size)/1e6, sent.How)
	case sent.Bytes > 0:
		text += fmt.Sprintf(", %.1f MB", float64(sent.Bytes)/1e6)
	default:
		text += " was there"
	}
	if sent.Note != "" {
		text += "; " + sent.Note
	}
	if h.Adopts != "" {
		text += "; what was found is kept as " + h.From
	}
	return text
}
