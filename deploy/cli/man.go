package cli

import (
	"fmt"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	ucli "github.com/urfave/cli/v2"
)

func (x *program) manCommand() *ucli.Command {
	return &ucli.Command{
		Name: "man", Usage: "print the manual page, for man: flipdeploy man > flipdeploy.1",
		Action: func(c *ucli.Context) error {
			return x.offline(c, func(a *asking) (deploy.Outcome, error) {
				return a.print(a.head("man"), func() (string, error) { return manual(*c.App) })
			})
		},
	}
}

// manual is the library's page of app, with what it does not know.
func manual(app ucli.App) (string, error) {
	app.Description = "Replaces the release on a fleet of Linux hosts behind HAProxy or nginx, over SSH, a few hosts at a time. " +
		"The fleet is described in inventory.toml. The result goes to stdout, the story to stderr; with --json stdout is NDJSON. " +
		"Every flag has a twin in the environment: FLIPDEPLOY_ and its name in capitals.\n\n" +
		"Exit codes: " + exitCodes() + ". \"flipdeploy explain CODE\" tells what an error's code means."
	return app.ToManWithSection(1)
}

// exitCodes are those of all outcomes, in their order.
func exitCodes() string {
	words := map[int][]string{2: {"wrong usage or inventory"}}
	var codes []string
	for _, o := range []deploy.Outcome{deploy.OutcomeDone, deploy.OutcomeNothing, deploy.OutcomeRefused, deploy.OutcomePaused, deploy.OutcomeStuck,
		deploy.OutcomeLocked, deploy.OutcomeUnfinished, deploy.OutcomeRolledBack, deploy.OutcomeInterrupted} {
		words[o.Exit()] = append(words[o.Exit()], strings.ReplaceAll(string(o), "_", " "))
	}
	for code := range 256 {
		if words[code] != nil {
			codes = append(codes, fmt.Sprintf("%d %s", code, strings.Join(words[code], ", ")))
		}
	}
	return strings.Join(codes, "; ")
}
