package state

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// Terms are how a lease is got and kept. The zero value is the usual.
type Terms struct {
	Wait           time.Duration    // how long to wait for another holder; 0 not at all
	Waiting        func(*HeldError) // told at each try that found another holder
	Partly         func(*LostError) // told when the lock is lost on one balancer and held on others
	OverrideFreeze bool

	Beat    time.Duration // between heartbeats; default 2 s
	Silence time.Duration // after which the machine gives the lock up; whole seconds, default 30 s
	Limit   time.Duration // without an answer, after which we do; default 10 s
	Poll    time.Duration // between tries; default 1 s
}

func (t Terms) filled() Terms {
	t.Beat = cmp.Or(t.Beat, 2*time.Second)
	t.Silence = cmp.Or(t.Silence, 30*time.Second)
	t.Limit = cmp.Or(t.Limit, 10*time.Second)
	t.Poll = cmp.Or(t.Poll, time.Second)
	return t
}

// A Lease is the lock of one app on all its balancers.
type Lease struct {
	holder Holder
	holds  []Hold
	cancel context.CancelCauseFunc
	paused chan struct{}
	once   sync.Once
	wg     sync.WaitGroup
	lost   context.Context // ends with the lock only, not with the caller's context
	partly func(*LostError)
	mu     sync.Mutex
	gone   map[Hold]bool // where it is lost
}

// Acquire returns the lock of the app on every store, and a context that ends
// with it: context.Cause is then a *LostError. A *HeldError or *FrozenError says
// who else has it; nothing is held then. The lock outlives ctx, so that work may
// be brought to an end under it: the caller always calls Release.
func Acquire[L Locker](ctx context.Context, stores []L, h Holder) (context.Context, *Lease, error) {
	return AcquireWait(ctx, stores, h, Terms{})
}

// AcquireWait is Acquire on terms: while another holds the lock it tries again
// until t.Wait has passed, holding nothing meanwhile. A freeze is not waited for.
func AcquireWait[L Locker](ctx context.Context, stores []L, h Holder, t Terms) (context.Context, *Lease, error) {
	t = t.filled()
	deadline := time.Now().Add(t.Wait)
	for {
		holds, err := takeAll(ctx, stores, h, t)
		if err == nil {
			return keep(ctx, holds, h, t)
		}
		var held *HeldError
		if !errors.As(err, &held) || time.Until(deadline) < t.Poll {
			return nil, nil, err
		}
		if t.Waiting != nil {
			t.Waiting(held)
		}
		if err := sleep(ctx, t.Poll); err != nil {
			return nil, nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// takeAll takes the lock on every store in the order of their names, so that two
// runs never hold half each, or on none.
func takeAll[L Locker](ctx context.Context, stores []L, h Holder, t Terms) ([]Hold, error) {
	sorted := slices.SortedFunc(slices.Values(stores), func(a, b L) int { return cmp.Compare(a.Name(), b.Name()) })
	var holds []Hold
	for _, s := range sorted {
		held, err := s.Take(ctx, h, t)
		if err != nil {
			for _, g := range holds {
				g.Leave()
			}
			return nil, err
		}
		holds = append(holds, held)
	}
	return holds, nil
}

func keep(ctx context.Context, holds []Hold, h Holder, t Terms) (context.Context, *Lease, error) {
	lost, cancelLost := context.WithCancelCause(context.WithoutCancel(ctx))
	work, cancelWork := context.WithCancelCause(ctx)
	cancel := func(why error) { cancelLost(why); cancelWork(why) }
	l := &Lease{holder: h, holds: holds, cancel: cancel, lost: lost, paused: make(chan struct{}),
		partly: t.Partly, gone: map[Hold]bool{}}
	for _, g := range holds {
		l.wg.Go(func() { g.Beat(t, func(why error) { l.lose(g, why) }, l.pause) })
	}
	return work, l, nil
}

// lose takes in that the lock is lost on one balancer. Every run takes it on all of
// them, so what is left keeps all others out; with the last one the lock is gone.
func (l *Lease) lose(g Hold, why error) {
	l.mu.Lock()
	again := l.gone[g]
	l.gone[g] = true
	last := len(l.gone) == len(l.holds)
	l.mu.Unlock()
	var lost *LostError
	switch {
	case last:
		l.cancel(why)
	case !again && l.partly != nil && errors.As(why, &lost):
		l.partly(lost)
	}
}

func (l *Lease) isGone(g Hold) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone[g]
}

func (l *Lease) pause() { l.once.Do(func() { close(l.paused) }) }

// Paused is closed once somebody asked the run to pause.
func (l *Lease) Paused() <-chan struct{} { return l.paused }

// Lost is closed once the lock is lost or released, whatever became of the
// context that Acquire was given.
func (l *Lease) Lost() <-chan struct{} { return l.lost.Done() }

// Err is the *LostError of a lost lock, nil while it is held.
func (l *Lease) Err() error { return context.Cause(l.lost) }

// Note has others told which host is in hand, with the next heartbeat, which is
// sent at once. It does not wait.
func (l *Lease) Note(host string) {
	h := l.holder
	h.Host = host
	for _, g := range l.holds {
		g.Note(h)
	}
}

var errReleased = errors.New("lock released")

// Release gives the lock up; on every machine that answers within 2 s it is free
// on return. No goroutine is left, the context of the lease has ended.
func (l *Lease) Release() {
	leave := func(g Hold) {
		if l.isGone(g) {
			g.HangUp() // nobody is there to be asked
		} else {
			g.Leave()
		}
	}
	l.cancel(errReleased)
	var all sync.WaitGroup
	for _, g := range l.holds {
		all.Go(func() { leave(g) })
	}
	all.Wait()
	l.wg.Wait()
}
