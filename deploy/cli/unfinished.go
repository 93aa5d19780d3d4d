package cli

import (
	"github.com/flipdeploy/flipdeploy/deploy"
	ucli "github.com/urfave/cli/v2"
)

func (x *program) resumeCommand() *ucli.Command {
	return &ucli.Command{
		Name: "resume", Usage: "go on with an unfinished rollout",
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "artifact", TakesFile: true, Usage: "its artifact, for hosts that lost the release since, `PATH`", EnvVars: twin("artifact")},
			limitFlag(),
			probeFlag(),
			lockWaitFlag(),
		},
		Action: func(c *ucli.Context) error { return x.run(c, settleOptions(c, deploy.GoOn)) },
	}
}

func (x *program) abandonCommand() *ucli.Command {
	return &ucli.Command{
		Name: "abandon", Usage: "close an unfinished rollout; hosts that it left out return with what they run, if that is well",
		Flags:  []ucli.Flag{lockWaitFlag(), yesFlag()},
		Action: func(c *ucli.Context) error { return x.run(c, settleOptions(c, deploy.Leave)) },
	}
}

// settleOptions are those of a command that only settles what is unfinished. A freeze
// stops releases, and to abandon one is none.
func settleOptions(c *ucli.Context, how deploy.Settling) rolloutOptions {
	o := optionsOf(c, deploy.ModeRollout)
	o.only, o.overFreeze = how, how == deploy.Leave
	return o
}
