package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	ucli "github.com/urfave/cli/v2"
)

func (x *program) lockCommand() *ucli.Command {
	return &ucli.Command{
		Name: "lock", Usage: "freeze the app: no rollout begins until unlock",
		Flags: []ucli.Flag{&ucli.StringFlag{Name: "reason", Usage: "why, for whoever wants to roll out, `TEXT`", EnvVars: twin("reason")}},
		Action: func(c *ucli.Context) error {
			reason := strings.TrimSpace(c.String("reason"))
			if err := checkReason(reason); err != nil {
				return err
			}
			return x.asks(func(ctx context.Context, a *asking) (deploy.Outcome, error) { return a.freeze(ctx, reason) })(c)
		},
	}
}

func (x *program) unlockCommand() *ucli.Command {
	return &ucli.Command{
		Name: "unlock", Usage: "lift the freeze of lock",
		Flags: []ucli.Flag{yesFlag()},
		Action: func(c *ucli.Context) error {
			return x.asks(func(ctx context.Context, a *asking) (deploy.Outcome, error) { return a.unfreeze(ctx, c.Bool("yes")) })(c)
		},
	}
}

const maxReason = 200

func checkReason(reason string) error {
	switch {
	case reason == "":
		return usage("lock: say why with --reason TEXT")
	case len([]rune(reason)) > maxReason:
		return usage("--reason: %d characters are more than %d", len([]rune(reason)), maxReason)
	case strings.ContainsFunc(reason, unicode.IsControl):
		return usage("--reason: one line of text")
	}
	return nil
}

// freeze holds where it is written on one balancer at least: a run needs the lock of
// every one. A freeze that is there is somebody's, and kept.
func (a *asking) freeze(ctx context.Context, reason string) (deploy.Outcome, error) {
	stores, err := a.balancers(ctx)
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	if err := each(a.there, func(s *state.Store) error { return s.Prepare(ctx) }); err != nil {
		return deploy.OutcomeRefused, err
	}
	me := a.whoami()
	f := state.Freeze{Reason: reason, Who: me.User, Since: me.Since}
	was := make([]*state.Freeze, len(stores))
	errs := make([]error, len(stores))
	_ = eachIndex(stores, func(i int, s keeper) error {
		was[i], errs[i] = s.Freeze(ctx, f)
		return nil
	})
	wrote := 0
	for i, s := range stores {
		switch {
		case errs[i] != nil:
			a.warn("", deploy.CodeOf(errs[i]), errs[i].Error())
		case was[i] != nil:
			err = errors.Join(err, &state.FrozenError{App: a.inv.App.Name, Balancer: s.Name(), Freeze: *was[i]})
		default:
			wrote++
		}
	}
	switch {
	case err != nil:
		return deploy.OutcomeLocked, err
	case wrote == 0:
		return deploy.OutcomeRefused, errors.Join(errs...)
	}
	a.done(fmt.Sprintf("%s is frozen: no rollout begins until \"flipdeploy unlock\"", a.inv.App.Name))
	if saw, err := look(ctx, stores); err == nil && saw.holder != nil {
		a.warn("", "FD-LOCKED", "a run that began before goes on: "+saw.holder.String()+"; \"flipdeploy pause\" stops it")
	}
	return deploy.OutcomeDone, nil
}

// unfreeze lifts the freeze that was shown, on every balancer; one that another
// wrote meanwhile stays.
func (a *asking) unfreeze(ctx context.Context, yes bool) (deploy.Outcome, error) {
	if err := dial(ctx, a.edges); err != nil {
		return deploy.OutcomeRefused, err // a freeze on a balancer that is not asked would still hold
	}
	keepers := a.keepers(a.stores)
	saw, err := look(ctx, keepers)
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	if len(saw.freezes) == 0 {
		a.sayf("%s is not frozen", a.inv.App.Name)
		return deploy.OutcomeNothing, nil
	}
	for _, name := range sortedKeys(saw.freezes) {
		a.sayf("%s", frozenWords(name, saw.freezes[name]))
	}
	if err := a.confirm(yes, fmt.Sprintf("Lift the freeze of %s?", a.inv.App.Name)); err != nil {
		return deploy.OutcomeRefused, err
	}
	err = each(keepers, func(s keeper) error {
		if f, frozen := saw.freezes[s.Name()]; frozen {
			return s.Unfreeze(ctx, f)
		}
		return nil
	})
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	a.done(a.inv.App.Name + " is not frozen any more")
	return deploy.OutcomeDone, nil
}

func frozenWords(balancer string, f state.Freeze) string {
	since := ""
	if !f.Since.IsZero() {
		since = " since " + f.Since.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("frozen on %s by %s%s: %s", balancer, f.Who, since, f.Reason)
}
