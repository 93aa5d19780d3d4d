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
		Flags:  x.rolloutCommand().Flags,
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
	return x.ask(c, o.override, func(ctx context.Context, a *asking) (deploy.Outcome, error) { return a.plan(ctx, o) })
}

func (a *asking) plan(ctx context.Context, o rolloutOptions) (deploy.Outcome, error) {
	art, err := o.openArtifact(a.inv)
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
	return outcome, a.showPlan(a.foretold(o, plan, survey, art))
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
	saw, err := look(ctx, a.stores)
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
		return nil, false, &unfinishedError{plan: open, where: standing(survey, a.order())}
	}
	return past, saw.holder != nil, a.nameEntry(past, open)
}

func (a *asking) warnHeld(saw seen) {
	if saw.holder != nil {
		held := &state.HeldError{App: a.inv.App.Name, Balancer: a.balancerNames(), Holder: *saw.holder}
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
		there := *a.hosts[h.Name]
		there.artifact = nil
		_, err := there.Stage(ctx, r, func(int64) {})
		return named(h.Name, err)
	})
}

// A foretold is a plan with what is known of every host.
type foretold struct {
	deploy.Plan
	Command       string         `json:"command"` // that carries it out
	Detail        string         `json:"detail"`
	LeastServing  int            `json:"least_serving"`
	BytesArtifact int64          `json:"bytes_artifact"`
	BytesSend     int64          `json:"bytes_send"`
	Order         []string       `json:"order"` // in which hosts change
	Hosts         []foretoldHost `json:"hosts"`
}

type foretoldHost struct {
	deploy.PlannedHost
	FromRevision string         `json:"from_revision"`
	ToRevision   string         `json:"to_revision"`
	Changes      bool           `json:"changes"`
	Canary       bool           `json:"canary"`
	Bytes        int64          `json:"bytes"`
	WayBack      string         `json:"way_back"` // release to come back to, "" for none
	LBs          []foretoldSeat `json:"lbs"`
}

type foretoldSeat struct {
	LB       string       `json:"lb"`
	Backends []string     `json:"backends"` // upstream@address:port
	State    deploy.State `json:"state"`
	Sessions int          `json:"sessions"`
	Owner    string       `json:"owner"`
}

func (a *asking) foretold(o rolloutOptions, p deploy.Plan, survey deploy.Survey, art *site.Artifact) foretold {
	f := foretold{Plan: p, Command: "flipdeploy " + string(o.mode), LeastServing: min(p.MinServing, p.Serving),
		Order: inOrder(p), Hosts: []foretoldHost{}}
	if art != nil {
		f.BytesArtifact = art.Size
	}
	canaries := f.Order[:min(p.Canary, len(f.Order))]
	for _, h := range p.Hosts {
		x := a.foretoldHost(h, survey, art)
		for _, c := range canaries {
			x.Canary = x.Canary || c == h.Name
		}
		f.BytesSend += x.Bytes
		f.Hosts = append(f.Hosts, x)
	}
	f.Detail = f.headline() + "; " + numbers(p)
	return f
}

// inOrder are the hosts as they will change: those that do not serve first, since
// that costs no capacity.
func inOrder(p deploy.Plan) []string {
	dead, live := []string{}, []string{}
	for _, h := range p.Hosts {
		switch {
		case !h.Changes():
		case h.Serving:
			live = append(live, h.Name)
		default:
			dead = append(dead, h.Name)
		}
	}
	return append(dead, live...)
}

func (a *asking) foretoldHost(h deploy.PlannedHost, survey deploy.Survey, art *site.Artifact) foretoldHost {
	x := foretoldHost{PlannedHost: h, FromRevision: deploy.RevisionOf(h.From), ToRevision: deploy.RevisionOf(h.To),
		Changes: h.Changes(), LBs: []foretoldSeat{}}
	if h.Changes() {
		x.WayBack = h.From
	}
	if art != nil && h.Changes() && (&prepared{art: art}).release(h.To).SHA256 != "" && a.hosts[h.Name].facts.Releases[h.To] != art.SHA256 {
		x.Bytes = art.Size
	}
	for _, b := range a.lbs {
		seat := survey.Seats[b.name][h.Name]
		s := foretoldSeat{LB: b.name, Backends: []string{}, State: deploy.State(or(string(seat.State), string(deploy.StateUnknown))), Sessions: seat.Sessions, Owner: seat.Owner}
		for _, k := range b.keys[h.Name] {
			s.Backends = append(s.Backends, k.Upstream+"@"+k.Address)
		}
		x.LBs = append(x.LBs, s)
	}
	return x
}
