package cli

import (
	"fmt"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
)

func (a *asking) showPlan(f foretold) error {
	if a.json {
		return a.object(struct {
			head
			foretold
		}{a.head(deploy.KindPlan), f})
	}
	a.sayf("%s", f.headline())
	a.say("")
	a.say(f.table()...)
	a.say("")
	if f.File != "" {
		defer a.sayf("The plan is in %s: flipdeploy rollout --plan %s", f.File, shellWord(f.File))
	}
	if f.Changes() == 0 {
		a.say("Nothing is to be done.")
		return nil
	}
	a.sayf("order     %s", f.orderWords())
	a.sayf("serving   %s", floorWords(f.Plan))
	a.sayf("to send   %s", f.bytesWords())
	a.sayf("failure   %s", f.failureWords())
	for _, n := range f.Notes {
		a.sayf("note      %s: %s", n.LB, n.Text)
	}
	a.say("", "Nothing was changed.")
	return nil
}

// headline is `shop: v1 → v2 on 3 of 4 hosts`.
func (f foretold) headline() string {
	return fmt.Sprintf("%s: %s → %s on %d of %d hosts", f.App, or(f.Previous, "nothing"), or(f.Revision, "what ran before"),
		f.Changes(), len(f.Plan.Hosts))
}

// table has + for a host that will start, ~ for one that will change, = for one that
// stays as it is.
func (f foretold) table() []string {
	t := ui.Table{Head: []string{"  host"}}
	if len(f.Zones) > 0 {
		t.Head = append(t.Head, "zone")
	}
	t.Head = append(t.Head, "runs", "will run")
	t.Head = append(append(t.Head, lbNames(f.Hosts)...), "send", "way back")
	for _, h := range f.Hosts {
		t.Add(h.row()...)
	}
	return t.Lines()
}

func lbNames(hosts []foretoldHost) []string {
	var names []string
	if len(hosts) > 0 {
		for _, s := range hosts[0].LBs {
			names = append(names, s.LB)
		}
	}
	return names
}

func (h foretoldHost) row() []string {
	sign, send, way := "=", "", ""
	if h.Changes {
		sign, send, way = "~", "there already", or(h.WayBack, "none: "+or(h.NoWay, "nothing ran here before"))
		if h.Adopts != "" {
			way += " (" + h.Adopts + ", kept while staging)"
		}
		if h.Bytes > 0 {
			send = ui.Bytes(h.Bytes)
		}
		if h.Fetches > 0 {
			send = "fetched by the host"
		}
		if !h.Ran {
			sign = "+"
		}
	}
	row := []string{sign + " " + h.Name}
	if h.Zone != "" {
		row = append(row, h.Zone)
	}
	row = append(row, h.runs(), h.willRun())
	for _, s := range h.LBs {
		row = append(row, s.words())
	}
	return append(row, send, way)
}

func (h foretoldHost) runs() string {
	switch {
	case h.Ran && h.Drift:
		return h.From + " (current points elsewhere)"
	case h.Ran:
		return h.From
	case h.From != "":
		return "nothing (" + h.From + " is installed)"
	}
	return "nothing"
}

func (h foretoldHost) willRun() string {
	switch {
	case h.Skip != "":
		return "left alone: " + h.Skip
	case h.InPlace && h.Changes:
		return h.To + ", and stays out: " + h.Out
	case h.Out != "":
		return "left out: " + h.Out
	case !h.Changes:
		return "the same"
	case h.From == h.To && h.Ran:
		return h.To + ", once more"
	}
	return h.To
}

// words are `ready 10.0.0.11:8080`, with the upstream where there are several.
func (s foretoldSeat) words() string {
	text := string(s.State)
	if s.Sessions > 0 {
		text += fmt.Sprintf(", %d sessions", s.Sessions)
	}
	if s.Owner != "" {
		text += ", owner " + s.Owner
	}
	return text + " " + strings.Join(s.Backends, " ")
}

func (f foretold) orderWords() string {
	if len(f.Order) == 0 {
		return "none"
	}
	if len(f.Zones) > 0 {
		return f.zoneWords()
	}
	n := min(f.Canary, len(f.Order))
	rest := someOf(f.Order[n:])
	text := fmt.Sprintf("%s, %d at a time", rest, f.Parallel)
	switch {
	case n == 0:
		return text
	case rest == "":
		return someOf(f.Order) + " (canary)"
	}
	return someOf(f.Order[:n]) + " (canary), then " + text
}

// someOf is names, of a hundred and more the first ones.
func someOf(names []string) string {
	const most = 10
	if len(names) < manyHosts {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// zoneWords are `zone a: web1 (canary), then web2, 1 at a time; watched for 30s; zone b: web3`.
func (f foretold) zoneWords() string {
	var parts []string
	for _, z := range f.Zones {
		one := f
		one.Zones, one.Order = nil, nil
		for _, name := range f.Order {
			if f.zone(name) == z.Name {
				one.Order = append(one.Order, name)
			}
		}
		if len(one.Order) == 0 {
			continue
		}
		if len(parts) > 0 {
			one.Canary = 0
		}
		parts = append(parts, "zone "+z.Name+": "+one.orderWords())
		if len(parts) == 1 && f.ZoneBake > 0 && len(one.Order) < len(f.Order) {
			parts[0] += "; watched for " + f.ZoneBake.String()
		}
	}
	return strings.Join(parts, "; then ")
}

func (f foretold) zone(host string) string {
	for _, h := range f.Hosts {
		if h.Name == host {
			return h.Zone
		}
	}
	return ""
}

// bytesWords is what goes out from here, and what hosts fetch by themselves.
func (f foretold) bytesWords() string {
	send, fetch := 0, 0
	for _, h := range f.Hosts {
		if h.Bytes > 0 {
			send++
		}
		if h.Fetches > 0 {
			fetch++
		}
	}
	switch {
	case send == 0 && fetch == 0:
		return "nothing: the release is where it is needed"
	case send == 0:
		return "nothing: " + f.fetchWords(fetch)
	}
	text := fmt.Sprintf("%s: %s to %d hosts", ui.Bytes(f.BytesSend), ui.Bytes(f.BytesArtifact), send)
	if f.BytesAtMost {
		text = "at most " + text
	}
	if fetch > 0 {
		text += "; " + f.fetchWords(fetch)
	}
	return text
}

func (f foretold) fetchWords(hosts int) string {
	if hosts == 1 {
		return fmt.Sprintf("1 host fetches %s from %s", ui.Bytes(f.BytesFetch), f.From)
	}
	return fmt.Sprintf("%d hosts fetch %s each from %s", hosts, ui.Bytes(f.BytesFetch/int64(hosts)), f.From)
}

func (f foretold) failureWords() string {
	what := map[deploy.Failure]string{
		deploy.FailRollback: "every changed host goes back to what it ran",
		deploy.FailPause:    "the host goes back to what it ran, and the run pauses",
		deploy.FailContinue: "the host goes back to what it ran, and the others go on",
	}[f.OnFailure]
	if f.NoUndo {
		what = "the host stays out as it is, and the run pauses"
	}
	if what == "" {
		what = string(f.OnFailure)
	}
	if f.MaxFail > 0 {
		what = fmt.Sprintf("%d hosts may fail; then %s", f.MaxFail, what)
	}
	return what
}
