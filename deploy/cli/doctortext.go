package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
)

func (d *diagnosis) show() error {
	if d.json {
		return d.showJSON()
	}
	d.sayMachines()
	d.sayNotes()
	d.sayRights()
	if n := d.count(); n > 0 {
		d.say("", ui.Line("%s: %s", d.inv.App.Name, findings(n)))
		return nil
	}
	d.say("", ui.Line("%s is ready to roll out", d.inv.App.Name))
	return nil
}

// names are the fleet and all machines, as they are told of.
func (d *diagnosis) names() []string {
	names := []string{""}
	for _, b := range d.lbs {
		names = append(names, b.name)
	}
	return append(names, d.order()...)
}

// called is a machine's name, or the app's for the fleet.
func (d *diagnosis) called(name string) string { return or(name, d.inv.App.Name) }

// sayMachines has a block for every machine: `web1  ok`, or what is wrong.
func (d *diagnosis) sayMachines() {
	wide, code := 0, 0
	for _, name := range d.names() {
		wide = max(wide, len(d.called(name)))
		for _, err := range d.faults[name] {
			code = max(code, len(deploy.CodeOf(err)))
		}
	}
	for _, name := range d.names() {
		if name != "" && len(d.faults[name]) == 0 {
			d.sayf("%-*s  ok", wide, name)
		}
		for _, err := range d.faults[name] {
			d.sayf("%-*s  %-*s  %s", wide, d.called(name), code, deploy.CodeOf(err), without(d.called(name), err))
			for _, line := range evidence(err) {
				d.sayf("%*s  | %s", wide, "", line)
			}
			d.sayf("%*s  hint: %s", wide, "", deploy.HintOf(err))
		}
	}
}

// without is what is wrong, without the name of the machine in front.
func without(name string, err error) string { return strings.TrimPrefix(err.Error(), name+": ") }

func evidence(err error) []string {
	var e interface{ Evidence() []string }
	if errors.As(err, &e) {
		return e.Evidence()
	}
	return nil
}

func (d *diagnosis) sayNotes() {
	for _, name := range d.names() {
		for _, text := range d.notes[name] {
			d.sayf("note %s: %s", d.called(name), text)
		}
	}
}

// sayRights tells what root has to do and to allow, machines that want the same
// together.
func (d *diagnosis) sayRights() {
	for i, g := range d.alike() {
		if i == 0 {
			d.say("", "Rights")
		}
		r := d.rights[g[0]]
		names := strings.Join(g, ", ")
		if len(r.Sudoers)+len(r.Run) == 0 {
			d.sayf("  %s: %s has all that it needs, and nothing goes through sudo", names, r.User)
			continue
		}
		if len(r.Run) > 0 {
			d.sayf("  %s: once, as root", names)
			d.say(indented(r.Run)...)
		}
		if len(r.Sudoers) > 0 {
			d.sayf("  %s: lines for sudo visudo -f /etc/sudoers.d/flipdeploy", names)
			d.say(indented(r.Sudoers)...)
		}
		for _, why := range r.Root {
			d.sayf("    amounts to root: %s", why)
		}
	}
}

func indented(lines []string) (all []string) {
	for _, l := range lines {
		all = append(all, ui.Line("    %s", l))
	}
	return all
}

// alike are the machines that could be asked, those with the same rights together.
func (d *diagnosis) alike() (groups [][]string) {
	at := map[string]int{}
	for _, name := range d.names() {
		r, asked := d.rights[name]
		if !asked {
			continue
		}
		key := fmt.Sprintf("%q", r)
		if i, ok := at[key]; ok {
			groups[i] = append(groups[i], name)
			continue
		}
		at[key] = len(groups)
		groups = append(groups, []string{name})
	}
	return groups
}

// showJSON: a warning for a note, an error for what is wrong, and then for every
// machine what it wants of root.
func (d *diagnosis) showJSON() error {
	var lines []error
	for _, name := range d.names() {
		for _, err := range d.faults[name] {
			lines = append(lines, d.event(name, errorEvent(err)))
		}
		for _, text := range d.notes[name] {
			lines = append(lines, d.event(name, deploy.Event{Kind: deploy.KindWarning, Code: "FD-DOCTOR", Detail: text}))
		}
	}
	for _, name := range d.names() {
		if r, asked := d.rights[name]; asked {
			lines = append(lines, d.object(struct {
				head
				Machine string `json:"host"`
				OK      bool   `json:"ok"`
				rights
			}{d.head("doctor"), name, len(d.faults[name]) == 0, r}))
		}
	}
	return errors.Join(lines...)
}

func (d *diagnosis) event(machine string, e deploy.Event) error {
	e.Host = machine
	if slices.ContainsFunc(d.lbs, func(b *balancer) bool { return b.name == machine }) {
		e.LB = machine
	}
	h := d.head(e.Kind)
	e.Seq, e.Time = h.Seq, h.Time
	return d.object(e)
}
