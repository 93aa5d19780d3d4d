package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	ucli "github.com/urfave/cli/v2"
)

var moveTo = []string{"etcd", "balancers"}

func (x *program) moveCommand() *ucli.Command {
	return &ucli.Command{
		Name: "move", Usage: "have the state of the app be kept in the etcd of state.store, or on the balancers again", ArgsUsage: "etcd|balancers",
		Flags: []ucli.Flag{lockWaitFlag()},
		Action: func(c *ucli.Context) error {
			to := c.Args().First()
			switch {
			case c.NArg() > 1:
				return usage("move takes one word, and got %q too", c.Args().Get(1))
			case !slices.Contains(moveTo, to):
				return usage("move: where to? etcd or balancers, not %q", to)
			case c.Duration("lock-wait") < 0:
				return usage("--lock-wait: %s is less than nothing", c.Duration("lock-wait"))
			}
			return x.asks(func(ctx context.Context, a *asking) (deploy.Outcome, error) {
				return a.move(ctx, to, c.Duration("lock-wait"))
			})(c)
		},
	}
}

// move takes the lock in both places, copies the journals and has the balancers say where
// state is kept. Nothing may be under way, unfinished or frozen. A crash in the middle
// leaves balancers of which some say so and some do not: every other run is refused then,
// and to move again, either way, ends it. What was copied stays where it was, too.
func (a *asking) move(ctx context.Context, to string, wait time.Duration) (deploy.Outcome, error) {
	if err := a.reachBalancers(ctx); err != nil {
		return deploy.OutcomeRefused, err
	}
	if a.etcd == nil {
		return deploy.OutcomeRefused, usage("move: the inventory names no store: set state.store, to move back, too")
	}
	if err := a.etcd.Prepare(ctx); err != nil {
		return deploy.OutcomeRefused, err
	}
	if done, err := a.thereAlready(ctx, to); done || err != nil {
		return deploy.OutcomeNothing, err
	}
	m := mover{asking: a, to: to}
	for _, st := range a.stores {
		m.here = append(m.here, st.Moving())
	}
	held, lease, err := state.AcquireWait(ctx, m.both(), a.whoami(), state.Terms{Wait: wait, OverrideFreeze: true, Waiting: a.waiting()})
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	a.lease = lease
	if err := m.run(held); err != nil { // which ends with the lock, and with ctx
		return deploy.OutcomeRefused, err
	}
	a.done(fmt.Sprintf("the state of %s is kept %s: %s moved", a.inv.App.Name, m.words(), plural(m.journals, "journal")))
	return deploy.OutcomeDone, nil
}

// thereAlready tells so; another etcd than ours is an error.
func (a *asking) thereAlready(ctx context.Context, to string) (bool, error) {
	kept := (&beside{a.etcd, a.stores}).governs(ctx, false)
	var moved *state.MovedError
	for _, err := range parts(flat(kept)) {
		if errors.As(err, &moved) && moved.To != "" || kept != nil && !errors.As(err, &moved) && deploy.CodeOf(err) != codeOthers {
			return false, kept
		}
	}
	if to == "etcd" && kept == nil {
		if err := a.kept(ctx); err != nil {
			return false, err
		}
		a.sayf("the state of %s is kept in etcd already", a.inv.App.Name)
		return true, nil
	}
	if to == "balancers" {
		for _, st := range a.stores {
			if _, err := st.Sight(ctx); err != nil {
				return false, asMoved(err)
			}
		}
		a.sayf("the state of %s is kept on the balancers already", a.inv.App.Name)
		return true, nil
	}
	return false, nil
}

// asMoved is nil for a balancer that says that state is kept elsewhere: in our etcd, as was
// seen before.
func asMoved(err error) error {
	if moved := (*state.MovedError)(nil); errors.As(err, &moved) {
		return nil
	}
	return err
}

// A mover has the lock in both places.
type mover struct {
	*asking
	to       string
	here     []*state.Store // the balancers, wherever state is kept
	journals int
}

// both are all places; those on the balancers come first.
func (m *mover) both() (all []keeper) {
	for _, st := range m.here {
		all = append(all, st)
	}
	return append(all, m.etcd)
}

// fromTo are the places that state leaves and where it comes to.
func (m *mover) fromTo() (from, to []keeper) {
	all := m.both()
	if from, to = all[:len(m.here)], all[len(m.here):]; m.to == "balancers" {
		from, to = to, from
	}
	return from, to
}

func (m *mover) words() string {
	if m.to == "etcd" {
		return "in etcd"
	}
	return "on the balancers; take state.store out of the inventory"
}

func (m *mover) run(ctx context.Context) error {
	from, to := m.fromTo()
	for _, places := range [][]keeper{from, to} {
		if err := m.settled(ctx, places); err != nil {
			return err
		}
	}
	old, err := state.NewBook(from, 0).Journals(ctx)
	if err != nil {
		return err
	}
	if err := m.sameFleet(ctx, old, to); err != nil {
		return err
	}
	var fences []state.Fenced
	for _, k := range slices.Backward(m.both()) {
		fences = append(fences, k)
	}
	if m.epoch, err = state.Raise(ctx, fences); err != nil {
		return err
	}
	for _, k := range to {
		if err := m.copied(ctx, old, k); err != nil {
			return err
		}
	}
	m.journals = len(old)
	line := ""
	if m.to == "etcd" {
		line = m.etcd.Line()
	}
	// A crash between two balancers leaves them of two minds: see move.
	return each(m.here, func(s *state.Store) error { return s.Move(ctx, m.epoch, line) })
}

// settled is nil where nothing is unfinished and nothing frozen.
func (m *mover) settled(ctx context.Context, places []keeper) error {
	_, open, err := pastOf(ctx, places)
	if err != nil {
		return err
	}
	where := m.inventoryFor(places)
	if open != nil {
		return &deploy.Fault{Code_: "FD-UNFINISHED", Err: &unfinishedError{plan: &open.Plan},
			Hint_: where + `settle it with "flipdeploy resume", "flipdeploy rollback" or "flipdeploy abandon", then move`}
	}
	for _, k := range places {
		saw, err := k.Sight(ctx)
		if err != nil {
			return err
		}
		if saw.Freeze != nil {
			return &deploy.Fault{Code_: "FD-FROZEN", Err: &state.FrozenError{App: m.inv.App.Name, Balancer: k.Name(), Freeze: *saw.Freeze},
				Hint_: where + `lift it with "flipdeploy unlock", move, and freeze again with "flipdeploy lock"`}
		}
	}
	return nil
}

// inventoryFor says how the inventory has to be for what lies in places.
func (m *mover) inventoryFor(places []keeper) string {
	if places[0] == keeper(m.etcd) {
		return ""
	}
	return "with state.store taken out of the inventory: "
}

// sameFleet is nil unless both places have a history, and not one rollout in common: what
// was moved once stays where it was, too.
func (m *mover) sameFleet(ctx context.Context, old []state.Journal, to []keeper) error {
	there, err := state.NewBook(to, 0).Journals(ctx)
	if err != nil || len(old) == 0 || len(there) == 0 {
		return err
	}
	for _, j := range there {
		if slices.ContainsFunc(old, func(o state.Journal) bool { return o.Rollout == j.Rollout }) {
			return nil
		}
	}
	return (&beside{m.etcd, m.here}).others(1)
}

const linesAtOnce = 50

// copied returns once a place has every line of the journals, each once.
func (m *mover) copied(ctx context.Context, journals []state.Journal, to keeper) error {
	there, err := to.Journals(ctx)
	if err != nil {
		return err
	}
	has := map[string]bool{}
	for _, j := range there {
		for _, line := range j.Lines {
			has[j.Rollout+" "+string(line)] = true
		}
	}
	for _, j := range slices.Backward(journals) { // the oldest first
		var lines []string
		for _, line := range j.Lines {
			if !has[j.Rollout+" "+string(line)] {
				lines = append(lines, strings.TrimSpace(string(line)))
			}
		}
		for some := range slices.Chunk(lines, linesAtOnce) {
			if err := to.Write(ctx, m.epoch, j.Rollout, some); err != nil {
				return err
			}
		}
	}
	return nil
}
