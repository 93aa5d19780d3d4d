package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
)

// A shownHost is one host's part of a past rollout.
type shownHost struct {
	Name    string       `json:"name"`
	From    string       `json:"from"`
	To      string       `json:"to"`
	LeftOut string       `json:"left_out,omitempty"`
	Phase   deploy.Phase `json:"phase"` // the last one written, "" when it was not reached
	OutMS   int64        `json:"out_ms,omitempty"`
	Phases  []shownPhase `json:"phases"`
}

// A shownPhase is one line of the journal: an intent, before the act, or an outcome.
type shownPhase struct {
	Time    time.Time    `json:"time"`
	Kind    string       `json:"kind"`
	Phase   deploy.Phase `json:"phase"`
	Release string       `json:"release,omitempty"`
	Detail  string       `json:"detail,omitempty"`
	Back    time.Time    `json:"back,omitzero"` // when the host was in rotation again, if before Time
}

func (a *asking) show(ctx context.Context, id string) (deploy.Outcome, error) {
	all, running, err := a.journals(ctx)
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	j := found(id, all)
	if j == nil {
		return deploy.OutcomeRefused, unknownRollout(id, all)
	}
	r, plan, hosts := pastRolloutOf(j, running), j.Plan(), shownHosts(j)
	if a.json {
		return deploy.OutcomeDone, a.object(struct {
			head
			pastRollout
			Plan   *deploy.Plan   `json:"plan"`
			Hosts  []shownHost    `json:"hosts"`
			Probes []deploy.Probe `json:"probes,omitempty"`
		}{a.head("show"), r, plan, hosts, probesOf(j)})
	}
	a.showHead(r, plan)
	a.say(hostTable(hosts)...)
	for _, h := range hosts {
		a.showPhases(h)
	}
	for _, p := range probesOf(j) {
		a.showProbe(p)
	}
	if j.Torn > 0 {
		a.sayf("%d lines of the journal were torn and are left out", j.Torn)
	}
	return deploy.OutcomeDone, nil
}

// probesOf are the receipts of a rollout, one for each time that it was gone on with.
func probesOf(j *state.Journal) (all []deploy.Probe) {
	for _, r := range j.Records {
		if r.Kind == "probe" && r.Probe != nil {
			all = append(all, *r.Probe)
		}
	}
	return all
}

func (a *asking) showProbe(p deploy.Probe) {
	a.say("")
	a.sayf("probe %s: %s", p.URL, p)
	for _, f := range p.Failures {
		a.sayf("  %s", f)
	}
}

func shownHosts(j *state.Journal) []shownHost {
	var all []shownHost
	at := map[string]int{}
	for i, h := range j.Plan().Hosts {
		at[h.Name] = i
		all = append(all, shownHost{Name: h.Name, From: h.From, To: h.To, LeftOut: h.Out, Phases: []shownPhase{}})
	}
	for _, r := range j.Records {
		i, planned := at[r.Host]
		if r.Host == "" || !planned {
			continue
		}
		all[i].Phase = r.Act
		all[i].Phases = append(all[i].Phases, shownPhase{r.Time, r.Kind, r.Act, r.Release, r.Detail, r.Back})
	}
	for i := range all {
		all[i].OutMS = outFor(changesOf(all[i].Phases, j.Plan().Bake))
	}
	return all
}

// outFor is how long the host was out of rotation, each time until it returned.
func outFor(changes []change) (ms int64) {
	for i, c := range changes {
		if c.by > 0 {
			ms += c.at.Sub(changes[i-1].at).Milliseconds()
		}
	}
	return ms
}

func (a *asking) showHead(r pastRollout, p *deploy.Plan) {
	a.sayf("%s %s: %s", r.Mode, r.ID, r.outcome())
	a.sayf("%s: %s → %s", p.App, or(p.Previous, "nothing"), or(p.Revision, "what ran before"))
	when := "began " + r.Started.Local().Format("2006-01-02 15:04:05")
	if r.Ended != nil {
		when += ", took " + tenths(r.ElapsedMS)
	}
	if r.Who != "" {
		when += ", by " + r.Who
	}
	a.sayf("%s", when)
	a.sayf("%s; on failure %s; bake %s", numbers(*p), p.OnFailure, p.Bake)
	a.say("")
}

// numbers are those of a plan in words.
func numbers(p deploy.Plan) string {
	return pace(p) + "; " + floorWords(p)
}

func pace(p deploy.Plan) string {
	text := fmt.Sprintf("%d at a time", p.Parallel)
	if p.Canary > 0 {
		text += fmt.Sprintf(" after %d canary", p.Canary)
	}
	return text
}

func hostTable(hosts []shownHost) []string {
	t := ui.Table{Head: []string{"host", "from", "to", "phase", "out"}}
	for _, h := range hosts {
		phase, out := string(h.Phase), ""
		if h.LeftOut != "" {
			phase = string(deploy.LeftOut) + ": " + h.LeftOut
		}
		if h.OutMS > 0 {
			out = tenths(h.OutMS)
		}
		t.Add(h.Name, h.From, h.To, phase, out)
	}
	return t.Lines()
}

func (a *asking) showPhases(h shownHost) {
	if len(h.Phases) == 0 {
		return
	}
	a.say("")
	a.sayf("%s", h.Name)
	t := ui.Table{Head: []string{"  time", "phase", "", "release", "detail"}}
	for _, p := range h.Phases {
		kind := "proven"
		if p.Kind == "intent" {
			kind = "begun"
		}
		t.Add("  "+p.Time.Local().Format("15:04:05.000"), string(p.Phase), kind, p.Release, p.Detail)
	}
	a.say(t.Lines()[1:]...)
}
