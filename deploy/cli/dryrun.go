package cli

import (
	"context"
	"errors"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/remote/site"
	ucli "github.com/urfave/cli/v2"
)

// planCommand is rollout --dry-run under a name of its own.
func (x *program) planCommand() *ucli.Command {
	return &ucli.Command{
		Name: "plan", Usage: "what rollout would do, read live; nothing is changed",
		Flags: append(rolloutFlags(), &ucli.StringFlag{Name: "output", Aliases: []string{"o"}, TakesFile: true,
			Usage: "write the plan to `FILE`, too, for rollout --plan FILE", EnvVars: twin("output")}),
		Action: func(c *ucli.Context) error { return x.plan(c, optionsOf(c, deploy.ModeRollout)) },
	}
}

// withDryRun gives a command of rollouts the flag that makes it only tell.
func (x *program) withDryRun(cmd *ucli.Command, mode deploy.Mode) *ucli.Command {
	real := cmd.Action
	cmd.Flags = append(cmd.Flags, &ucli.BoolFlag{Name: "dry-run", Usage: "only tell what would be done, as plan does", EnvVars: twin("dry-run")})
	cmd.Action = func(c *ucli.Context) error {
		if c.Bool("dry-run") {
			return x.plan(c, optionsOf(c, mode))
		}
		return real(c)
	}
	return cmd
}

// plan tells what a rollout with these options would do, and all that keeps it from
// being done. No lock is taken, no fence raised, nothing changed.
func (x *program) plan(c *ucli.Context, o rolloutOptions) error {
	return x.ask(c, o.resolve, func(ctx context.Context, a *asking) (deploy.Outcome, error) {
		return a.plan(ctx, o, c.String("output"))
	})
}

// plan tells it, and writes it to file, "" for nowhere.
func (a *asking) plan(ctx context.Context, o rolloutOptions, file string) (deploy.Outcome, error) {
	art, err := o.openArtifact(ctx, a.session)
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	if art != nil {
		defer func() { _ = art.Close() }() // only read from
	}
	past, held, err := a.prelude(ctx)
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	plan, survey, err := o.foresee(ctx, a.session, art, past)
	if err == nil {
		err = o.asAgreed(a.session, plan, survey)
	}
	if err == nil {
		err = a.stageable(ctx, plan, art)
	}
	if err == nil && !held { // what a running rollout has out is back when it ends
		err = a.roomFor(plan, survey)
	}
	if err != nil {
		return deploy.OutcomeRefused, flat(errors.Join(err, a.prepared(ctx)))
	}
	if err := a.prepared(ctx); err != nil {
		return deploy.OutcomeRefused, err
	}
	outcome := deploy.OutcomeDone
	if plan.Changes() == 0 {
		outcome = deploy.OutcomeNothing
	}
	f := a.foretold(o, plan, survey, art)
	if f.Notes, err = a.notes(ctx); err != nil {
		return deploy.OutcomeRefused, err
	}
	if file != "" {
		f.File = file
		err = writePlan(file, o.planned(a.session, plan, survey, art.SHA256))
	}
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	return outcome, a.showPlan(f)
}

// prelude connects and reads what is written on the balancers. Who holds the lock is
// a warning: a plan only reads.
func (a *asking) prelude(ctx context.Context) (past []deploy.Past, held bool, err error) {
	err = both(
		func() error { return dial(ctx, a.edges) },
		func() error { a.unreached = dialEach(ctx, a.webs); return nil },
	)
	if err != nil {
		return nil, false, errors.Join(err, a.hostsReached())
	}
	saw, err := look(ctx, a.keepers(a.stores))
	if err != nil {
		return nil, false, errors.Join(err, a.hostsReached())
	}
	a.warnHeld(saw)
	past, open, err := a.history(ctx)
	if err != nil {
		return nil, false, err
	}
	if open != nil && (saw.holder == nil || saw.holder.Rollout != open.Rollout) {
		survey, _ := deploy.Look(ctx, a.engineHosts(), a.engineBalancers()) // what cannot be asked is said so
		return nil, false, &unfinishedError{plan: &open.Plan, where: standing(survey, a.order())}
	}
	return past, saw.holder != nil, a.nameEntry(past, open)
}

func (a *asking) warnHeld(saw seen) {
	if saw.holder != nil {
		held := &state.HeldError{App: a.inv.App.Name, Balancer: a.keeperNames(), Holder: *saw.holder}
		a.warn("", held.Code(), held.Error()+"; what follows is the fleet as it is now")
	}
	if name, f := saw.frozen(); f != nil {
		frozen := &state.FrozenError{App: a.inv.App.Name, Balancer: name, Freeze: *f}
		a.warn("", frozen.Code(), frozen.Error()+"; a rollout would be refused")
	}
}

// prepared is nil where the state directories are there or can be made.
func (a *asking) prepared(ctx context.Context) error {
	return each(a.stores, func(s *state.Store) error { return s.Prepared(ctx) })
}

// stageable is nil when every release that is not the artifact's own is where it is
// needed: to stage those only looks.
func (a *asking) stageable(ctx context.Context, p deploy.Plan, art *site.Artifact) error {
	prep := &prepared{art: art}
	return each(p.Hosts, func(h deploy.PlannedHost) error {
		r := prep.release(h.To)
		if !h.Changes() || h.To == "" || r.SHA256 != "" {
			return nil
		}
		return named(h.Name, a.hosts[h.Name].has(ctx, r))
	})
}
