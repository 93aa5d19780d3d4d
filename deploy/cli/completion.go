package cli

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/template"

	"al.essio.dev/pkg/shellescape"
	"github.com/flipdeploy/flipdeploy/deploy"
	ucli "github.com/urfave/cli/v2"
)

// Completion scripts hold all words themselves: a TAB runs no flipdeploy, so that it can
// neither connect nor act (urfave/cli's own runs the action, #1993).
//
//go:embed completion
var completions embed.FS

var shells = []string{"bash", "zsh", "fish"}

// choices are the words that a flag takes.
var choices = map[string][]string{
	"on-failure": {string(deploy.FailRollback), string(deploy.FailPause), string(deploy.FailContinue)},
	"unfinished": {"refuse", "resume", "rollback"},
}

func (x *program) completionCommand() *ucli.Command {
	return &ucli.Command{
		Name: "completion", Usage: "print the completion script of bash, zsh or fish; it calls nothing itself", ArgsUsage: "SHELL",
		Action: func(c *ucli.Context) error {
			return x.offline(c, func(a *asking) (deploy.Outcome, error) {
				if c.NArg() != 1 || !slices.Contains(shells, c.Args().First()) {
					return deploy.OutcomeRefused, usage("completion is for %s, and got %q", strings.Join(shells, ", "), c.Args().Slice())
				}
				return a.print(a.head("completion"), func() (string, error) { return completion(c.App, c.Args().First()) })
			})
		},
	}
}

// print puts a text of ours on stdout as it is.
func (a *asking) print(h head, made func() (string, error)) (deploy.Outcome, error) {
	text, err := made()
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	a.say(strings.TrimSuffix(text, "\n"))
	if !a.json {
		return deploy.OutcomeDone, nil
	}
	return deploy.OutcomeDone, a.object(struct {
		head
		Detail string `json:"detail"`
	}{h, text})
}

// completion is the script of one shell.
func completion(app *ucli.App, shell string) (string, error) {
	if shell == "fish" {
		return fish(app)
	}
	t := template.New(shell).Funcs(template.FuncMap{"join": strings.Join, "quote": described})
	t, err := t.ParseFS(completions, "completion/"+shell)
	if err != nil {
		return "", err
	}
	all, err := completed(app)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, all)
	return b.String(), err
}

// fish is the library's script, and what it does not know: the words that may follow.
func fish(app *ucli.App) (string, error) {
	text, err := app.ToFishCompletion()
	if err != nil {
		return "", err
	}
	all, err := completed(app)
	if err != nil {
		return "", err
	}
	text += "complete -c flipdeploy -f\n" // arguments are no files
	for _, c := range all.Choices {
		text += fmt.Sprintf("complete -c flipdeploy -l %s -x -a '%s'\n", strings.TrimLeft(c.Flag, "-"), strings.Join(c.Words, " "))
	}
	for _, c := range all.Commands {
		if c.Words != nil {
			text += fmt.Sprintf("complete -c flipdeploy -n '__fish_seen_subcommand_from %s' -f -a '%s'\n", c.Name, strings.Join(c.Words, " "))
		}
	}
	return text, nil
}

// described is a word with its meaning, as zsh's _describe wants it.
func described(word, means string) string {
	return shellescape.Quote(strings.ReplaceAll(word, ":", `\:`) + ":" + strings.ReplaceAll(means, "`", ""))
}
