package lb

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Ready puts host back and returns once HAProxy says up and in rotation. Before
// requests come its own check has passed: from maint a new one since, because HAProxy
// calls a server up that it has not checked yet. From drain the checks never stopped
// and are waited for until full; they may be older than the app's new process, when
// that took over between two checks: that the release is well, the caller has seen
// for itself, straight at the host. When time is up the host is out as before.
func (h *HAProxy) Ready(ctx context.Context, act Runner, host string, say func(string)) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.ReadyTimeout)
	defer cancel()
	r := &rise{h: h, act: act, host: host, say: say, since: time.Now()}
	done, err := until(ctx, h.cfg.PollEvery, r.step)
	if done {
		h.forget(host)
		return nil
	}
	if err != nil {
		return err
	}
	return r.late(ctx)
}

// A rise is one host on its way back.
type rise struct {
	h        *HAProxy
	act      Runner
	host     string
	say      func(string)
	since    time.Time
	told     time.Time
	brokenAt time.Time
	broke    error // the balancer cannot be asked, nil while it answers
	last     *snapshot
	sunk     bool // it was in maint
	fresh    bool // a new check was asked for, where one was needed
}

// step looks once and does what is next: maint to drain, drain to ready when the
// checks are full; done when it is in rotation and up.
func (r *rise) step(ctx context.Context) (done bool, err error) {
	asked := time.Now()
	s, err := r.h.look(ctx, "")
	if err != nil {
		return false, r.broken(ctx, asked, err)
	}
	r.brokenAt, r.broke, r.last = time.Time{}, nil, s
	if inRotation(s, r.host) {
		return r.up(s), nil
	}
	st, err := r.standing(s)
	if err != nil {
		return false, err
	}
	after, err := r.next(ctx, s, st)
	if reason(err) == "restarted" || after == nil {
		return false, ignore(err, "restarted")
	}
	r.last = after
	return inRotation(after, r.host) && r.up(after), err
}

func ignore(err error, why string) error {
	if reason(err) == why {
		return nil
	}
	return err
}

func (r *rise) broken(ctx context.Context, asked time.Time, err error) error {
	if r.brokenAt.IsZero() {
		r.brokenAt = time.Now()
	}
	if cutShort(ctx, asked) {
		return err
	}
	r.broke = err
	if time.Since(r.brokenAt) < patience {
		return nil
	}
	return err
}

// standing is how host stands, which must be as we left it; part of it may be back
// already, by us or because HAProxy restarted.
func (r *rise) standing(s *snapshot) (standing, error) {
	l, ok := r.h.Left(r.host)
	if !ok && !r.h.adopt(r.host, s) {
		return standing{}, notOut(r.host, s)
	}
	if !ok {
		l, _ = r.h.Left(r.host)
	}
	st, err := l.stands(r.host, s)
	if err == nil || reason(err) != ReasonChanged {
		return st, err
	}
	return l.halfBack(r.host, s, err)
}

// halfBack accepts servers in rotation beside those that are as we left them: an
// earlier Ready was cut off between two of them.
func (l Left) halfBack(host string, s *snapshot, err error) (standing, error) {
	roots, _ := s.targets(host)
	st := standing{roots: roots}
	for _, v := range roots {
		if v.out() != 0 && !l.as(v) {
			return st, err
		}
	}
	return st, nil
}

// next does one act, or none while checks are waited for (nil, nil).
func (r *rise) next(ctx context.Context, s *snapshot, st standing) (*snapshot, error) {
	var waiting []*server
	unchecked := ""
	for _, v := range st.roots {
		if v.out() == forcedMaint {
			return r.surface(ctx, s, st.roots)
		}
		if v.checked() && !v.full() {
			waiting = append(waiting, v)
		}
		if v.checked() && v.fall == 1 {
			unchecked += "fresh " + v.key() + "\n"
		}
	}
	if r.sunk && !r.fresh && unchecked != "" {
		return r.recheck(ctx, s, st.roots, unchecked)
	}
	if len(waiting) > 0 {
		r.tell(waiting[0])
		return nil, nil
	}
	return r.h.turn(ctx, r.act, r.host, s, st.roots, "ready", "")
}

// recheck asks for a new check where leaving maint alone brings none: with fall 1 a
// server that was not checked since counts as full. (In maint HAProxy does not show
// fall.)
func (r *rise) recheck(ctx context.Context, s *snapshot, roots []*server, which string) (*snapshot, error) {
	after, err := r.h.turn(ctx, r.act, r.host, s, roots, "drain", which)
	r.fresh = r.fresh || err == nil
	return after, err
}

// surface takes host from maint to drain: checks run again, requests do not come.
func (r *rise) surface(ctx context.Context, s *snapshot, roots []*server) (*snapshot, error) {
	after, err := r.h.turn(ctx, r.act, r.host, s, roots, "drain", "")
	if err != nil {
		return nil, err
	}
	r.sunk = true
	if err := r.h.remember(r.host, after, false); err != nil {
		return nil, err
	}
	if st, err := r.standing(after); err == nil && noChecks(st.roots) {
		return r.next(ctx, after, st)
	}
	return after, nil
}

func noChecks(roots []*server) bool {
	for _, v := range roots {
		if v.checked() {
			return false
		}
	}
	return true
}

// cutShort tells whether a question was ended by our own deadline before the answer
// was late: that it failed says nothing of the balancer.
func cutShort(ctx context.Context, asked time.Time) bool {
	if ctx.Err() == nil {
		return false
	}
	if end, ok := ctx.Deadline(); ok && time.Now().After(end) {
		return end.Sub(asked) < time.Second
	}
	return time.Since(asked) < time.Second
}

func (r *rise) tell(v *server) {
	if time.Since(r.told) < time.Second {
		return
	}
	r.told = time.Now()
	r.say(fmt.Sprintf("checks at %d of %d (%s)", v.health, v.rise+v.fall-1, v.check()))
}

// check is the last check in HAProxy's words.
func (v *server) check() string {
	if v.checkCode != "" {
		return v.checkStatus + " " + v.checkCode
	}
	return v.checkStatus
}

func (r *rise) up(s *snapshot) bool {
	for _, v := range s.of(r.host) {
		if !v.inUse() {
			return false
		}
	}
	return true
}

func inRotation(s *snapshot, host string) bool {
	mine := s.of(host)
	for _, v := range mine {
		if v.out() != 0 {
			return false
		}
	}
	return len(mine) > 0
}

// late is the error when the checks did not pass in time. A host that was in maint
// goes back there, in time of its own. A balancer that could not be asked in the end is
// told as such.
func (r *rise) late(ctx context.Context) error {
	if r.broke != nil {
		return r.broke
	}
	f := fault("FD-LB-READY-TIMEOUT", "try HAProxy's own check by hand, from the balancer: its path, port and expected status", "not up after %s", rounded(time.Since(r.since)))
	f.cause = context.Cause(ctx)
	if errors.Is(f.cause, context.DeadlineExceeded) {
		f.cause = nil
	}
	if r.last != nil {
		f.evidence = checkWords(r.last.of(r.host))
	}
	if r.sunk {
		r.sink(context.WithoutCancel(ctx))
	}
	return f
}

func (r *rise) sink(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := r.h.look(ctx, "")
	if err != nil || inRotation(s, r.host) {
		return
	}
	if st, err := r.standing(s); err == nil && !st.maint {
		_ = r.h.sink(ctx, r.act, r.host, s, st) // it stays drained then, which is out as well
	}
}

func checkWords(mine []*server) []string {
	var words []string
	for _, v := range mine {
		if v.checkStatus != "" {
			words = append(words, fmt.Sprintf("%s: %s %s, health %d of %d", v.key(), v.check(), v.lastCheck, v.health, v.rise+v.fall-1))
		}
	}
	return words
}
