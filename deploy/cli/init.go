package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
	"github.com/flipdeploy/flipdeploy/lb"
	ucli "github.com/urfave/cli/v2"
)

func (x *program) initCommand() *ucli.Command {
	return &ucli.Command{
		Name: "init", Usage: "write an inventory to fill in, from a balancer's configuration where there is one",
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "from-nginx", TakesFile: true, Usage: "propose hosts from an nginx configuration or the output of nginx -T, `FILE` or -", EnvVars: twin("from-nginx")},
			&ucli.StringFlag{Name: "from-haproxy", TakesFile: true, Usage: "propose hosts from a HAProxy configuration, `FILE`, directory or -", EnvVars: twin("from-haproxy")},
			&ucli.StringFlag{Name: "artifact", TakesFile: true, Usage: "propose a preset by what a Go program was built from, `FILE`", EnvVars: twin("artifact")},
			&ucli.StringFlag{Name: "upstream", Usage: "the app's pools where the configuration has several, `NAME,…`", EnvVars: twin("upstream")},
		},
		Action: func(c *ucli.Context) error {
			o := initOptions{inventory: or(c.String("inventory"), "inventory.toml"), nginx: c.String("from-nginx"), haproxy: c.String("from-haproxy"), artifact: c.String("artifact")}
			for _, name := range strings.Split(c.String("upstream"), ",") {
				if name = strings.TrimSpace(name); name != "" {
					o.upstreams = append(o.upstreams, name)
				}
			}
			return x.answer(c, func(a *asking, screen *ui.UI) (deploy.Outcome, error) {
				a.session = &session{screen: screen}
				return a.init(o)
			})
		},
	}
}

// initOptions are the flags of init.
type initOptions struct {
	inventory, nginx, haproxy string
	artifact                  string
	upstreams                 []string
}

// init writes an inventory that loads. What it had to guess, and what it could not use,
// stands in it and is told.
func (a *asking) init(o initOptions) (deploy.Outcome, error) {
	if o.nginx == "" && o.haproxy == "" && o.upstreams != nil {
		return deploy.OutcomeRefused, usage("--upstream is for --from-nginx and --from-haproxy")
	}
	if o.nginx == "-" && o.haproxy == "-" {
		return deploy.OutcomeRefused, usage("only one of --from-nginx and --from-haproxy can be -")
	}
	if err := vacant(o.inventory); err != nil {
		return deploy.OutcomeRefused, err
	}
	d, err := a.draft(o)
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	if err := d.propose(o.artifact); err != nil {
		return deploy.OutcomeRefused, err
	}
	text := d.text()
	inv, err := inventory.Parse([]byte(text), o.inventory)
	if err != nil {
		return deploy.OutcomeRefused, &deploy.Fault{Code_: "FD-INIT-DRAFT", Err: fmt.Errorf("what was read makes no inventory: %w", err),
			Hint_: `write one without it: "flipdeploy init"`}
	}
	if err := writeNew(o.inventory, text); err != nil {
		return deploy.OutcomeRefused, err
	}
	return deploy.OutcomeDone, a.showDraft(o, text, inv, d)
}

// draft reads what there is to be read.
func (a *asking) draft(o initOptions) (*draft, error) {
	if o.nginx == "" && o.haproxy == "" {
		return emptyDraft(), nil
	}
	var all []*lb.Proposal
	for _, from := range []struct {
		file string
		read func(string, []byte) (*lb.Proposal, error)
	}{{o.nginx, lb.ProposeNginx}, {o.haproxy, lb.ProposeHAProxy}} {
		if from.file == "" {
			continue
		}
		text, err := a.given(from.file)
		if err != nil {
			return nil, err
		}
		p, err := from.read(from.file, text)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	chosen, err := choose(all, o)
	if err != nil {
		return nil, err
	}
	return newDraft(o, chosen), nil
}

// given is standard input for -, nil for a file.
func (a *asking) given(file string) ([]byte, error) {
	if file != "-" {
		return nil, nil
	}
	if terminal(a.x.stdin()) {
		return nil, usage("- is standard input, and that is a terminal: give a file, or a pipe")
	}
	text, err := io.ReadAll(io.LimitReader(a.x.stdin(), 16<<20))
	if err == nil && len(text) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, &deploy.Fault{Code_: "FD-INIT-FILE", Err: fmt.Errorf("standard input: %w", err), Hint_: "see whether the command before the pipe prints the configuration"}
	}
	return text, nil
}

// A todo is a line that a person has to look at.
type todo struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

// todos are the lines of text that are marked so.
func todos(text string) []todo {
	all := []todo{}
	for i, line := range strings.Split(text, "\n") {
		if at := strings.Index(line, "# "+fillIn); at > 0 {
			all = append(all, todo{i + 1, strings.TrimSpace(line[:at]) + "  " + line[at:]})
		} else if at := strings.Index(line, "# "+check); at > 0 {
			all = append(all, todo{i + 1, strings.TrimSpace(line[:at]) + "  " + line[at:]})
		}
	}
	return all
}

// A drafted is what a program is told of the file.
type drafted struct {
	head
	Path  string   `json:"path"`
	App   string   `json:"app"`
	Hosts []string `json:"hosts"`
	LBs   []string `json:"lbs"`
	Todo  []todo   `json:"todo"`
	Next  []string `json:"next"`
}

// showDraft tells what was written and what is to be done next.
func (a *asking) showDraft(o initOptions, text string, inv *inventory.Inventory, d *draft) error {
	path := o.inventory
	for _, n := range d.notes {
		a.emit(deploy.Event{Kind: deploy.KindWarning, Code: "FD-INIT-NOTE", Detail: n})
	}
	next := o.next()
	if a.json {
		return a.object(drafted{a.head("init"), path, inv.App.Name, hostNames(inv), lbsOf(inv), todos(text), next})
	}
	a.sayf("%s: %s, %s behind %s", path, inv.App.Name, plural(len(inv.Hosts), "host"), plural(len(inv.LBs), "balancer"))
	a.say("", "to be filled in or checked:")
	for _, t := range todos(text) {
		a.sayf("  %s:%d: %s", path, t.Line, t.Text)
	}
	a.say("", "then:")
	for _, n := range next {
		a.sayf("  %s", n)
	}
	return nil
}

// next are the commands that lead to a first rollout.
func (o initOptions) next() []string {
	with, artifact := "", " --artifact PATH"
	if o.inventory != "inventory.toml" {
		with = " -i " + shellWord(o.inventory)
	}
	if o.artifact != "" {
		artifact = " --artifact " + shellWord(o.artifact)
	}
	return []string{"flipdeploy trust" + with, "flipdeploy doctor" + with + artifact, "flipdeploy plan" + with + artifact}
}

func lbsOf(inv *inventory.Inventory) []string {
	var names []string
	for _, l := range inv.LBs {
		names = append(names, l.Name)
	}
	return names
}
