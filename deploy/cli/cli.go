// Package cli is the command line: it wires inventory, hosts, balancers and
// screen together, and maps how a run ended to exit codes.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
	ucli "github.com/urfave/cli/v2"
)

// Env is what a command line is run with.
type Env struct {
	Args           []string
	Stdin          *os.File // nil: the program's own
	Stdout, Stderr *os.File
	Getenv         func(string) string
}

// Main runs one command line and returns its exit code. Nothing below it exits.
func Main(ctx context.Context, env Env) int {
	if slices.Contains(env.Args, "--generate-bash-completion") {
		return 0 // a TAB must never reach an action (urfave/cli#1993)
	}
	if code, asked := applies(env); asked {
		return code
	}
	x := &program{env: env, json: wantsJSON(env)}
	app := x.app()
	argv, err := normalise(env.Args, app.Commands)
	if err == nil {
		err = said(app.RunContext(ctx, argv))
	}
	return x.exit(err)
}

// wantsJSON is --json as it stands on a command line that may turn out to be
// wrong: the result is promised then, too.
func wantsJSON(env Env) bool {
	word := env.Getenv("FLIPDEPLOY_JSON")
	for _, arg := range env.Args {
		if arg == "--" {
			break
		}
		if name, value, given := strings.Cut(arg, "="); name == "--json" || name == "-json" {
			word = "true"
			if given {
				word = value
			}
		}
	}
	yes, err := strconv.ParseBool(word)
	return word != "" && (yes || err != nil)
}

// said turns what the library found wrong by itself into a usage error: actions
// tell theirs as a result.
func said(err error) error {
	var own ucli.ExitCoder
	if errors.As(err, &own) && deploy.CodeOf(err) == "FD-INTERNAL" {
		text, _, _ := strings.Cut(err.Error(), ". Did you mean")
		return usage("%s", inOurWords(text, nil, nil))
	}
	return err
}

// A program is one command line being run.
type program struct {
	env    Env
	json   bool
	result *deploy.Result // said already
}

func (x *program) app() *ucli.App {
	app := &ucli.App{
		Name: "flipdeploy", Usage: "replace the release on a fleet behind nginx or HAProxy, and clients do not notice",
		Version: version(), HideVersion: true, Suggest: true,
		Writer: x.helpTo(), ErrWriter: x.env.Stderr,
		ExitErrHandler: func(*ucli.Context, error) {}, // only main exits
		OnUsageError:   wrongUsage,
		Flags:          append(commonFlags(), &ucli.BoolFlag{Name: "version", Usage: "print the version", Hidden: true}),
		Commands: []*ucli.Command{
			x.initCommand(), x.doctorCommand(), x.planCommand(), x.withDryRun(x.rolloutCommand(), deploy.ModeRollout), x.withDryRun(x.rollbackCommand(), deploy.ModeRollback),
			x.resumeCommand(), x.abandonCommand(),
			x.restartCommand(), x.pauseCommand(), x.statusCommand(), x.historyCommand(), x.showCommand(), x.reportCommand(),
			x.drainCommand(), x.readyCommand(), x.lockCommand(), x.unlockCommand(), x.moveCommand(), x.trustCommand(),
			x.explainCommand(), x.completionCommand(), x.manCommand(), x.versionCommand(),
		},
	}
	app.Action = func(c *ucli.Context) error {
		switch {
		case c.Bool("version"):
			return x.printVersion(c)
		case c.NArg() == 0 && c.Bool("json"):
			return usage("no command; there are %s", commandNames(app.Commands))
		case c.NArg() == 0:
			return ucli.ShowAppHelp(c)
		}
		return unknownCommand(c.Args().First(), app.Commands)
	}
	terse(app.Flags)
	for _, c := range app.Commands {
		c.Flags = append(c.Flags, commonFlags()...)
		terse(c.Flags)
		c.OnUsageError = wrongUsage
		c.Before = noEmptyArguments
		if c.ArgsUsage == "" {
			c.Before = noArguments
		}
	}
	return app
}

// terse leaves out of the help that what is not asked for is not done.
func terse(flags []ucli.Flag) {
	for _, f := range flags {
		if yes, is := f.(*ucli.BoolFlag); is {
			yes.DisableDefaultText = true
		}
	}
}

// helpTo is where help is read: with --json stdout is for the result alone.
func (x *program) helpTo() *os.File {
	if x.json {
		return x.env.Stderr
	}
	return x.env.Stdout
}

func wrongUsage(c *ucli.Context, err error, _ bool) error {
	return usage("%s", inOurWords(err.Error(), c.Command, c.App.Commands))
}

func unknownCommand(name string, commands []*ucli.Command) error {
	if meant := inventory.Nearest(name, strings.Split(commandNames(commands), ", ")); meant != "" {
		return usage("unknown command %q: did you mean %q?", name, meant)
	}
	return usage("unknown command %q; there are %s", name, commandNames(commands))
}

func commandNames(commands []*ucli.Command) string {
	var names []string
	for _, c := range commands {
		if c.Name != "help" { // the library's own, which comes and goes
			names = append(names, c.Name)
		}
	}
	return strings.Join(names, ", ")
}

func commonFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.StringFlag{Name: "inventory", Aliases: []string{"i"}, Value: "inventory.toml", TakesFile: true, Usage: "the fleet, as TOML: `FILE`", EnvVars: twin("inventory")},
		&ucli.BoolFlag{Name: "json", Usage: "events as NDJSON on stdout, the result last", EnvVars: twin("json")},
		&ucli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "only errors and the result", EnvVars: twin("quiet")},
		&ucli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "what the balancers are waited for, too", EnvVars: twin("verbose")},
		&ucli.BoolFlag{Name: "no-color", Usage: "no colours", EnvVars: twin("no-color")},
	}
}

// twin is the environment variable that stands in for a flag.
func twin(flag string) []string {
	return []string{"FLIPDEPLOY_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))}
}

func (x *program) versionCommand() *ucli.Command {
	return &ucli.Command{Name: "version", Usage: "print the version", Action: x.printVersion}
}

func (x *program) printVersion(c *ucli.Context) error {
	if !c.Bool("json") {
		_, err := fmt.Fprintln(x.env.Stdout, "flipdeploy", version())
		return err
	}
	x.result = &deploy.Result{Outcome: deploy.OutcomeDone}
	return json.NewEncoder(x.env.Stdout).Encode(map[string]any{"kind": deploy.KindResult, "outcome": deploy.OutcomeDone, "exit": 0, "version": version()})
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// screen is the user interface as the flags want it.
func (x *program) screen(c *ucli.Context) *ui.UI {
	o := ui.Detect(x.env.Stdout, x.env.Stderr, x.env.Getenv)
	o.JSON, o.Quiet = c.Bool("json"), c.Bool("quiet")
	x.json = o.JSON
	if c.Bool("verbose") {
		o.Verbose = 1
	}
	o.Color = o.Color && !c.Bool("no-color")
	o.Live = o.Live && !o.JSON && !o.Quiet
	return ui.New(o)
}

// exit is the code of what an action returned. An error that no result told of
// yet is told here, as a result too.
func (x *program) exit(err error) int {
	if x.result != nil {
		return x.result.Exit
	}
	res := deploy.Result{Kind: deploy.KindResult, Time: time.Now(), Outcome: deploy.OutcomeNothing, Hosts: map[string]deploy.HostResult{}} // help
	switch {
	case err != nil:
		res = refused(err)
	case !x.json:
		return 0
	}
	screen := ui.New(ui.Options{Out: x.env.Stdout, Err: x.env.Stderr, JSON: x.json})
	defer screen.Close()
	if !x.json {
		x.complain(err)
		return res.Exit
	}
	screen.Result(res)
	return res.Exit
}

// complain tells what went wrong to who reads stderr, and to a CI system beside the run.
func (x *program) complain(err error) {
	ui.PrintError(x.env.Stderr, err)
	ui.Annotate(x.env.Stderr, x.env.Getenv, err)
}

// refused is the result of a run that failed before anything was changed.
func refused(err error) deploy.Result {
	res := deploy.Result{Kind: deploy.KindResult, Time: time.Now(), Outcome: deploy.OutcomeRefused, Exit: 1,
		Code: deploy.CodeOf(err), Error: err.Error(), Hint: deploy.HintOf(err), Hosts: map[string]deploy.HostResult{}}
	switch res.Code {
	case "FD-USAGE", "FD-INVENTORY", "FD-INIT-FILE", "FD-INIT-UPSTREAM", "FD-PLAN-FILE":
		res.Exit = 2
	case "FD-LOCKED", "FD-FROZEN":
		res.Outcome, res.Exit = deploy.OutcomeLocked, 5
	case "FD-UNFINISHED":
		res.Outcome, res.Exit = deploy.OutcomeUnfinished, 6
	}
	if errors.Is(err, deploy.ErrInterrupted) || errors.Is(err, context.Canceled) {
		res.Outcome, res.Exit = deploy.OutcomeInterrupted, 130
	}
	return res
}
