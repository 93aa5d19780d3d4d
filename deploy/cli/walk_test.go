package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	ucli "github.com/urfave/cli/v2"
)

// commands are all that there are, so that no new one can be forgotten here.
func commands(t *testing.T) []*ucli.Command {
	t.Helper()
	app, _ := harmless(t)
	if len(app.Commands) < 3 {
		t.Fatalf("only %d commands", len(app.Commands))
	}
	return app.Commands
}

func eachFlag(t *testing.T, do func(t *testing.T, c *ucli.Command, f ucli.Flag)) {
	for _, c := range commands(t) {
		for _, f := range c.Flags {
			t.Run(c.Name+"/"+f.Names()[0], func(t *testing.T) { do(t, c, f) })
		}
	}
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	eachFlag(t, func(t *testing.T, c *ucli.Command, f ucli.Flag) {
		value, reads := sample(t, f)
		for _, name := range names(f) {
			forms := [][]string{{name}}
			if value != "" {
				forms = [][]string{{name, value}, {name + "=" + value}}
			}
			for _, words := range forms {
				wantFlag(t, f, reads, slices.Concat([]string{c.Name}, words, arguments(c)))
				wantFlag(t, f, reads, slices.Concat(words, []string{c.Name}, arguments(c)))
				wantFlag(t, f, reads, slices.Concat([]string{c.Name}, arguments(c), words))
			}
		}
	})
}

// arguments are some that the command takes.
func arguments(c *ucli.Command) []string {
	if c.ArgsUsage == "" {
		return nil
	}
	return []string{"x"}
}

func wantFlag(t *testing.T, f ucli.Flag, reads string, words []string) {
	t.Helper()
	got, err := parse(t, words...)
	if err != nil || got == nil {
		t.Errorf("%q: action not reached: %v", words, err)
		return
	}
	for _, name := range f.Names() {
		if is := fmt.Sprint(got.context.Value(name)); is != reads {
			t.Errorf("%q: %s reads %q, want %q", words, name, is, reads)
		}
	}
}

func TestEveryFlagHasAnEnvTwin(t *testing.T) {
	eachFlag(t, func(t *testing.T, c *ucli.Command, f ucli.Flag) {
		name := f.Names()[0]
		twin := "FLIPDEPLOY_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		value, reads := sample(t, f)
		if value == "" {
			value = "true"
		}
		t.Setenv(twin, value)
		wantFlag(t, f, reads, append([]string{c.Name}, arguments(c)...))
		documented, ok := f.(ucli.DocGenerationFlag)
		if !ok || len(documented.GetEnvVars()) != 1 || documented.GetEnvVars()[0] != twin {
			t.Errorf("help of %s does not name %s alone", name, twin)
		}
	})
}

func TestTheFlagWinsOverItsTwin(t *testing.T) {
	t.Setenv("FLIPDEPLOY_INVENTORY", "twin.toml")
	t.Setenv("FLIPDEPLOY_JSON", "true")
	got, err := parse(t, "rollout", "-i", "flag.toml", "--json=false")
	if err != nil {
		t.Fatal(err)
	}
	if got.context.String("inventory") != "flag.toml" || got.context.Bool("json") {
		t.Errorf("inventory %q, json %v", got.context.String("inventory"), got.context.Bool("json"))
	}
}

func TestNoFlagTakesAnotherForItsValue(t *testing.T) {
	eachFlag(t, func(t *testing.T, c *ucli.Command, f ucli.Flag) {
		if value, _ := sample(t, f); value == "" {
			return
		}
		for _, name := range names(f) {
			wantUsage(t, name+" needs a value", c.Name, name)
			wantUsage(t, name+" needs a value", name)
			for _, g := range c.Flags {
				for _, other := range names(g) {
					text := fmt.Sprintf("%s needs a value, and %s looks like a flag; write %s=%s when it is meant", name, other, name, other)
					wantUsage(t, text, c.Name, name, other)
					wantUsage(t, text, name, other, c.Name)
				}
			}
		}
	})
}

// A flag that is bool here and takes a value there could not be told apart before
// the command is known.
func TestAFlagIsOfOneKindEverywhere(t *testing.T) {
	kinds := map[string]string{}
	for _, c := range commands(t) {
		for _, f := range c.Flags {
			for _, n := range f.Names() {
				kind := fmt.Sprintf("%T", f)
				if kinds[n] != "" && kinds[n] != kind {
					t.Errorf("%s: %s is a %s, elsewhere a %s", c.Name, n, kind, kinds[n])
				}
				kinds[n] = kind
			}
		}
	}
}

func TestLeftoverArgumentsAreRefused(t *testing.T) {
	for _, c := range commands(t) {
		for _, arg := range []string{"x", "-", "", c.Name, "--json", "-h", "--generate-bash-completion", "--"} {
			text := fmt.Sprintf("%s takes no arguments, and got %q", c.Name, arg)
			switch {
			case c.ArgsUsage == "":
			case arg == "":
				text = c.Name + " got an empty argument: is a variable of the shell not set?"
			case arg[0] == '-':
				text = fmt.Sprintf("%s: %q is no argument: it begins with -", c.Name, arg)
			default:
				continue
			}
			for _, before := range [][]string{{}, arguments(c)} {
				wantUsage(t, text, slices.Concat([]string{c.Name, "--"}, before, []string{arg})...)
				wantUsage(t, text, slices.Concat([]string{"-q", c.Name, "--json", "--"}, before, []string{arg})...)
			}
			if arg != "" && arg != "-" && arg[0] == '-' {
				continue // without -- it is a flag
			}
			wantUsage(t, text, c.Name, arg)
			wantUsage(t, text, c.Name, "--json", arg, "-q")
			wantUsage(t, text, "--no-color", c.Name, arg)
		}
	}
}

// A command that takes arguments wants one, and one that takes one no second.
func TestArgumentsAreCounted(t *testing.T) {
	for _, c := range commands(t) {
		lines := [][]string{{c.Name}, {c.Name, "--json"}}
		switch {
		case c.ArgsUsage == "" || strings.HasPrefix(c.ArgsUsage, "["): // none, or optional
			continue
		case !strings.Contains(c.ArgsUsage, "…"):
			lines = append(lines, []string{c.Name, "x", "y"}, []string{c.Name, "x", "--json", "y"})
		}
		for _, words := range lines {
			if got := flipdeploy(t, words...); got.code != 2 || !strings.Contains(got.stderr, " [FD-USAGE]\nflipdeploy: hint: ") {
				t.Errorf("%q: %+v", words, got)
			}
		}
	}
}

// wantUsage: the words are refused as a usage error that says text, and no action
// is reached.
func wantUsage(t *testing.T, text string, words ...string) {
	t.Helper()
	got, err := parse(t, words...)
	var u *usageError
	switch {
	case got != nil:
		t.Errorf("%q: %s was carried out", words, got.command)
	case !errors.As(err, &u):
		t.Errorf("%q: %v is no usage error", words, err)
	case u.Error() != text:
		t.Errorf("%q: says\n%s\nwant\n%s", words, u, text)
	}
}

// leftover is an argument that the command does not take, an empty one where it takes others.
func leftover(c *ucli.Command) string {
	if c.ArgsUsage != "" {
		return ""
	}
	return "x"
}

// What an action does is not stopped here: the command line must not reach it.
func TestUsageErrorsEndWithTwo(t *testing.T) {
	for _, c := range commands(t) {
		for _, words := range [][]string{
			{c.Name, "--nope"}, {c.Name, "--nope=1"}, {"--nope", c.Name}, {c.Name, leftover(c)}, {c.Name, "-i"},
			{c.Name, "--quiet=perhaps"}, {c.Name, "--help", "x"}, {c.Name, "-i", ""}, {c.Name, "-i="}, {"help", c.Name, "x"},
			{"help", c.Name + "x"}, {"help", "--nope"}, {"--", "--json"}, {c.Name + "x"}, {c.Name, "---"},
		} {
			got := flipdeploy(t, words...)
			if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, " [FD-USAGE]\nflipdeploy: hint: ") {
				t.Errorf("%q: code %d\nstdout: %s\nstderr: %s", words, got.code, got.stdout, got.stderr)
			}
		}
	}
}

func TestHelpReachesNoAction(t *testing.T) {
	for _, c := range commands(t) {
		for _, words := range [][]string{{c.Name, "--help"}, {c.Name, "-h"}, {"--help", c.Name}, {"help", c.Name}, {"h", "-q", c.Name}} {
			if got, err := parse(t, words...); got != nil || err != nil {
				t.Errorf("%q: %v, %v", words, got, err)
			}
			got := flipdeploy(t, words...)
			if got.code != 0 || got.stderr != "" || !strings.HasPrefix(got.stdout, "NAME:\n   flipdeploy "+c.Name+" - "+c.Usage+"\n") {
				t.Errorf("%q: code %d\n%s%s", words, got.code, got.stdout, got.stderr)
			}
			text := got.stdout
			got = flipdeploy(t, append(words, "--json")...)
			if res := wantResult(t, words, got); res.Outcome != deploy.OutcomeNothing || got.code != 0 || got.stderr != text {
				t.Errorf("%q --json: code %d\n%s%s", words, got.code, got.stdout, got.stderr)
			}
		}
	}
}

func TestCompletionReachesNoAction(t *testing.T) {
	for _, c := range commands(t) {
		for _, words := range [][]string{
			{c.Name, "--generate-bash-completion"}, {c.Name, "--", "--generate-bash-completion"},
			{"--generate-bash-completion", c.Name}, {c.Name, "-i", "--generate-bash-completion"},
		} {
			if got := flipdeploy(t, words...); got != (ending{}) {
				t.Errorf("%q: %+v", words, got)
			}
		}
	}
}

// A name that comes from outside can neither paint a terminal nor give a CI system
// a command.
func TestForeignBytesAreMadeHarmless(t *testing.T) {
	for _, words := range [][]string{
		{"rollout", "-i", "\x1b[31m\n::error::x"}, {"rollout", "\x1b[31m\n::error::x"}, {"\x1b[31m\n::error::x"},
		{"rollout", "--\x1b[31m\n::error::x"}, {"rollout", "--lock-wait", "\x1b[31m\n::error::x"},
	} {
		for _, words := range [][]string{words, append(words, "--json")} {
			got := flipdeploy(t, words...)
			both := got.stdout + got.stderr
			if got.code != 2 || strings.ContainsRune(both, '\x1b') || strings.Contains(both, "\n::") {
				t.Errorf("%q: code %d\n%q", words, got.code, both)
			}
		}
	}
}

func TestMain(m *testing.M) {
	for _, pair := range os.Environ() { // a twin set outside would change what a test sees
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "FLIPDEPLOY_") && name != "FLIPDEPLOY_NEED" {
			_ = os.Unsetenv(name)
		}
	}
	for _, name := range []string{"GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITLAB_CI"} { // these tests may run there themselves
		_ = os.Unsetenv(name)
	}
	os.Exit(m.Run())
}

// Every flag of a rollout and of a rollback reaches what they are run with.
func TestFlagsReachTheOptions(t *testing.T) {
	got, err := parse(t, "rollout", "-i", "i", "--artifact", "a", "--revision", "r", "--parallel", "2", "--canary", "1",
		"--min-serving", "50%", "--on-failure", "pause", "--bake", "5s", "--lock-wait", "1m", "--no-undo")
	if err != nil {
		t.Fatal(err)
	}
	want := rolloutOptions{mode: deploy.ModeRollout, inventory: "i", artifact: "a", revision: "r", parallel: "2", canary: "1",
		minServing: "50%", onFailure: "pause", bake: "5s", lockWait: time.Minute, noUndo: true}
	if is := optionsOf(got.context, deploy.ModeRollout); is != want {
		t.Errorf("rollout: %+v\nwant %+v", is, want)
	}
	got, err = parse(t, "rollback", "--inventory", "i", "--artifact", "a", "--parallel", "2", "--min-serving", "50%",
		"--bake", "5s", "--lock-wait", "1m", "-n", "3", "--to", "v1")
	if err != nil {
		t.Fatal(err)
	}
	want = rolloutOptions{mode: deploy.ModeRollback, inventory: "i", artifact: "a", parallel: "2", minServing: "50%",
		bake: "5s", lockWait: time.Minute, steps: 3, to: "v1"}
	if is := optionsOf(got.context, deploy.ModeRollback); is != want {
		t.Errorf("rollback: %+v\nwant %+v", is, want)
	}
}
