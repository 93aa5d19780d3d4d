package lb

import (
	"context"
	"fmt"
	"time"
)

// polls in a row in which no old worker held a connection to a host.
const freePolls = 10

// Empty returns once no old worker can send to a drained host any more: none is left,
// or, after half of the time, none of those left held a connection to it in ten polls
// (a websocket of another site can pin one for hours; say tells). New workers do not
// send to it. When ctx ends first the host stays drained and the error is a *BusyError.
func (n *Nginx) Empty(ctx context.Context, act Runner, host string, say func(string)) error {
	w := &nginxWait{n: n, act: act, host: host, say: say, since: time.Now(), seen: map[string]bool{}}
	w.halfAt = w.since.Add(15 * time.Second)
	if end, ok := ctx.Deadline(); ok {
		w.halfAt = w.since.Add(end.Sub(w.since) / 2)
	}
	for {
		next := time.Now().Add(n.cfg.PollEvery)
		done, err := w.step(ctx)
		if done || err != nil && ctx.Err() == nil {
			return err
		}
		if !pause(ctx, time.Until(next)) {
			return w.late(ctx)
		}
	}
}

// A nginxWait is one host on its way to empty.
type nginxWait struct {
	n        *Nginx
	act      Runner
	host     string
	say      func(string)
	since    time.Time
	halfAt   time.Time
	brokenAt time.Time
	told     time.Time

	workers  int  // old ones, in the last poll
	socks    int  // that they hold to the host
	polled   bool // it was asked at least once
	free     int  // polls in a row without one, since halfAt
	seen     map[string]bool
	arriving bool // a connection came in the second half
}

func (w *nginxWait) step(ctx context.Context) (done bool, err error) {
	what := lookSocks
	if time.Now().After(w.halfAt) { // on the machine itself: each poll is asked for at once
		what = lookLong
	}
	s, err := w.n.look(ctx, what)
	if err != nil {
		return false, w.broken(err)
	}
	w.brokenAt = time.Time{}
	again, err := w.n.hold(ctx, w.act, w.host, s)
	if err != nil || again {
		return false, err
	}
	w.count(s)
	if w.workers == 0 {
		return true, nil
	}
	if w.free < freePolls {
		w.report()
		return false, nil
	}
	live := map[bool]string{true: "lives", false: "live"}[w.workers == 1]
	w.say(fmt.Sprintf("%s %s on for others; none held a connection to it in %d polls", counted(w.workers, "old nginx worker"), live, freePolls))
	return true, nil
}

// broken forgives a balancer that does not answer for a moment.
func (w *nginxWait) broken(err error) error {
	if w.brokenAt.IsZero() {
		w.brokenAt = time.Now()
	}
	w.free = 0
	if time.Since(w.brokenAt) < patience {
		return nil
	}
	return err
}

// count adds a poll: the workers from before host was taken out, and what they hold.
func (w *nginxWait) count(s *nginxSnapshot) {
	l, _ := w.n.leftOf(w.host)
	old := map[int]bool{}
	for _, k := range append(s.live, s.old...) {
		if k.start < l.since {
			old[k.pid] = true
		}
	}
	socks := s.socksTo(w.host, func(k nginxSock) bool { return k.pid == 0 || old[k.pid] })
	w.polled, w.workers, w.socks = true, len(old), len(socks)
	late := s.polls > 1
	for _, k := range socks {
		w.arriving = w.arriving || late && !w.seen[k.inode]
		w.seen[k.inode] = true
	}
	switch {
	case len(socks) > 0 || !late:
		w.free = 0
	default:
		w.free += s.polls
	}
}

func (w *nginxWait) report() {
	if time.Since(w.told) < time.Second {
		return
	}
	w.told = time.Now()
	w.say(counted(w.socks, "connection") + ", " + counted(w.workers, "old nginx worker"))
}

// late is the error when time is up and an old worker may still send.
func (w *nginxWait) late(ctx context.Context) error {
	if !w.polled { // one look in time of its own, to have a number to tell
		more, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if s, err := w.n.look(more, lookSocks); err == nil {
			w.count(s)
		}
	}
	e := newBusy(ctx, w.socks, w.since)
	e.Arriving, e.OldWorkers = w.arriving, w.workers
	return e
}

func (n *Nginx) leftOf(host string) (nginxLeft, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	l, ok := n.left[host]
	return l, ok
}
