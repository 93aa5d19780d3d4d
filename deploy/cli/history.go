package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
	ucli "github.com/urfave/cli/v2"
)

func (x *program) historyCommand() *ucli.Command {
	return &ucli.Command{Name: "history", Usage: "past rollouts, the newest first", Action: x.asks(history)}
}

func (x *program) showCommand() *ucli.Command {
	return &ucli.Command{
		Name: "show", Usage: "one past rollout in full", ArgsUsage: "ID",
		Action: func(c *ucli.Context) error {
			if err := oneID(c); err != nil {
				return err
			}
			return x.asks(func(ctx context.Context, a *asking) (deploy.Outcome, error) { return a.show(ctx, c.Args().First()) })(c)
		},
	}
}

func oneID(c *ucli.Context) error {
	switch {
	case c.NArg() == 0:
		return usage("%s needs the ID of a rollout; \"flipdeploy history\" lists them", c.Command.Name)
	case c.NArg() > 1:
		return usage("%s takes one ID, and got %q too", c.Command.Name, c.Args().Get(1))
	}
	return nil
}

// A pastRollout is one line of history.
type pastRollout struct {
	ID        string         `json:"id"`
	Mode      deploy.Mode    `json:"mode"`
	Revision  string         `json:"revision"`
	Previous  string         `json:"previous"`
	Outcome   deploy.Outcome `json:"outcome"` // unfinished where it did not come to an end
	Who       string         `json:"who"`     // "" in journals that do not say
	Started   time.Time      `json:"started"`
	Ended     *time.Time     `json:"ended"`
	ElapsedMS int64          `json:"elapsed_ms"`
	Running   bool           `json:"running"` // under way now
}

func pastRolloutOf(j *state.Journal, running string) pastRollout {
	p := j.Plan()
	r := pastRollout{ID: j.Rollout, Mode: p.Mode, Revision: p.Revision, Previous: p.Previous, Outcome: j.Outcome(), Who: whoBegan(j), Started: j.Records[0].Time}
	if j.Unfinished() {
		r.Outcome, r.Running = deploy.OutcomeUnfinished, running == j.Rollout
		return r
	}
	end := j.Records[len(j.Records)-1].Time
	r.Ended, r.ElapsedMS = &end, end.Sub(r.Started).Milliseconds()
	return r
}

// whoBegan is in the record of the plan.
func whoBegan(j *state.Journal) string {
	for _, r := range j.Records {
		if r.Kind == "plan" {
			return r.Detail
		}
	}
	return ""
}

// journals are those with a plan, the newest first, and the rollout that holds the
// lock now.
func (a *asking) journals(ctx context.Context) (planned []state.Journal, running string, err error) {
	stores, err := a.balancers(ctx)
	if err != nil {
		return nil, "", err
	}
	saw, err := look(ctx, stores)
	if moved := (*state.MovedError)(nil); errors.As(err, &moved) {
		return nil, "", err
	}
	if err != nil {
		a.warn("", deploy.CodeOf(err), err.Error())
	}
	if saw.holder != nil {
		running = saw.holder.Rollout
	}
	all, err := state.NewBook(stores, 0).Journals(ctx)
	return slices.DeleteFunc(all, func(j state.Journal) bool { return j.Plan() == nil }), running, err
}

func history(ctx context.Context, a *asking) (deploy.Outcome, error) {
	all, running, err := a.journals(ctx)
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	past := make([]pastRollout, len(all))
	table := ui.Table{Head: []string{"id", "when", "mode", "revision", "previous", "outcome", "took", "who"}}
	for i := range all {
		past[i] = pastRolloutOf(&all[i], running)
		table.Add(past[i].row()...)
	}
	outcome := deploy.OutcomeDone
	if len(past) == 0 {
		outcome = deploy.OutcomeNothing
		a.sayf("%s was never rolled out by flipdeploy", a.inv.App.Name)
	} else {
		a.say(table.Lines()...)
	}
	if !a.json {
		return outcome, nil
	}
	return outcome, a.object(struct {
		head
		App      string        `json:"app"`
		Rollouts []pastRollout `json:"rollouts"`
	}{a.head("history"), a.inv.App.Name, past})
}

func (r pastRollout) row() []string {
	took := ""
	if r.Ended != nil {
		took = tenths(r.ElapsedMS)
	}
	return []string{r.ID, r.Started.Local().Format("2006-01-02 15:04:05"), string(r.Mode), r.Revision, r.Previous, r.outcome(), took, r.Who}
}

func (r pastRollout) outcome() string {
	if r.Running {
		return "running"
	}
	return string(r.Outcome)
}

func tenths(ms int64) string {
	return (time.Duration(ms) * time.Millisecond).Round(100 * time.Millisecond).String()
}

// unknownRollout names the rollout that may have been meant.
func unknownRollout(id string, all []state.Journal) error {
	var ids []string
	for _, j := range all {
		ids = append(ids, j.Rollout)
	}
	text, near := fmt.Sprintf("there is no rollout %q", id), inventory.Nearest(id, ids)
	if near != "" {
		text += fmt.Sprintf(": did you mean %q?", near)
	}
	return &usageError{text: text, hint: `"flipdeploy history" lists them`}
}

// found is the rollout of an ID or of the one beginning of it that fits.
func found(id string, all []state.Journal) *state.Journal {
	var fits []*state.Journal
	for i := range all {
		switch {
		case all[i].Rollout == id:
			return &all[i]
		case strings.HasPrefix(all[i].Rollout, id):
			fits = append(fits, &all[i])
		}
	}
	if len(fits) == 1 {
		return fits[0]
	}
	return nil
}
