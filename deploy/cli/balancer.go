package cli

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/lb"
)

// A driver is a balancer as lb knows it: it checks and acts in one script and
// knows nothing of fences, marks and locks.
type driver interface {
	Check(ctx context.Context) error
	Seats(ctx context.Context) (map[string]lb.Seat, error)
	Claim(ctx context.Context, act lb.Runner, host string, minServing int, also ...lb.Floor) error
	Drain(ctx context.Context, act lb.Runner, host string, minServing int, also ...lb.Floor) error
	Empty(ctx context.Context, act lb.Runner, host string, say func(string)) error
	Hold(ctx context.Context, act lb.Runner, host string) (again bool, err error)
	Ready(ctx context.Context, act lb.Runner, host string, say func(string)) error
	GiveBack(ctx context.Context, act lb.Runner, host string) error
	Counters(ctx context.Context, hosts []string) (map[string]lb.Counters, error)
}

// A balancer joins a driver with the state kept beside it: every act is fenced
// with the epoch of this run and needs the owner mark.
type balancer struct {
	name    string
	driver  driver
	store   *state.Store
	machine *sureMachine
	keys    map[string][]state.Key // by host: its backends in every listed upstream
	epoch   int64
	rollout string
	who     string
	as      deploy.Balancer              // see engine
	seen    atomic.Pointer[[]state.Mark] // see strays
}

var _ deploy.Balancer = (*balancer)(nil)

func (b *balancer) Name() string { return b.name }

func (b *balancer) Seats(ctx context.Context) (map[string]deploy.Seat, error) {
	var seats map[string]lb.Seat
	var marks []state.Mark
	err := both(
		func() (err error) { seats, err = b.driver.Seats(ctx); return err },
		func() (err error) { marks, err = b.store.Marks(ctx); return err },
	)
	if err != nil {
		return nil, err
	}
	left := b.stray(marks)
	b.seen.Store(&left)
	owner := map[state.Key]state.Mark{}
	for _, m := range marks {
		owner[m.Key] = m
	}
	out := make(map[string]deploy.Seat, len(seats))
	for host, s := range seats {
		seat := deploy.Seat{State: deploy.State(s.State), Serving: s.Serving, Sessions: s.Sessions, Detail: s.Detail}
		claimed := true
		for _, k := range b.keys[host] {
			if m := owner[k]; m.Rollout != "" {
				seat.Owner, claimed = m.Rollout, claimed && m.Claimed
			}
		}
		seat.Taken = seat.Owner != "" && taken(s, claimed)
		if s.Stale && seat.Owner != "" {
			// A run died between its edit and the nginx reload: what is live is not what
			// the file says. It counts as out until somebody has made it live.
			seat.State, seat.Serving, seat.Taken, seat.Changing = deploy.StateMaint, false, false, true
		}
		out[host] = seat
	}
	return out, nil
}

// taken tells that a host with a mark of ours is out by another's hand: where the balancer
// does not say by whose, the mark knows whether we got as far as taking it out.
func taken(s lb.Seat, claimed bool) bool {
	if s.State != lb.StateDrain && s.State != lb.StateMaint {
		return false
	}
	return s.By == lb.ByOther || s.By == "" && claimed
}

func (b *balancer) Claim(ctx context.Context, host string, budget deploy.Budget) error {
	claim := state.Claim{Rollout: b.rollout, Host: host, Keys: b.keys[host], Parallel: budget.Parallel, Beside: budget.Beside,
		Before: string(deploy.StateReady), Who: b.who}
	return b.driver.Claim(ctx, b.store.Act(b.epoch, claim), host, budget.MinServing, floors(budget)...)
}

// Unclaim has nothing to do where the mark is not ours or not there.
func (b *balancer) Unclaim(ctx context.Context, host string) error {
	drop := state.Drop{Rollout: b.rollout, Host: host, Keys: b.keys[host]}
	_, err := b.store.Act(b.epoch, drop).Run(ctx, ":")
	var mark *state.MarkError
	if errors.As(err, &mark) {
		return nil
	}
	return err
}

func (b *balancer) owned(host string) lb.Runner {
	return b.store.Act(b.epoch, state.Owned{Rollout: b.rollout, Host: host, Keys: b.keys[host]})
}

func (b *balancer) Drain(ctx context.Context, host string, budget deploy.Budget) error {
	leave := state.Leave{Owned: state.Owned{Rollout: b.rollout, Host: host, Keys: b.keys[host]}}
	return b.driver.Drain(ctx, b.store.Act(b.epoch, leave), host, budget.MinServing, floors(budget)...)
}

func (b *balancer) Empty(ctx context.Context, host string, say func(string)) error {
	return b.driver.Empty(ctx, b.owned(host), host, say)
}

// Emptied says why the host is out in drain alone, where it is.
func (b *balancer) Emptied(host string) string {
	if d, ok := b.driver.(interface{ Emptied(host string) string }); ok {
		return d.Emptied(host)
	}
	return ""
}

// Cut ends sessions where the driver can.
func (b *balancer) Cut(ctx context.Context, host string) error {
	d, ok := b.driver.(interface {
		Cut(ctx context.Context, act lb.Runner, host string) error
	})
	if !ok {
		return &deploy.Fault{Host: b.name, Code_: "FD-CUT", Err: errors.New("this balancer cannot cut the sessions of one host"),
			Hint_: `set on_drain_timeout = "abort", or raise drain_timeout`}
	}
	return d.Cut(ctx, b.owned(host), host)
}

func (b *balancer) Hold(ctx context.Context, host string) (bool, error) {
	return b.driver.Hold(ctx, b.owned(host), host)
}

func (b *balancer) Ready(ctx context.Context, host string, say func(string)) error {
	return b.driver.Ready(ctx, b.owned(host), host, say)
}

func (b *balancer) GiveBack(ctx context.Context, host string) error {
	return b.driver.GiveBack(ctx, b.owned(host), host)
}

func (b *balancer) Counters(ctx context.Context, hosts []string) (map[string]deploy.Counters, error) {
	counted, err := b.driver.Counters(ctx, hosts)
	all := make(map[string]deploy.Counters, len(counted))
	for host, c := range counted {
		all[host] = deploy.Counters(c)
	}
	return all, err
}

// floors are those beside that of all hosts.
func floors(b deploy.Budget) (all []lb.Floor) {
	for _, f := range b.Zones {
		all = append(all, lb.Floor(f))
	}
	return all
}
