package cli

import (
	"context"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	ucli "github.com/urfave/cli/v2"
)

func (x *program) pauseCommand() *ucli.Command {
	return &ucli.Command{Name: "pause", Usage: "have the running rollout stop after the hosts in hand", Action: x.asks(pause)}
}

// pause asks whoever holds the lock to stop. Where nobody does there is nothing to
// stop, and that is what was wanted: no error.
func pause(ctx context.Context, a *asking) (deploy.Outcome, error) {
	stores, err := a.balancers(ctx)
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	me := a.whoami()
	asked := make([]*state.Holder, len(stores))
	err = eachIndex(stores, func(i int, s keeper) (err error) {
		asked[i], err = s.Pause(ctx, me.User, me.Since)
		return err
	})
	for _, h := range asked {
		if h == nil {
			continue
		}
		if err != nil { // one balancer that was told is enough
			a.warn("", deploy.CodeOf(err), err.Error())
		}
		a.done("asked to pause after the hosts in hand: " + h.String())
		return deploy.OutcomeDone, nil
	}
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	a.sayf("no rollout of %s is running; \"flipdeploy lock --reason TEXT\" keeps the next from beginning", a.inv.App.Name)
	return deploy.OutcomeNothing, nil
}
