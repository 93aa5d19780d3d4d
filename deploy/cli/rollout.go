package cli

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
	ucli "github.com/urfave/cli/v2"
)

// rolloutOptions are the flags of rollout and rollback, as written.
type rolloutOptions struct {
	mode       deploy.Mode
	inventory  string
	artifact   string
	revision   string
	parallel   string
	canary     string
	minServing string
	onFailure  string
	bake       string
	lockWait   time.Duration
	noUndo     bool
	maxFail    string
	hosts      string // globs
	skip       int    // hosts that may be missing
	outToo     bool
	downtime   bool
	overFreeze bool
	unfinished string          // refuse, resume, rollback
	only       deploy.Settling // nothing but settle an unfinished rollout
	steps      int             // rollback
	to         string          // rollback
	limitRate  string          // of the upload
	probe      string          // URL
	planFile   string          // to be carried out, "" for none
	agreed     *planFile       // what it holds
	given      string          // with planFile: names of flags that were, be it with what is so without them
}

// fleetFlags are those of every command that changes the fleet host by host.
func fleetFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.StringFlag{Name: "parallel", Usage: "hosts out at once, `N` or P%", EnvVars: twin("parallel")},
		&ucli.StringFlag{Name: "min-serving", Usage: "hosts that must go on serving, `N` or P%", EnvVars: twin("min-serving")},
		&ucli.StringFlag{Name: "bake", Usage: "how long a host must stay healthy in rotation, `D`", EnvVars: twin("bake")},
		probeFlag(),
		lockWaitFlag(),
		&ucli.IntFlag{Name: "skip-unreachable", Usage: "go on without up to `N` hosts that cannot be reached", EnvVars: twin("skip-unreachable")},
		&ucli.BoolFlag{Name: "allow-downtime", Usage: "nobody has to go on serving; one host at a time", EnvVars: twin("allow-downtime")},
		yesFlag(),
	}
}

// forwardFlags say how a rollout or a restart goes about it. A rollback has no
// canary and does not go on after a failure.
func forwardFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.StringFlag{Name: "canary", Usage: "hosts to change and bake before the rest, `N`", EnvVars: twin("canary")},
		&ucli.StringFlag{Name: "hosts", Usage: "only hosts whose name fits one of `GLOB,…`", EnvVars: twin("hosts")},
		&ucli.StringFlag{Name: "on-failure", Usage: "`rollback`, pause or continue", EnvVars: twin("on-failure")},
		&ucli.StringFlag{Name: "max-failures", Usage: "hosts that may fail, `N` or P%", EnvVars: twin("max-failures")},
		&ucli.BoolFlag{Name: "include-out", Usage: "change hosts that are out of rotation, too, and leave them out", EnvVars: twin("include-out")},
		&ucli.StringFlag{Name: "unfinished", Usage: "an unfinished rollout is settled first: `refuse` (default), resume or rollback", EnvVars: twin("unfinished")},
		&ucli.BoolFlag{Name: "no-undo", Usage: "leave a host that fails out, as it is", EnvVars: twin("no-undo")},
	}
}

func lockWaitFlag() ucli.Flag {
	return &ucli.DurationFlag{Name: "lock-wait", Usage: "how long to wait for another rollout's lock, `D`", EnvVars: twin("lock-wait")}
}

func artifactFlag() ucli.Flag {
	return &ucli.StringFlag{Name: "artifact", TakesFile: true, Usage: "what to roll out, `PATH`", EnvVars: twin("artifact")}
}

// rolloutFlags are those of rollout and of the plan of one.
func rolloutFlags() []ucli.Flag {
	return slices.Concat([]ucli.Flag{
		artifactFlag(),
		&ucli.StringFlag{Name: "revision", Usage: "what was built, `R`; default: from the artifact", EnvVars: twin("revision")},
		limitFlag(),
	}, fleetFlags(), forwardFlags())
}

func (x *program) rolloutCommand() *ucli.Command {
	return &ucli.Command{
		Name: "rollout", Usage: "replace the release on every host, a few at a time",
		Flags: append(rolloutFlags(), &ucli.StringFlag{Name: "plan", TakesFile: true,
			Usage: "carry out what plan -o wrote to `FILE`, with its flags; refused when anything is not as it was then", EnvVars: twin("plan")}),
		Action: func(c *ucli.Context) error { return x.run(c, optionsOf(c, deploy.ModeRollout)) },
	}
}

func (x *program) rollbackCommand() *ucli.Command {
	return &ucli.Command{
		Name: "rollback", Usage: "bring the fleet back to what it ran before",
		Flags: append(fleetFlags(),
			artifactFlag(),
			limitFlag(),
			&ucli.IntFlag{Name: "n", Value: 1, Usage: "rollouts to go back, `N`", EnvVars: twin("n")},
			&ucli.StringFlag{Name: "to", Usage: "the revision to go back to, `R`", EnvVars: twin("to")},
			&ucli.BoolFlag{Name: "override-freeze", Usage: "go back though the app is frozen", EnvVars: twin("override-freeze")},
		),
		Action: func(c *ucli.Context) error { return x.run(c, optionsOf(c, deploy.ModeRollback)) },
	}
}

func (x *program) restartCommand() *ucli.Command {
	return &ucli.Command{
		Name: "restart", Usage: "a new process of the release that runs, on every host, a few at a time",
		Flags:  append(fleetFlags(), forwardFlags()...),
		Action: func(c *ucli.Context) error { return x.run(c, optionsOf(c, deploy.ModeRestart)) },
	}
}

func optionsOf(c *ucli.Context, mode deploy.Mode) rolloutOptions {
	o := rolloutOptions{mode: mode,
		inventory: or(c.String("inventory"), "inventory.toml"), artifact: c.String("artifact"), revision: c.String("revision"),
		parallel: c.String("parallel"), canary: c.String("canary"), minServing: c.String("min-serving"),
		onFailure: c.String("on-failure"), bake: c.String("bake"), lockWait: c.Duration("lock-wait"),
		noUndo: c.Bool("no-undo"), maxFail: c.String("max-failures"), hosts: c.String("hosts"), skip: c.Int("skip-unreachable"),
		outToo: c.Bool("include-out"), downtime: c.Bool("allow-downtime"), overFreeze: c.Bool("override-freeze"), unfinished: c.String("unfinished"), steps: c.Int("n"), to: c.String("to"), limitRate: c.String("limit-rate"), probe: c.String("probe"), planFile: c.String("plan")}
	for _, f := range o.madeBy() {
		if o.planFile != "" && c.IsSet(f.name) {
			o.given += f.name + " "
		}
	}
	return o
}

func (x *program) run(c *ucli.Context, o rolloutOptions) error {
	return x.show(c, func(ctx context.Context, screen *ui.UI) (deploy.Result, error) {
		inv, err := inventory.Load(o.inventory)
		if err != nil {
			return deploy.Result{}, err
		}
		if err := o.resolve(inv); err != nil {
			return deploy.Result{}, err
		}
		if question := o.question(); question != "" {
			if err := (&asking{x: x}).confirm(c.Bool("yes"), question); err != nil {
				return deploy.Result{}, err
			}
		}
		return o.run(ctx, inv, screen, x.env)
	})
}

// question is what a person has to agree to first, "" for nothing.
func (o rolloutOptions) question() string {
	switch {
	case o.downtime:
		return "The app may be down for everybody while its hosts change. Go on?"
	case o.only == deploy.Leave:
		return "The fleet may be left on several releases, and the rollout cannot be gone on with. Abandon it?"
	}
	return ""
}

// show carries a command out and shows its result, in every case.
func (x *program) show(c *ucli.Context, do func(context.Context, *ui.UI) (deploy.Result, error)) error {
	screen := x.screen(c)
	defer screen.Close()
	began := time.Now()
	res, err := do(c.Context, screen)
	if err != nil && c.Context.Err() != nil {
		err = deploy.ErrInterrupted // what was asked of machines then is no fault of theirs
	}
	if err != nil {
		res = refused(err)
		if x.json {
			tellFaults(screen, err)
		} else {
			screen.Close()
			x.complain(err)
			x.result = &res
			return nil
		}
	}
	res.ElapsedMS = time.Since(began).Milliseconds()
	screen.Result(res)
	x.result = &res
	return nil
}

// tellFaults tells what a result has no room for: each of several faults, and what
// was seen of one.
func tellFaults(screen *ui.UI, err error) {
	all := parts(flat(err))
	for _, one := range all {
		if e := errorEvent(one); len(all) > 1 || len(e.Evidence) > 0 {
			screen.Event(e)
		}
	}
}

// errorEvent carries what a result has no room for: the evidence.
func errorEvent(err error) deploy.Event {
	e := deploy.Event{Kind: deploy.KindError, Time: time.Now(), Code: deploy.CodeOf(err), Hint: deploy.HintOf(err), Detail: err.Error()}
	var ev interface{ Evidence() []string }
	if errors.As(err, &ev) {
		e.Evidence = ev.Evidence()
	}
	return e
}

func (o rolloutOptions) run(ctx context.Context, inv *inventory.Inventory, screen *ui.UI, env Env) (deploy.Result, error) {
	screen.Fleet(inv.App.Name, hostNames(inv)...)
	s, err := open(inv, screen, env)
	if err != nil {
		return deploy.Result{}, err
	}
	defer s.close()
	if s.limit, err = limitOf(o.limitRate); err != nil {
		return deploy.Result{}, err
	}
	if s.asks, err = probeURL(o.probe); err != nil {
		return deploy.Result{}, err
	}
	return o.on(ctx, s)
}

// back checks how far to go back, before any machine is asked.
func (o rolloutOptions) back() error {
	if _, err := limitOf(o.limitRate); err != nil {
		return err
	}
	if _, err := probeURL(o.probe); err != nil {
		return err
	}
	switch {
	case o.lockWait < 0:
		return usage("--lock-wait: %s is less than nothing", o.lockWait)
	case o.skip < 0:
		return usage("--skip-unreachable: %d is less than nothing", o.skip)
	case o.downtime && (o.minServing != "" || o.parallel != ""):
		return usage("--allow-downtime is one host at a time and no floor: leave --parallel and --min-serving out")
	case !slices.Contains([]string{"", "refuse", "resume", "rollback"}, o.unfinished):
		return usage("--unfinished: %q is not one of refuse, resume, rollback", o.unfinished)
	case o.mode != deploy.ModeRollback:
		return nil
	case o.steps < 1:
		return usage("-n: at least 1, not %d", o.steps)
	case o.to == "":
		return nil
	case o.steps > 1:
		return usage("-n and --to: give one of them")
	}
	if err := inventory.CheckRevision(o.to); err != nil {
		return usage("--to: %s", err)
	}
	return nil
}

// resolve lays the flags over the inventory, those of a plan that is to be carried out
// among them.
func (o *rolloutOptions) resolve(inv *inventory.Inventory) error {
	if err := o.follow(inv); err != nil {
		return err
	}
	if err := o.override(inv); err != nil {
		return err
	}
	return o.sameSettings(inv)
}

// override lays the flags over the inventory's numbers and checks them together.
func (o rolloutOptions) override(inv *inventory.Inventory) error {
	if err := o.back(); err != nil {
		return err
	}
	r := &inv.Rollout
	for _, f := range []struct {
		flag, value string
		to          *inventory.Amount
	}{{"--parallel", o.parallel, &r.Parallel}, {"--canary", o.canary, &r.Canary}, {"--min-serving", o.minServing, &r.MinServing}, {"--max-failures", o.maxFail, &r.MaxFailures}} {
		if f.value == "" {
			continue
		}
		a, err := inventory.ParseAmount(f.value)
		if err != nil {
			return usage("%s: %s", f.flag, err)
		}
		*f.to = a
	}
	if o.artifact != "" {
		file, err := artifactOf(o.artifact, inv.App)
		if err != nil {
			return err
		}
		inv.App.Artifact = file
	}
	if o.revision != "" {
		if err := inventory.CheckRevision(o.revision); err != nil {
			return usage("--revision: %s", err)
		}
	}
	if o.bake != "" {
		d, err := time.ParseDuration(o.bake)
		if err != nil || d < 0 {
			return usage("--bake: %q is not a duration like 5s", o.bake)
		}
		r.Bake = d
	}
	switch o.onFailure {
	case "":
	case "rollback", "pause", "continue":
		r.OnFailure = o.onFailure
	default:
		return usage("--on-failure: %q is not one of rollback, pause, continue", o.onFailure)
	}
	if r.Parallel.N == 0 {
		return usage("--parallel: at least 1")
	}
	return inv.Recheck()
}
