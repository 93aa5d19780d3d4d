package state

import (
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// An Entry is one rollout of the past, or the one under way.
type Entry struct {
	Rollout  string
	Epoch    int64
	Mode     deploy.Mode
	Revision string
	Previous string
	Pops     int
	Outcome  deploy.Outcome // "" while unfinished
	Hosts    []Change
	Started  time.Time
	Ended    time.Time // zero while unfinished
}

// A Change is what a rollout meant for one host, and where it got to.
type Change struct {
	Host, From, To string
	Phase          deploy.Phase // of the last outcome, "" when it was not reached
}

// entry sums a journal up; a journal without a plan is none.
func (j *Journal) entry() (Entry, bool) {
	p := j.Plan()
	if p == nil {
		return Entry{}, false
	}
	e := Entry{Rollout: j.Rollout, Epoch: j.Epoch(), Mode: p.Mode, Revision: p.Revision, Previous: p.Previous, Pops: p.Pops,
		Hosts: changes(p, j.Records), Started: j.Records[0].Time}
	if last := j.Records[len(j.Records)-1]; !j.Unfinished() {
		e.Outcome, e.Ended = outcome(j.Records), last.Time
	}
	return e, true
}

// outcome is that of the last end, "" when something was begun since.
func outcome(records []deploy.Record) deploy.Outcome {
	var o deploy.Outcome
	for _, r := range records {
		switch {
		case r.Begins():
			o = ""
		case r.Kind == "end":
			o = r.Outcome
		}
	}
	return o
}

func changes(p *deploy.Plan, records []deploy.Record) []Change {
	reached := map[string]deploy.Phase{}
	for _, r := range records {
		if r.Kind == "outcome" {
			reached[r.Host] = r.Act
		}
	}
	var all []Change
	for _, h := range p.Hosts {
		all = append(all, Change{Host: h.Name, From: h.From, To: h.To, Phase: reached[h.Name]})
	}
	return all
}
