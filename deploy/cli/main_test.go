package cli

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ucli "github.com/urfave/cli/v2"
)

// An ending is how a command line ended, and what it said.
type ending struct {
	code           int
	stdout, stderr string
}

// flipdeploy runs a command line in this process.
func flipdeploy(t *testing.T, args ...string) ending {
	t.Helper()
	out, errs := file(t, "stdout"), file(t, "stderr")
	defer out.Close()
	defer errs.Close()
	env := Env{Args: append([]string{"flipdeploy"}, args...), Stdout: out, Stderr: errs, Getenv: os.Getenv}
	code := Main(context.Background(), env)
	return ending{code: code, stdout: read(t, out.Name()), stderr: read(t, errs.Name())}
}

func file(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A parsed command line is one whose action was reached.
type parsed struct {
	command string
	context *ucli.Context
}

// parse is Main up to the action, which is not carried out. nil, nil means that the
// command line asked for help.
func parse(t *testing.T, words ...string) (*parsed, error) {
	t.Helper()
	app, got := harmless(t)
	argv, err := normalise(append([]string{"flipdeploy"}, words...), app.Commands)
	if err != nil {
		return nil, err
	}
	err = app.RunContext(context.Background(), argv)
	if got.command == "" {
		return nil, err
	}
	return got, err
}

// harmless is the app with all actions replaced by one that takes a note.
func harmless(t *testing.T) (*ucli.App, *parsed) {
	t.Helper()
	null := file(t, "null")
	t.Cleanup(func() { null.Close() })
	app := (&program{env: Env{Stdout: null, Stderr: null, Getenv: os.Getenv}}).app()
	got := &parsed{}
	for _, c := range app.Commands {
		c.Action = func(ctx *ucli.Context) error {
			*got = parsed{command: ctx.Command.Name, context: ctx}
			return nil
		}
	}
	return app, got
}

// names are a flag's, as they are written.
func names(f ucli.Flag) []string {
	var all []string
	for _, n := range f.Names() {
		all = append(all, strings.Repeat("-", min(2, len(n)))+n)
	}
	return all
}

// sample is a value for a flag, and how the flag then reads.
func sample(t *testing.T, f ucli.Flag) (value, reads string) {
	t.Helper()
	switch f.(type) {
	case *ucli.BoolFlag:
		return "", "true"
	case *ucli.StringFlag:
		return "some text", "some text"
	case *ucli.IntFlag:
		return "7", "7"
	case *ucli.DurationFlag:
		return "90s", "1m30s"
	}
	t.Fatalf("%T: normalise takes every flag but a bool for one with a value; is that so for this one?", f)
	return "", ""
}
