package state

import "context"

// Where the lock, the journal and the epoch of an app are kept: on every balancer (Store),
// or for all of them in a store beside (package etcd). Marks, the fence and turn that scripts
// check, and act.lock are always on the balancer, since there they have to hold at the moment
// of the act.

// A Locker is a place where the lock of an app can be had.
type Locker interface {
	Name() string
	// Take returns the lock there, just got; a *HeldError or *FrozenError says who has it.
	Take(ctx context.Context, h Holder, t Terms) (Hold, error)
}

// A Hold is the lock in one place. Beat, once, returns when it is lost, which it tells, or
// left. Leave gives it up, HangUp only stops keeping it.
type Hold interface {
	Beat(t Terms, lost context.CancelCauseFunc, paused func())
	Note(h Holder)
	Leave()
	HangUp()
}

// A Shelf keeps journals.
type Shelf interface {
	Name() string
	// Write returns once the lines are durable at the end of the journal of the rollout;
	// behind a fence check.
	Write(ctx context.Context, epoch int64, rollout string, lines []string) error
	// Journals are the latest ones, the newest first by epoch.
	Journals(ctx context.Context) ([]Journal, error)
}

// A Fenced place has an epoch that only rises.
type Fenced interface {
	Fence(ctx context.Context) (int64, error)
	RaiseTo(ctx context.Context, epoch int64) error
}

var (
	_ Locker = (*Store)(nil)
	_ Shelf  = (*Store)(nil)
	_ Fenced = (*Store)(nil)
)
