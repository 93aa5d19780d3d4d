package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
	ucli "github.com/urfave/cli/v2"
)

// written are the lines of text.
func written(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// wantResult: stdout is NDJSON, a result is the last line and no other, and it says
// what the exit code says.
func wantResult(t *testing.T, words []string, got ending) deploy.Result {
	t.Helper()
	var res deploy.Result
	all := written(got.stdout)
	for i, line := range all {
		var head struct {
			Kind deploy.Kind `json:"kind"`
		}
		if err := json.Unmarshal([]byte(line), &head); err != nil {
			t.Errorf("%q: stdout has a line that is not JSON: %s", words, line)
		}
		if last := i == len(all)-1; last != (head.Kind == deploy.KindResult) {
			t.Errorf("%q: line %d of %d is of the kind %q", words, i+1, len(all), head.Kind)
		}
	}
	if len(all) == 0 {
		t.Errorf("%q: no result", words)
	} else if err := json.Unmarshal([]byte(all[len(all)-1]), &res); err != nil {
		t.Errorf("%q: %v", words, err)
	}
	if res.Exit != got.code || res.Exit != res.Outcome.Exit() && res.Exit != 2 {
		t.Errorf("%q: the result says %s and %d, the exit code is %d", words, res.Outcome, res.Exit, got.code)
	}
	return res
}

// Whatever is wrong, wherever --json stands.
func TestAResultIsLastInEveryCase(t *testing.T) {
	for _, c := range commands(t) {
		for _, wrong := range [][]string{
			{"--nope"}, {"--nope=1"}, {"-i"}, {"-i", ""}, {"--quiet=perhaps"}, {"--", "-x"}, {""}, {"---"}, {"--help", "x"}, {"-i", "a", "--inventory", "b"},
		} {
			line := append([]string{c.Name}, wrong...)
			wantRefusal(t, slices.Concat([]string{"--json"}, line))
			wantRefusal(t, slices.Concat([]string{c.Name, "--json=true"}, wrong))
			t.Setenv("FLIPDEPLOY_JSON", "1")
			wantRefusal(t, line)
			t.Setenv("FLIPDEPLOY_JSON", "")
		}
		wantRefusal(t, []string{c.Name + "x", "--json"})
	}
	for _, words := range [][]string{{"--json"}, {"--json", "nope"}, {"help", "nope", "--json"}, {"--json", "--nope"}, {"--json", "--", "--json"}, {"--json", ""}} {
		wantRefusal(t, words)
	}
}

func wantRefusal(t *testing.T, words []string) {
	t.Helper()
	got := flipdeploy(t, words...)
	if res := wantResult(t, words, got); res.Outcome != deploy.OutcomeRefused || res.Exit != 2 || res.Code != "FD-USAGE" || res.Hint == "" || res.Error == "" {
		t.Errorf("%q: %+v", words, res)
	}
	if !strings.HasPrefix(got.stderr, "flipdeploy: ") {
		t.Errorf("%q: a person is told %q", words, got.stderr)
	}
}

// Without a program to read it, stdout is for answers: what went wrong is not one.
func TestWhatGoesWrongIsToldOnStderr(t *testing.T) {
	for _, c := range commands(t) {
		if !readsInventory(c) {
			continue
		}
		words := append([]string{c.Name, "-i", "nowhere.toml"}, needed(c)...)
		got := flipdeploy(t, words...)
		want := "flipdeploy: nowhere.toml: cannot be opened: no such file or directory [FD-INVENTORY]\nflipdeploy: hint: name the file with -i FILE\n"
		if got != (ending{2, "", want}) {
			t.Errorf("%q: %+v", words, got)
		}
		got = flipdeploy(t, append(words, "--json")...)
		if res := wantResult(t, words, got); res.Code != "FD-INVENTORY" || got.stderr != want {
			t.Errorf("%q: %s, stderr %s", words, res.Code, got.stderr)
		}
	}
}

// readsInventory: all do but those that say of themselves.
func readsInventory(c *ucli.Command) bool {
	return !slices.Contains([]string{"version", "init", "explain", "completion", "man"}, c.Name)
}

// needed are the words that a command cannot do without.
func needed(c *ucli.Command) []string {
	words := map[string][]string{"lock": {"--reason", "why"}, "report": {"-o", "report.html"}, "abandon": {"--yes"}, "move": {"etcd"}}[c.Name]
	if words != nil && c.Name == "move" {
		return words
	}
	if strings.HasPrefix(c.ArgsUsage, "HOST") {
		return append(words, "web1")
	}
	return append(words, arguments(c)...)
}

// A fleet that nobody can reach: every command says so on stderr and in its result.
// status answers all the same, with one object, which is what it is asked for.
func TestAFleetThatIsNotThere(t *testing.T) {
	dir := fleetOf(t, absent)
	for _, c := range commands(t) {
		if !readsInventory(c) {
			continue
		}
		words := slices.Concat([]string{c.Name, "-i", filepath.Join(dir, "inventory.toml")}, needed(c))
		person, program := flipdeploy(t, words...), flipdeploy(t, append(words, "--json")...)
		switch c.Name {
		case "status":
			wantOneObject(t, program)
			continue
		case "doctor": // what it finds is its result: see TestDoctorOfAFleetThatIsNotThere
			continue
		}
		if person.code != 1 || person.stdout != "" || !strings.HasPrefix(person.stderr, "flipdeploy: edge1: ") || !strings.Contains(person.stderr, "\nflipdeploy: hint: ") {
			t.Errorf("%q: %+v", words, person)
		}
		if res := wantResult(t, words, program); res.Exit != 1 || res.Code != "FD-SSH-KEY" && res.Code != "FD-SSH-REFUSED" {
			t.Errorf("%q: %+v", words, res)
		}
	}
}

const absent = `
[app]
name = "shop"
artifact = "shop"
path = "/srv/shop"
port = 8080
[reload]
preset = "tableflip"
unit = "shop.service"
[ssh]
user = "deploy"
identity_file = "none"
known_hosts = "known_hosts"
[[lb]]
name = "edge1"
kind = "haproxy"
address = "127.0.0.1"
ssh_port = 1
upstream = "shop"
[[host]]
name = "web1"
address = "127.0.0.2"
ssh_port = 1
`

func wantOneObject(t *testing.T, got ending) {
	t.Helper()
	var object map[string]any
	if all := written(got.stdout); len(all) != 1 || json.Unmarshal([]byte(all[0]), &object) != nil || object["app"] != "shop" || object["kind"] != nil {
		t.Errorf("status --json: %+v", got)
	}
}

// version --json is a result, too.
func TestVersionIsAResult(t *testing.T) {
	for _, words := range [][]string{{"version", "--json"}, {"--version", "--json"}, {"--json", "version"}} {
		if res := wantResult(t, words, flipdeploy(t, words...)); res.Outcome != deploy.OutcomeDone {
			t.Errorf("%q: %+v", words, res)
		}
	}
}

// Only main ends the program: an error of an action that carries an exit code would
// have the library do it, past every defer that gives a host back.
func TestNoErrorOfAnActionEndsTheProgram(t *testing.T) {
	was := ucli.OsExiter
	defer func() { ucli.OsExiter = was }()
	ucli.OsExiter = func(code int) { t.Errorf("the library ends the program with %d", code) }
	for i, c := range commands(t) {
		app, _ := harmless(t)
		app.Commands[i].Action = func(*ucli.Context) error { return ucli.Exit("over", 99) }
		argv, err := normalise(append([]string{"flipdeploy", c.Name}, arguments(c)...), app.Commands)
		if err != nil {
			t.Fatal(err)
		}
		if err := app.RunContext(context.Background(), argv); err == nil || err.Error() != "over" {
			t.Errorf("%s: the error came back as %v", c.Name, err)
		}
	}
}

// Who asks for help gets an answer: every command and every flag has a line of it,
// written alike.
func TestEveryFlagHasHelp(t *testing.T) {
	for _, c := range commands(t) {
		wantHelp(t, c.Name, c.Usage)
		for _, f := range c.Flags {
			usage := f.(ucli.DocGenerationFlag).GetUsage()
			wantHelp(t, c.Name+" --"+f.Names()[0], usage)
			if value, _ := sample(t, f); value != "" && !strings.Contains(usage, "`") && !slices.Contains([]string{"inventory"}, f.Names()[0]) {
				t.Errorf("%s --%s: the help does not name the value: %q", c.Name, f.Names()[0], usage)
			}
		}
	}
}

func wantHelp(t *testing.T, what, usage string) {
	t.Helper()
	if len(usage) < 8 || strings.HasSuffix(usage, ".") || strings.TrimSpace(usage) != usage || strings.ToLower(usage[:1]) != usage[:1] {
		t.Errorf("%s: the help is %q", what, usage)
	}
}

// The words of every command are written down in a script.
func TestEveryCommandHasItsWordsInAScript(t *testing.T) {
	var all strings.Builder
	err := filepath.WalkDir(filepath.Join(root, "testdata", "script"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".txtar") {
			all.WriteString(read(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commands(t) {
		if !strings.Contains(all.String(), "flipdeploy "+c.Name+" --help\n") {
			t.Errorf(`no script has "flipdeploy %s --help"`, c.Name)
		}
	}
}

// What is meant is said for flags, too, and in our words.
func TestUsageErrorsAreInOurWords(t *testing.T) {
	for _, c := range commands(t) {
		for _, f := range c.Flags {
			name := names(f)[0]
			want := fmt.Sprintf("%s: %q is not %s", name, "?", wanted(f.Names()[0], c))
			switch f.(type) {
			case *ucli.StringFlag:
				continue
			default:
				wantUsage(t, want, append([]string{c.Name, name + "=?"}, arguments(c)...)...)
			}
			twin := f.(ucli.DocGenerationFlag).GetEnvVars()[0]
			t.Setenv(twin, "?")
			wantUsage(t, strings.Replace(want, name, twin, 1), append([]string{c.Name}, arguments(c)...)...)
			os.Unsetenv(twin)
		}
		for _, f := range c.Flags {
			if n := f.Names()[0]; len(n) > 3 {
				wantUsage(t, fmt.Sprintf("unknown flag --%sx: did you mean --%s?", n, n), append([]string{c.Name, "--" + n + "x"}, arguments(c)...)...)
			}
			if all := names(f); len(all) > 1 {
				wantUsage(t, fmt.Sprintf("%s and %s are the same flag: give one of them", all[1], all[0]),
					append([]string{c.Name, all[0] + "=1", all[1] + "=1"}, arguments(c)...)...)
			}
		}
	}
}

// A command that is interrupted says so, and its result does.
func TestAnInterruptedCommandSaysSo(t *testing.T) {
	dir := fleetOf(t, absent)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range commands(t) {
		if !readsInventory(c) || c.Name == "status" { // which shows what it could read
			continue
		}
		for _, json := range []string{"--json=false", "--json"} {
			out, errs := file(t, "stdout"), file(t, "stderr")
			words := slices.Concat([]string{"flipdeploy", c.Name, json, "-i", filepath.Join(dir, "inventory.toml")}, needed(c))
			code := Main(ctx, Env{Args: words, Stdout: out, Stderr: errs, Getenv: os.Getenv})
			got := ending{code, read(t, out.Name()), read(t, errs.Name())}
			if got.code != 130 || got.stderr != "flipdeploy: interrupted [FD-INTERRUPTED]\nflipdeploy: hint: run it again when you are ready\n" {
				t.Errorf("%q: %+v", words, got)
			}
			if json == "--json" {
				if res := wantResult(t, words, got); res.Outcome != deploy.OutcomeInterrupted {
					t.Errorf("%q: %+v", words, res)
				}
			}
		}
	}
}
