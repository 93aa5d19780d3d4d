package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// everywhere asks all balancers side by side and joins what went wrong.
func everywhere(lbs []Balancer, ask func(Balancer) error) error {
	errs := make([]error, len(lbs))
	var wg sync.WaitGroup
	for i, b := range lbs {
		wg.Go(func() {
			if err := ask(b); unreachable(err) {
				errs[i] = &lbLost{b.Name(), err}
			} else if err != nil {
				errs[i] = fmt.Errorf("%s: %w", b.Name(), err)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// An lbLost error is about the way to a balancer, not about the host.
type lbLost struct {
	name string
	err  error
}

func (e *lbLost) Error() string { return e.name + ": " + e.err.Error() }
func (e *lbLost) Unwrap() error { return e.err }

// onlyLost tells that balancers which cannot be asked are all that went wrong.
func onlyLost(err error) bool {
	return all(err, func(e error) bool { _, ok := e.(*lbLost); return ok }) //nolint:errorlint // all unwraps
}

// all tells whether every one of the errors that are joined in err is, or wraps, one
// that is so; false of nil.
func all(err error, so func(error) bool) bool {
	if err == nil {
		return false
	}
	if so(err) {
		return true
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			if !all(e, so) {
				return false
			}
		}
		return true
	}
	return all(errors.Unwrap(err), so)
}

// takeOut takes a host out on every balancer that carries it and returns once no
// request is in flight to it: first asked and marked everywhere, then set
// everywhere. When any balancer refuses, the host is back as it was found.
func (l *life) takeOut(ctx context.Context) error {
	if err := l.there(ctx); err != nil {
		return fault(l.host.Name(), Draining, err)
	}
	if err := l.claim(ctx); err != nil {
		return err
	}
	l.out = time.Now()
	l.phase(Draining, "")
	if err := l.record(ctx, "intent", Draining, "", ""); err != nil {
		return errors.Join(err, l.giveBack(ctx))
	}
	if err := l.drain(ctx); err != nil {
		return errors.Join(fault(l.host.Name(), Draining, err), l.giveBack(ctx))
	}
	l.phase(Drained, l.emptiedWords())
	// The journal may be slow, and a balancer forget meanwhile.
	return l.holding(ctx, func(ctx context.Context) error { l.outcome(ctx, Drained, "", ""); return nil })
}

// drain stops new requests to a claimed host everywhere and waits for the rest.
func (l *life) drain(ctx context.Context) error {
	if err := l.leave(ctx); err != nil {
		return err
	}
	return both(
		func() error { l.run.count(ctx); return nil }, // how many serve while it is out
		func() error { return l.emptied(ctx) },
	)
}

// leave stops new requests to a claimed host everywhere.
func (l *life) leave(ctx context.Context) error {
	if g := l.run.gate; g != nil {
		defer l.clock.halt()()
		return g.pass(l.run.ctx, l.host.Name(), &parked{lbs: l.lbs})
	}
	return everywhere(l.lbs, func(b Balancer) error { return b.Drain(ctx, l.host.Name(), l.budget(b)) })
}

// enter puts a claimed host back everywhere.
func (l *life) enter(ctx context.Context) error {
	if g := l.run.gate; g != nil {
		defer l.clock.halt()()
		return g.pass(l.run.ctx, l.host.Name(), &parked{lbs: l.lbs, well: l.wellStill})
	}
	return everywhere(l.lbs, func(b Balancer) error { return l.readyOn(ctx, b) })
}

// outAgain takes a claimed host out once more: putting it back went wrong half
// way, or it failed after it. A floor that does not allow it now is waited for.
func (l *life) outAgain(ctx context.Context) error {
	l.phase(Draining, "once more")
	if err := l.record(ctx, "intent", Draining, "", "undo"); err != nil {
		return err
	}
	for {
		err := l.drain(ctx)
		if err == nil {
			l.readied = false
			return nil
		}
		if refusal(err) != RefusedFloor || !tick(ctx, l.run.Timing.Blocked) {
			return fault(l.host.Name(), Draining, err)
		}
	}
}

// claim marks the host on every balancer, or on none.
func (l *life) claim(ctx context.Context) error {
	l.run.sweep(ctx, l.host.Name())
	err := everywhere(l.lbs, func(b Balancer) error { return b.Claim(ctx, l.host.Name(), l.claimBudget(b)) })
	if err == nil {
		return nil
	}
	if l.loose { // without its mark it would be out and nobody's
		return errors.Join(fault(l.host.Name(), Draining, err), l.giveBack(ctx))
	}
	return errors.Join(fault(l.host.Name(), Draining, err), l.unmark(ctx))
}

// unclaim removes our marks. A mark that was never set is no error.
func (l *life) unclaim(ctx context.Context) error {
	ctx, cancel := l.run.kept(ctx)
	defer cancel()
	return everywhere(l.lbs, func(b Balancer) error { return b.Unclaim(ctx, l.host.Name()) })
}

// empty waits for the requests in flight, up to drain_timeout, or until the run is
// told to stop: a host that is only drained is then given back.
func (l *life) empty(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.run.Timing.Drain)
	defer cancel()
	stop := context.AfterFunc(l.run.stop, cancel)
	defer stop()
	err := everywhere(l.lbs, func(b Balancer) error { return b.Empty(ctx, l.host.Name(), l.say(b)) })
	if l.run.stop.Err() != nil && err != nil {
		return errStopped
	}
	return err
}

// emptied is empty, or what on_drain_timeout says of a host that is not: abort gives
// it back, proceed goes on beside the sessions, cut ends them.
func (l *life) emptied(ctx context.Context) error {
	err := l.empty(ctx)
	if !onlyBusy(err) {
		return err
	}
	switch l.run.Plan.OnDrain {
	case DrainProceed:
		l.run.warn(l.host.Name(), "", CodeOf(err), fmt.Sprintf("going on beside them: %v", err))
		return nil
	case DrainCut:
		l.run.warn(l.host.Name(), "", CodeOf(err), fmt.Sprintf("cutting them: %v", err))
		if err := everywhere(l.lbs, func(b Balancer) error { return b.Cut(ctx, l.host.Name()) }); err != nil {
			return err
		}
		return l.empty(ctx)
	case DrainAbort:
	}
	return err
}

// onlyBusy: sessions that were there already are all that keeps the host from being
// empty, on every balancer. Where requests still come, nothing may be done to it.
func onlyBusy(err error) bool {
	return all(err, func(e error) bool { b, ok := e.(interface{ Lasting() bool }); return ok && b.Lasting() })
}

// giveBack puts a host that was not changed back as it was found. It is not
// cancelled with the run.
func (l *life) giveBack(ctx context.Context) error {
	ctx, cancel := l.run.kept(ctx)
	defer cancel()
	if err := everywhere(l.lbs, func(b Balancer) error { return b.GiveBack(ctx, l.host.Name()) }); err != nil {
		return &notBack{fault(l.host.Name(), Readying, err)}
	}
	l.loose = false
	l.served()
	_ = l.unmark(ctx) // it is in rotation, and that is what was asked
	return nil
}

// ready puts a verified host back on every balancer and removes the marks. It
// ends with the run itself, and then the host is out as before.
func (l *life) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.run.Timing.LBReady)
	defer cancel()
	stop := context.AfterFunc(l.run.ctx, cancel)
	defer stop()
	l.readied = true
	if err := l.enter(ctx); err != nil {
		return fault(l.host.Name(), Readying, err)
	}
	l.served()
	// A crash here leaves a mark on a host in rotation; the next run removes it, as
	// it does where a balancer does not answer now.
	if err := l.unmark(ctx); err != nil {
		l.run.warn(l.host.Name(), "", CodeOf(err), "its owner mark was not removed: "+err.Error())
	}
	return nil
}

// readyOn puts the host back on one balancer; one that cannot be reached is waited for.
func (l *life) readyOn(ctx context.Context, b Balancer) error {
	for {
		err := b.Ready(ctx, l.host.Name(), l.say(b))
		if !unreachable(err) || !tick(ctx, time.Second) {
			return err
		}
	}
}

// served ends the time that the host was out.
func (l *life) served() {
	if !l.out.IsZero() {
		l.run.addOut(l.host.Name(), time.Since(l.out))
	}
	l.out, l.returned = time.Time{}, time.Now()
}

// A notBack error: the host stayed out though it was not changed.
type notBack struct{ error }

func (e *notBack) Unwrap() error { return e.error }

// kept is a context for what must not be cancelled with the run, giving back
// above all: half a minute, and once the run was told to stop what is left of the
// grace.
func (x *run) kept(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	stop := context.AfterFunc(x.stop, func() {
		if tick(ctx, x.Timing.Grace) {
			cancel()
		}
	})
	return ctx, func() { stop(); cancel() }
}

var errStillOurs = errors.New("out as we left it")

var errStopped = errors.New("the run was told to stop")
