package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
	ucli "github.com/urfave/cli/v2"
)

// handOptions are the flags of drain and ready.
type handOptions struct {
	ready      bool
	inventory  string
	hosts      []string
	minServing string
	lockWait   time.Duration
	force      bool // ready: lift marks that are no hand's
}

func (x *program) drainCommand() *ucli.Command {
	return &ucli.Command{
		Name: "drain", Usage: "take hosts out of rotation by hand; rollouts leave them alone", ArgsUsage: "HOST…",
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "min-serving", Usage: "hosts that must go on serving, `N` or P%", EnvVars: twin("min-serving")},
			lockWaitFlag(),
		},
		Action: func(c *ucli.Context) error { return x.byHand(c, handOptions{minServing: c.String("min-serving")}) },
	}
}

func (x *program) readyCommand() *ucli.Command {
	return &ucli.Command{
		Name: "ready", Usage: "put hosts back into rotation that were taken out by hand", ArgsUsage: "HOST…",
		Flags: []ucli.Flag{
			&ucli.BoolFlag{Name: "force", Usage: "also what a rollout or another tool took out", EnvVars: twin("force")},
			lockWaitFlag(),
		},
		Action: func(c *ucli.Context) error { return x.byHand(c, handOptions{ready: true, force: c.Bool("force")}) },
	}
}

// byHand carries drain or ready out and shows the result, in every case.
func (x *program) byHand(c *ucli.Context, o handOptions) error {
	o.inventory, o.hosts, o.lockWait = or(c.String("inventory"), "inventory.toml"), c.Args().Slice(), c.Duration("lock-wait")
	return x.show(c, func(ctx context.Context, screen *ui.UI) (deploy.Result, error) {
		return o.run(ctx, screen, x.env)
	})
}

func (o handOptions) run(ctx context.Context, screen *ui.UI, env Env) (deploy.Result, error) {
	if len(o.hosts) == 0 {
		return deploy.Result{}, usage("which hosts? give their names")
	}
	inv, err := inventory.Load(o.inventory)
	if err != nil {
		return deploy.Result{}, err
	}
	if o.minServing != "" {
		if inv.Rollout.MinServing, err = inventory.ParseAmount(o.minServing); err != nil {
			return deploy.Result{}, usage("--min-serving: %s", err)
		}
	}
	if err := o.unlisted(inv); err != nil {
		return deploy.Result{}, err
	}
	screen.Fleet(inv.App.Name, o.hosts...)
	s, err := open(inv, screen, env)
	if err != nil {
		return deploy.Result{}, err
	}
	defer s.close()
	return o.on(ctx, s)
}

// on does it under the lock, behind a fence of its own. Only balancers are needed:
// a host that is to be drained may be dead.
func (o handOptions) on(ctx context.Context, s *session) (deploy.Result, error) {
	if err := s.reachBalancers(ctx); err != nil {
		return deploy.Result{}, err
	}
	held, err := s.lock(ctx, state.Terms{Wait: o.lockWait, OverrideFreeze: true}) // a freeze stops releases
	if err != nil {
		return deploy.Result{}, err
	}
	ctx, done := joined(ctx, held)
	defer done()
	if err := each(s.lbs, func(b *balancer) error { return named(b.name, b.driver.Check(ctx)) }); err != nil {
		return deploy.Result{}, err
	}
	s.rollout = state.Hand
	if err := s.fence(ctx, nil); err != nil {
		return deploy.Result{}, err
	}
	survey, err := deploy.LookAtBalancers(ctx, s.engineBalancers())
	if err != nil {
		return deploy.Result{}, err
	}
	plan := o.plan(s, survey)
	r := s.engine(plan, survey)
	return o.each(ctx, s, r, survey)
}

// plan carries the numbers of the guard: a floor, and no budget, since hands have
// none.
func (o handOptions) plan(s *session, survey deploy.Survey) deploy.Plan {
	p := deploy.Plan{Rollout: state.Hand, App: s.inv.App.Name, Parallel: len(s.inv.Hosts) + 1, Serving: survey.Serving()}
	p.MinServing = max(1, p.Serving-len(o.hosts))
	if m := s.inv.Rollout.MinServing; !m.IsZero() {
		p.MinServing = m.Resolve(len(s.inv.Hosts), true)
		if m.Percent {
			p = eachZone(p, s.inv, m)
		}
	}
	return p
}

// eachZone has the percentage be of every zone, too.
func eachZone(p deploy.Plan, inv *inventory.Inventory, least inventory.Amount) deploy.Plan {
	for _, h := range inv.Hosts {
		p.Hosts = append(p.Hosts, deploy.PlannedHost{Name: h.Name})
	}
	p = p.InZones(inv.ZoneOf())
	p.Refloor(deploy.Amount{N: least.N, Percent: true, Set: true})
	return p
}

// each does one host after the other and stops at the first that cannot be done.
func (o handOptions) each(ctx context.Context, s *session, r *deploy.Rollout, survey deploy.Survey) (deploy.Result, error) {
	res := deploy.Result{Kind: deploy.KindResult, Time: time.Now(), Outcome: deploy.OutcomeNothing,
		MinServingSeen: survey.Serving(), Hosts: map[string]deploy.HostResult{}}
	for _, host := range o.hosts {
		phase, acted, err := o.one(ctx, s, r, survey, host)
		if err != nil {
			err = named(host, err)
			if res.Outcome == deploy.OutcomeNothing && deploy.CodeOf(err) != "FD-DRAIN-TIMEOUT" {
				return res, err
			}
			res.Outcome = deploy.OutcomePaused
			res.Code, res.Error, res.Hint = deploy.CodeOf(err), err.Error(), deploy.HintOf(err)
			res.Hosts[host] = deploy.HostResult{Phase: deploy.Failed, Code: res.Code, Reason: res.Error}
			break
		}
		if acted {
			res.Outcome = deploy.OutcomeDone
		}
		res.Hosts[host] = deploy.HostResult{Phase: phase}
	}
	res.Exit = res.Outcome.Exit()
	return res, nil
}

func (o handOptions) one(ctx context.Context, s *session, r *deploy.Rollout, survey deploy.Survey, host string) (deploy.Phase, bool, error) {
	lifted := false
	if o.ready && o.force {
		var err error
		if lifted, err = s.liftMarks(ctx, host); err != nil {
			return deploy.LeftOut, false, err
		}
	}
	switch in := survey.InRotation(host); {
	case s.hosts[host] == nil:
		return deploy.LeftOut, true, nil
	case o.ready && in:
		s.emit(deploy.Event{Kind: deploy.KindHost, Host: host, Phase: deploy.Done, Detail: "in rotation already"})
		return deploy.Done, lifted, nil
	case o.ready:
		if err := s.takeMarks(ctx, survey, host, o.force); err != nil {
			return deploy.LeftOut, false, err
		}
		return deploy.Done, true, r.ReadyByHand(ctx, host)
	case !in && s.ownedBy(survey, host) == state.Hand:
		s.emit(deploy.Event{Kind: deploy.KindHost, Host: host, Phase: deploy.Drained, Detail: "out by hand already"})
		return deploy.Drained, false, nil
	}
	return deploy.Drained, true, r.DrainByHand(ctx, host)
}

func (s *session) ownedBy(survey deploy.Survey, host string) (owner string) {
	for _, seats := range survey.Seats {
		owner = or(owner, seats[host].Owner)
	}
	return owner
}

// takeMarks makes the marks of a host ours, those of a hand always, others only when
// told to.
func (s *session) takeMarks(ctx context.Context, survey deploy.Survey, host string, force bool) error {
	return each(s.lbs, func(b *balancer) error {
		seat, known := survey.Seats[b.name][host]
		switch {
		case !known || seat.State == deploy.StateAbsent:
			return nil
		case seat.Owner != state.Hand && !force && seat.State != deploy.StateReady && seat.State != deploy.StateDown:
			return notOurs(b.name, seat)
		}
		return named(b.name, b.adopt(ctx, host, or(seat.Owner, state.Hand)))
	})
}

func notOurs(lb string, seat deploy.Seat) error {
	who := "another tool or a person took it out"
	if seat.Owner != "" && !seat.Taken {
		who = "rollout " + seat.Owner + " took it out"
	}
	return &deploy.Fault{Code_: "FD-NOT-OURS", Err: fmt.Errorf("%s has it in %s, and %s", lb, seat.State, who),
		Hint_: `put it back all the same with "flipdeploy ready --force HOST"`}
}

// reachBalancers connects to the balancers only.
func (s *session) reachBalancers(ctx context.Context) error {
	if err := dial(ctx, s.edges); err != nil {
		return err
	}
	return each(s.stores, func(st *state.Store) error { return st.Prepare(ctx) })
}
