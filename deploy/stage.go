package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// StageAll puts the release that each host is to run on it, on all hosts side by
// side, before anything is drained. It returns the bytes sent; every host that
// failed is in the error.
func StageAll(ctx context.Context, p Plan, hosts map[string]Host, release func(id string) Release, size int64, emit func(Event)) (int64, error) {
	var sent atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, len(p.Hosts))
	var mu sync.Mutex
	say := func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		e.Kind, e.Rollout, e.Time = KindHost, p.Rollout, time.Now()
		emit(e)
	}
	if size > 0 {
		say(Event{Phase: Staging, Total: size * int64(p.Changes())})
	}
	for i, h := range p.Hosts {
		if !h.Changes() {
			continue
		}
		wg.Go(func() {
			began := time.Now()
			n, err := hosts[h.Name].Stage(ctx, release(h.To), func(n int64) {
				say(Event{Host: h.Name, Phase: Staging, Bytes: n})
			})
			sent.Add(n)
			if err != nil {
				errs[i] = fault(h.Name, Staging, err)
				return
			}
			if n == 0 && size > 0 { // nothing to send: the bar has that much less to wait for
				say(Event{Host: h.Name, Phase: Staging, Bytes: size})
			}
			say(Event{Host: h.Name, Phase: Staged, Detail: staged(h, n), ElapsedMS: time.Since(began).Milliseconds()})
		})
	}
	wg.Wait()
	return sent.Load(), errors.Join(errs...)
}

func staged(h PlannedHost, sent int64) string {
	text := RevisionOf(h.To) + " was there"
	if sent > 0 {
		text = fmt.Sprintf("%s, %.1f MB", RevisionOf(h.To), float64(sent)/1e6)
	}
	if h.Adopts != "" {
		text += "; what was found is kept as " + h.From
	}
	return text
}
