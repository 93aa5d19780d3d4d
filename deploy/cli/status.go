package cli

import (
	"context"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	ucli "github.com/urfave/cli/v2"
)

const (
	watchEvery = 2 * time.Second
	dialWait   = 10 * time.Second // for all machines, side by side
	watchWait  = 3 * time.Second  // the same, while one watches the others
	readWait   = 12 * time.Second
)

func (x *program) statusCommand() *ucli.Command {
	return &ucli.Command{
		Name: "status", Usage: "the fleet now, read live",
		Flags: []ucli.Flag{&ucli.BoolFlag{Name: "watch", Usage: "again every 2 s, until interrupted; where there is no terminal, only what changed", EnvVars: twin("watch")}},
		Action: func(c *ucli.Context) error {
			return x.asks(func(ctx context.Context, a *asking) (deploy.Outcome, error) {
				a.bare = true
				if c.Bool("watch") {
					return a.watch(ctx, func() fleetStatus { return a.status(ctx, unhurried(watchWait, len(a.inv.Hosts))) })
				}
				st := a.status(ctx, unhurried(dialWait, len(a.inv.Hosts)))
				return deploy.OutcomeDone, a.showStatus(st)
			})(c)
		},
	}
}

// A fleetStatus is `status --json`; the names are the contract.
type fleetStatus struct {
	App        string        `json:"app"`
	Time       time.Time     `json:"time"`
	Lock       *state.Holder `json:"lock"`
	Freeze     *freezeStatus `json:"freeze"`
	Unfinished *openStatus   `json:"unfinished"`
	Pausing    bool          `json:"pausing"` // the holder of the lock was asked to pause
	Hosts      []hostStatus  `json:"hosts"`
	LBs        []lbStatus    `json:"lbs"`
	Problems   []string      `json:"problems"` // what could not be read, and why
}

type freezeStatus struct {
	LB string `json:"lb"`
	state.Freeze
}

type openStatus struct {
	Rollout  string      `json:"rollout"`
	Mode     deploy.Mode `json:"mode"`
	Revision string      `json:"revision"`
	Previous string      `json:"previous"`
}

// asked is told only where it is false.
type asked bool

// IsZero leaves it out of JSON.
func (a asked) IsZero() bool { return bool(a) }

// A hostStatus says false, and nothing, of what could not be asked; why is a problem.
type hostStatus struct {
	Name      string       `json:"name"`
	Zone      string       `json:"zone,omitempty"`
	Reachable bool         `json:"reachable"`
	Release   string       `json:"release"` // of the process; where none runs, what current points at
	Revision  string       `json:"revision"`
	Running   bool         `json:"running"`
	Healthy   bool         `json:"healthy"`
	Asked     asked        `json:"asked,omitzero"` // for its health: else Healthy says nothing
	LBs       []seatStatus `json:"lbs"`
}

type seatStatus struct {
	LB       string       `json:"lb"`
	State    deploy.State `json:"state"`
	Sessions int          `json:"sessions"`
	Owner    string       `json:"owner"`
}

type lbStatus struct {
	Name      string `json:"name"`
	Reachable bool   `json:"reachable"`
}

func (a *asking) showStatus(st fleetStatus) error {
	if a.json {
		return a.object(st)
	}
	a.say(a.shown(st)...)
	return nil
}
