package lb

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// polls in a row that must see a host idle.
const stillPolls = 3

// patience with a balancer that cannot be asked while we poll.
const patience = 5 * time.Second

// Empty returns once no request is in flight to a drained host and none can come:
// idle in three polls, old workers included, and in maint where drain alone does not
// keep requests away. When ctx ends first the host stays drained and the error is a
// *BusyError. A HAProxy that restarts meanwhile is told again.
func (h *HAProxy) Empty(ctx context.Context, act Runner, host string, say func(string)) error {
	w := &wait{h: h, act: act, host: host, say: say, since: time.Now()}
	w.hurryAt = w.since.Add(15 * time.Second)
	if end, ok := ctx.Deadline(); ok {
		w.hurryAt = w.since.Add(end.Sub(w.since) / 2)
	}
	for {
		next := time.Now().Add(h.cfg.PollEvery)
		done, err := w.step(ctx)
		if done || err != nil && ctx.Err() == nil {
			return err
		}
		if !pause(ctx, time.Until(next)) {
			return w.late(ctx)
		}
	}
}

// A wait is one host on its way to empty.
type wait struct {
	h        *HAProxy
	act      Runner
	host     string
	say      func(string)
	since    time.Time
	hurryAt  time.Time
	brokenAt time.Time // first failure to ask, zero while it answers
	told     time.Time
	now      load
	still    int // polls in a row without a request
	arriving bool
}

// A load is what a host still works on, as seen in one poll.
type load struct {
	gen      generation
	sessions int   // current process, in flight and queued
	older    int   // in old workers
	total    int64 // requests ever given to the host
	lost     bool  // old workers did not all answer
	blind    bool
}

func (l load) idle() bool { return l.sessions == 0 && l.older == 0 && !l.lost && !l.blind }

// step polls once; done when nothing is in flight and nothing can come.
func (w *wait) step(ctx context.Context) (done bool, err error) {
	s, err := w.h.look(ctx, w.host)
	if err != nil {
		return false, w.broken(err)
	}
	w.brokenAt = time.Time{}
	st, again, err := w.h.hold(ctx, w.act, w.host, s)
	if err != nil {
		return false, err
	}
	if again {
		w.still, w.now = 0, load{}
		return false, nil
	}
	w.count(w.h.load(w.host, s))
	if st.maint {
		return w.still >= stillPolls, nil
	}
	if !w.ripe() {
		return false, nil
	}
	return w.beyondDrain(ctx, s, st)
}

// broken forgives a balancer that does not answer for a moment.
func (w *wait) broken(err error) error {
	if w.brokenAt.IsZero() {
		w.brokenAt = time.Now()
	}
	w.still = 0
	if time.Since(w.brokenAt) < patience {
		return nil
	}
	return err
}

// count adds a poll. Still means: no request in flight, and none came since the
// poll before.
func (w *wait) count(now load) {
	grew := now.gen == w.now.gen && now.total != w.now.total
	w.arriving = w.arriving || grew
	if now.idle() && !grew {
		w.still++
	} else {
		w.still = 0
	}
	w.now = now
	w.report()
}

func (w *wait) report() {
	if w.still > 0 || time.Since(w.told) < time.Second {
		return
	}
	w.told = time.Now()
	w.say(w.now.words())
}

func (l load) words() string {
	s := counted(l.sessions, "session")
	if l.older > 0 {
		s += fmt.Sprintf(", %d in old HAProxy workers", l.older)
	}
	if l.blind {
		s += ", old HAProxy workers cannot be asked"
	}
	return s
}

// ripe tells whether drain has done what it can: idle in three polls, or half of
// the time is gone, requests keep coming and maint would cut none of them.
func (w *wait) ripe() bool {
	if w.still >= stillPolls {
		return true
	}
	return w.arriving && time.Now().After(w.hurryAt) && (w.now.idle() || w.h.cfg.MaintKeepsSessions)
}

// beyondDrain puts the host into maint unless that is proven unneeded. Requests that
// came meanwhile are let finish first: on-marked-down would cut them.
func (w *wait) beyondDrain(ctx context.Context, s *snapshot, st standing) (done bool, err error) {
	needed, why := w.h.needsMaint(ctx, w.host, s, w.arriving)
	if !needed {
		w.h.alone(w.host, s, why)
		return true, nil
	}
	w.say("to maint: " + why)
	after, err := w.h.turn(ctx, w.act, w.host, s, st.roots, "maint", w.h.mayBeBusy())
	switch reason(err) {
	case "":
	case "busy", "restarted":
		w.still = 0
		return false, nil
	}
	if err != nil {
		return false, err
	}
	// The look after the act is the first of three. It did not ask old workers, which
	// were idle before and get no new requests.
	w.still, w.now = 0, load{}
	w.count(w.h.load(w.host, after))
	return false, w.h.remember(w.host, after, true)
}

// mayBeBusy tells the script that sessions are no reason to leave a host in drain.
func (h *HAProxy) mayBeBusy() string {
	if h.cfg.MaintKeepsSessions {
		return "busy\n"
	}
	return ""
}

// late is the error when time is up, and the host still works.
func (w *wait) late(ctx context.Context) error {
	e := newBusy(ctx, w.now.sessions+w.now.older, w.since)
	e.Arriving, e.Blind = w.arriving, w.now.blind
	return e
}

// load adds up what host has in hand, in the current process and in old workers.
func (h *HAProxy) load(host string, s *snapshot) load {
	l := load{gen: s.gen, lost: s.lost, older: s.socks + s.unowned}
	var keys []string
	for _, v := range s.of(host) {
		l.sessions += v.scur + v.qcur
		l.total += v.stot
		keys = append(keys, v.key())
	}
	for _, w := range s.old {
		for _, r := range w.rows {
			if r.kind == "2" && h.olderIs(host, r, keys) {
				l.older += r.scur + r.qcur
			}
		}
	}
	l.blind = s.blind && h.youngerThan(patience*6)
	return l
}

// olderIs tells whether a row of an old worker is host's: by address, or by name
// where that worker does not show addresses.
func (h *HAProxy) olderIs(host string, r statRow, keys []string) bool {
	if hp, err := parseHostPort(r.at); err == nil {
		return h.addrs[hp] == host
	}
	return slices.Contains(keys, r.key())
}

// youngerThan tells whether HAProxy was seen to reload less than d ago. Where old
// workers can in no way be seen, that is how long we wait for them.
func (h *HAProxy) youngerThan(d time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !h.genAt.IsZero() && time.Since(h.genAt) < d
}

// until takes step after step until one is done or failed. When ctx ends first it is
// neither: what a step says then is no fault of it.
func until(ctx context.Context, every time.Duration, step func(context.Context) (bool, error)) (done bool, err error) {
	for {
		done, err := step(ctx)
		if done {
			return true, nil
		}
		if err != nil && ctx.Err() == nil {
			return false, err
		}
		if !pause(ctx, every) {
			return false, nil
		}
	}
}

// pause waits one interval; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}
