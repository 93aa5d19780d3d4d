package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// A hold is the lock while we keep it.
type hold struct {
	store   *Store
	id      string // of the lease
	word    string // in the key's value
	created string // revision at which the key was made
	ttl     time.Duration
	sent    time.Time // when the last answered keep-alive was
	holder  state.Holder
	notes   chan state.Holder
	alive   context.Context // until we leave, or do not believe in the lock any more
	end     context.CancelCauseFunc
}

var errLeft = errors.New("lock released")

// Beat keeps the lock and returns when it is lost, which it tells, or left. A watchdog of
// its own ends the work even while a request waits.
func (g *hold) Beat(t state.Terms, lost context.CancelCauseFunc, paused func()) {
	limit := min(t.Limit, g.ttl-margin)
	lose := func(why string) {
		g.end(&state.LostError{Balancer: Name, Why: why})
		if err := context.Cause(g.alive); !errors.Is(err, errLeft) {
			lost(err)
		}
	}
	silent := func() { lose(fmt.Sprintf("no answer for %s", limit)) }
	watchdog := time.AfterFunc(limit-time.Since(g.sent), silent)
	defer watchdog.Stop()
	for note := (*state.Holder)(nil); ; {
		sent := time.Now()
		pause, err := g.beat(note)
		switch {
		case g.alive.Err() != nil:
			return
		case state.Late(g.sent, limit): // this machine slept meanwhile: timers did too
			silent()
			return
		case errors.Is(err, errGone):
			lose(err.Error())
			return
		case err == nil:
			g.sent, note = sent, nil
			watchdog.Reset(limit - time.Since(sent))
		}
		if pause {
			paused()
		}
		next, ok := g.next(t.Beat)
		if !ok {
			return
		}
		if next != nil {
			note = next
		}
	}
}

// errGone is of a lock that etcd says is not ours.
var errGone = errors.New("etcd does not have it any more")

// beat keeps the lease, and sees with a majority that the key is still the one that we made.
func (g *hold) beat(note *state.Holder) (pause bool, err error) {
	s, ctx := g.store, g.alive
	var kept keepAlive
	if err := s.client.ask(ctx, "keep the lock", "lease/keepalive", leaseRequest{ID: g.id}, &kept); err != nil {
		return false, err
	}
	switch { // an error in the stream comes with HTTP's word that all is well
	case kept.Error != nil:
		return false, kept.Error
	case kept.Result.TTL == "" || kept.Result.TTL == "0":
		return false, errGone
	}
	look := []op{get(s.key("pause"))}
	if note != nil {
		g.holder = *note
		look = append(look, put(s.key("lock"), g.line(g.holder), g.id))
	}
	var r txnResponse
	if err := s.client.ask(ctx, "keep the lock", "kv/txn", txnRequest{Compare: []compare{created(s.key("lock"), g.created)}, Success: look}, &r); err != nil {
		return false, err
	}
	if !r.Succeeded {
		return false, errGone
	}
	return r.at(0) != nil, nil
}

// next waits for the time of the next beat, or for something to say with it.
func (g *hold) next(every time.Duration) (*state.Holder, bool) {
	timer := time.NewTimer(every)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil, true
	case h := <-g.notes:
		return &h, true
	case <-g.alive.Done():
		return nil, false
	}
}

// whenLost has f told why once we do not believe in the lock any more, until stop.
func (g *hold) whenLost(f context.CancelCauseFunc) (stop func() bool) {
	return context.AfterFunc(g.alive, func() { f(context.Cause(g.alive)) })
}

// Note has others told with the next beat, in place of what was not told yet.
func (g *hold) Note(h state.Holder) {
	for {
		select {
		case g.notes <- h:
			return
		default:
		}
		select {
		case <-g.notes:
		default:
		}
	}
}

const leaveWait = 2 * time.Second

// Leave gives the lock up, and with it a pause that was asked for: it is free on return where etcd answers within 2 s, else when
// its lease has run out.
func (g *hold) Leave() {
	g.HangUp()
	g.revoke(g.alive)
}

func (g *hold) revoke(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveWait)
	defer cancel()
	_ = g.store.client.ask(ctx, "unlock", "lease/revoke", leaseRequest{ID: g.id}, &struct{}{}) // it runs out by itself
}

// HangUp stops keeping the lock.
func (g *hold) HangUp() {
	g.end(errLeft)
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	if g.store.held == g {
		g.store.held = nil
	}
}
