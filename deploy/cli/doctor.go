package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/remote/site"
	ucli "github.com/urfave/cli/v2"
)

func (x *program) doctorCommand() *ucli.Command {
	return &ucli.Command{
		Name: "doctor", Usage: "look for all that a rollout needs, and say what mends what is wrong; nothing is changed",
		Flags: []ucli.Flag{&ucli.StringFlag{Name: "artifact", TakesFile: true, Usage: "look whether it fits and runs there, too, `PATH`; default: the inventory's, if it is there", EnvVars: twin("artifact")}},
		Action: func(c *ucli.Context) error {
			o := rolloutOptions{mode: deploy.ModeRollout, artifact: c.String("artifact")}
			return x.ask(c, o.override, func(ctx context.Context, a *asking) (deploy.Outcome, error) { return a.doctor(ctx, o) })
		},
	}
}

// A diagnosis is all that was found, machine by machine; "" is the fleet as a whole.
type diagnosis struct {
	*asking
	mu     sync.Mutex
	faults map[string][]error
	notes  map[string][]string
	rights map[string]rights // of machines that could be asked

	edges, webs []error // why machines could not be reached
	survey      deploy.Survey
	held        bool // another run is under way
	unnamed     bool // the program's name inside releases is not known
}

// doctor tells everything that would keep a rollout from being done, and what people
// should know and grant. Whatever is wrong with one machine, the others are looked at.
func (a *asking) doctor(ctx context.Context, o rolloutOptions) (deploy.Outcome, error) {
	d := &diagnosis{asking: a, faults: map[string][]error{}, notes: map[string][]string{}, rights: map[string]rights{},
		survey: deploy.Survey{Current: map[string]string{}, Running: map[string]deploy.Running{}, Seats: map[string]map[string]deploy.Seat{}}}
	art := d.artifact(ctx, o)
	defer func() { _ = art.Close() }() // only read from
	d.edges, d.webs = a.dialAll(ctx, unhurried(dialWait, len(a.inv.Hosts)))
	d.unreached = d.webs
	d.state(ctx)
	d.machines(ctx, o, art)
	if ctx.Err() != nil {
		return deploy.OutcomeRefused, deploy.ErrInterrupted
	}
	d.fleet(o, art)
	if err := d.show(); err != nil {
		return deploy.OutcomeRefused, err
	}
	if n := d.count(); n > 0 {
		return deploy.OutcomeRefused, &deploy.Fault{Code_: "FD-DOCTOR", Err: fmt.Errorf("%s is not ready to roll out: %s", a.inv.App.Name, findings(n)),
			Hint_: "mend what is told above, then run flipdeploy doctor again"}
	}
	return deploy.OutcomeDone, nil
}

// artifact is what would be rolled out. Without one, all is looked at as for some
// small program that no host has.
func (d *diagnosis) artifact(ctx context.Context, o rolloutOptions) *site.Artifact {
	file := d.inv.App.Artifact
	if _, err := os.Stat(file); o.artifact != "" || d.inv.App.Fetched() || file != "" && err == nil {
		art, err := openArtifact(ctx, d.inv.App, d.getenv)
		if err == nil {
			d.fault("", d.fits(art))
			if text := d.better(art); text != "" {
				d.note("", text)
			}
			return art
		}
		d.fault("", err)
	} else if file != "" {
		d.note("", file+" is not there: whether it fits and runs on the hosts was not looked at")
	} else {
		d.note("", "there is no artifact: whether it fits and runs on the hosts was not looked at")
	}
	return &site.Artifact{Kind: site.File, Revision: "next", SHA256: strings.Repeat("0", 64)}
}

// fault takes one error, or several as one, each told once.
func (d *diagnosis) fault(machine string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		return
	}
	for _, one := range parts(flat(err)) {
		if machine != "" {
			one = named(machine, one)
		}
		d.faults[machine] = append(d.faults[machine], one)
	}
}

func (d *diagnosis) note(machine, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notes[machine] = append(d.notes[machine], text)
}

func (d *diagnosis) count() (n int) {
	for _, list := range d.faults {
		n += len(list)
	}
	return n
}

func findings(n int) string {
	if n == 1 {
		return "1 finding"
	}
	return fmt.Sprintf("%d findings", n)
}
