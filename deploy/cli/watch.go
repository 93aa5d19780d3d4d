package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// watch shows the fleet again and again: a terminal the whole of it each time, a program
// each answer, anybody else what changed. To be interrupted is its way to end. The fleet
// has watchEvery of rest between two looks, however long they take.
func (a *asking) watch(ctx context.Context, look func() fleetStatus) (deploy.Outcome, error) {
	show := a.changes()
	if terminal(a.x.env.Stdout) && a.getenv("TERM") != "" && a.getenv("TERM") != "dumb" {
		show = a.redraw
	}
	if a.json {
		show = func(st fleetStatus) error { return a.object(st) }
	}
	for {
		st := look()
		if ctx.Err() != nil {
			return deploy.OutcomeDone, nil
		}
		if err := show(st); err != nil {
			return deploy.OutcomeDone, err
		}
		if _, err := a.out.WriteTo(a.x.env.Stdout); err != nil {
			return deploy.OutcomeDone, nil // who watched has gone
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchEvery):
		}
	}
}

func (a *asking) redraw(st fleetStatus) error {
	a.out.WriteString("\x1b[H\x1b[J")
	a.say(a.shown(st)...)
	return nil
}

// changes tells the whole fleet at first, and then one line for each thing that is not
// as it was. Sessions come and go and are no change.
func (a *asking) changes() func(fleetStatus) error {
	var before map[fact]string
	return func(st fleetStatus) error {
		now := st.facts()
		if before == nil {
			a.say(st.lines()...)
			before = now
		}
		for _, d := range differences(before, now) {
			a.sayf("%s  %s", st.Time.Format("15:04:05"), d)
		}
		before = now
		return nil
	}
}

// facts are the cells of the table and the lines above and below it, without sessions.
func (st fleetStatus) facts() map[fact]string {
	st.Hosts = slices.Clone(st.Hosts)
	for i, h := range st.Hosts {
		st.Hosts[i].LBs = slices.Clone(h.LBs)
		for k := range h.LBs {
			st.Hosts[i].LBs[k].Sessions = 0
		}
	}
	facts := map[fact]string{}
	t := st.rows()
	for _, row := range t.Rows {
		for i, cell := range row[1:] {
			facts[fact{row[0], t.Head[i+1]}] = cell
		}
	}
	for _, line := range st.standing() {
		what, rest, _ := strings.Cut(line, " ")
		facts[fact{"", strings.TrimSuffix(what, ":")}] = rest
	}
	for _, p := range st.Problems {
		machine, what, _ := strings.Cut(p, ": ")
		f := fact{machine, "trouble"}
		facts[f] = strings.TrimPrefix(facts[f]+"; "+what, "; ")
	}
	return facts
}
