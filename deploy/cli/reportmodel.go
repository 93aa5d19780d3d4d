package cli

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// A report is what the page of a past rollout shows. All of it is from the journal.
type report struct {
	pastRollout
	App, Numbers, OnFailure, Bake string
	When, Took                    string
	Floor, Serving, Least         int // hosts that had to serve, that did, and the fewest there were
	FloorHeight                   float64
	Turned, Torn                  string
	Hosts                         []reportHost
	Steps                         []capacityStep
	Ticks                         []tickMark
	Slow                          []slowStep
	Probes                        []deploy.Probe
}

// A reportHost is one line of the timeline and one of the proofs.
type reportHost struct {
	shownHost
	End, Short, Out string
	Bad             bool
	Spans           []barPiece
	Proofs          []shownPhase
}

// A barPiece is one phase of a host, placed in percent of the whole.
type barPiece struct {
	Phase       string
	Left, Width float64
	Took        string
}

// A capacityStep is a time in which the same number of hosts was in rotation.
type capacityStep struct {
	Left, Width, Height float64
	In                  int
	Low                 bool // as few as the floor allows
}

type tickMark struct {
	Left float64
	Text string
}

type slowStep struct {
	Host, Phase, Took string
	took              time.Duration
}

// A scale turns times of a run into percent of it.
type scale struct {
	from time.Time
	all  time.Duration
}

func (s scale) at(t time.Time) float64 {
	return 100 * float64(max(0, min(t.Sub(s.from), s.all))) / float64(s.all)
}

func reportOf(j *state.Journal, running string) report {
	past, plan := pastRolloutOf(j, running), j.Plan()
	last := j.Records[len(j.Records)-1].Time
	s := scale{past.Started, max(time.Millisecond, last.Sub(past.Started))}
	r := report{pastRollout: past, App: plan.App, Numbers: pace(*plan), OnFailure: string(plan.OnFailure), Bake: plan.Bake.String(),
		When: past.Started.UTC().Format("2006-01-02 15:04:05 UTC"), Took: tenths(s.all.Milliseconds()),
		Floor: min(plan.MinServing, plan.Served()), Serving: plan.Served(), Least: plan.Served(), Probes: probesOf(j)}
	r.FloorHeight = 100 * float64(r.Floor) / float64(max(1, r.Serving))
	for _, rec := range j.Records {
		if rec.Kind == "turn" {
			r.Turned = "turned back after " + tenths(rec.Time.Sub(past.Started).Milliseconds())
		}
	}
	if j.Torn > 0 {
		r.Torn = plural(j.Torn, "line") + " of the journal could not be read and are left out"
	}
	for _, h := range shownHosts(j) {
		r.Hosts = append(r.Hosts, reportHostOf(h, s, last))
	}
	r.capacity(plan, s, last)
	r.slowest()
	for i := range 5 {
		r.Ticks = append(r.Ticks, tickMark{float64(25 * i), tenths((s.all * time.Duration(i) / 4).Milliseconds())})
	}
	return r
}

func reportHostOf(h shownHost, s scale, last time.Time) reportHost {
	r := reportHost{shownHost: h, End: string(h.Phase)}
	switch {
	case h.LeftOut != "" && len(h.Phases) == 0:
		r.End = string(deploy.LeftOut) + ": " + h.LeftOut
		r.Short = string(deploy.LeftOut)
	case h.Phase == "":
		r.End = "untouched"
	}
	r.Short = or(r.Short, r.End)
	r.Bad = h.Phase != "" && h.Phase != deploy.Done && h.LeftOut == ""
	if h.OutMS > 0 {
		r.Out = tenths(h.OutMS)
	}
	for _, p := range h.Phases {
		if p.Kind != "intent" {
			r.Proofs = append(r.Proofs, p)
		}
	}
	for _, step := range stepsOf(h.Phases) {
		until := step.until
		if until.IsZero() {
			until = last
		}
		left := s.at(step.Time)
		r.Spans = append(r.Spans, barPiece{string(step.Phase), left, s.at(until) - left, tenths(until.Sub(step.Time).Milliseconds())})
	}
	return r
}

// A step is what went on after a line of the journal; until is zero where none follows.
type step struct {
	shownPhase
	until time.Time
}

// stepsOf are those of one host. From where it is told to be back, it bakes.
func stepsOf(phases []shownPhase) (all []step) {
	for i, p := range phases {
		if ended(p) { // nothing goes on after it
			continue
		}
		one := step{shownPhase: p}
		if i+1 < len(phases) {
			next := phases[i+1]
			if one.until = next.Time; p.Phase == deploy.Readying && next.Back.After(p.Time) && next.Back.Before(next.Time) {
				one.until = next.Back
				all = append(all, one)
				one = step{shownPhase{Time: next.Back, Phase: deploy.Baking}, next.Time}
			}
		}
		all = append(all, one)
	}
	return all
}

// ended tells that the host was left to itself with this line of the journal.
func ended(p shownPhase) bool {
	return p.Kind == "outcome" && (p.Phase == deploy.Done || p.Phase == deploy.RolledBack || p.Phase == deploy.Stuck)
}

// A change is a host that left rotation or came back.
type change struct {
	at time.Time
	by int
}

// capacity is how many hosts were in rotation at each time, no more than there were: a
// host counts as out from its drain until it was done but for the bake.
func (r *report) capacity(p *deploy.Plan, s scale, last time.Time) {
	served := map[string]bool{}
	for _, h := range p.Hosts {
		served[h.Name] = h.Serving
	}
	var all []change
	for _, h := range r.Hosts {
		if served[h.Name] {
			all = append(all, changesOf(h.Phases, p.Bake)...)
		}
	}
	slices.SortStableFunc(all, func(a, b change) int { return cmp.Or(a.at.Compare(b.at), a.by-b.by) })
	in, from := p.Served(), s.from
	for _, c := range append(all, change{last, 0}) {
		if c.at.After(from) {
			left := s.at(from)
			r.Steps = append(r.Steps, capacityStep{left, s.at(c.at) - left, 100 * float64(in) / float64(max(1, p.Served())), in, in <= r.Floor && in < p.Served()})
			from = c.at
		}
		in += c.by
		r.Least = min(r.Least, in)
	}
}

// changesOf are those of one host. A journal of old does not say when it was back: then
// that was a bake before it was done.
func changesOf(phases []shownPhase, bake time.Duration) (all []change) {
	out, readying := false, time.Time{}
	returns := func(at time.Time) { out, all = false, append(all, change{at, 1}) }
	for _, p := range phases {
		if out && !p.Back.IsZero() {
			returns(p.Back)
		}
		switch {
		case p.Phase == deploy.Draining && !out:
			out, all = true, append(all, change{p.Time, -1})
		case p.Phase == deploy.Readying:
			readying = p.Time
		case out && p.Kind == "outcome" && p.Phase == deploy.RolledBack:
			returns(p.Time)
		case out && p.Kind == "outcome" && p.Phase == deploy.Done:
			back := p.Time
			if early := p.Time.Add(-bake); early.After(readying) {
				back = early
			}
			returns(back)
		}
	}
	return all
}

// slowest are the ten steps that took longest.
func (r *report) slowest() {
	for _, h := range r.Hosts {
		for _, p := range stepsOf(h.Phases) {
			if took := p.until.Sub(p.Time); !p.until.IsZero() && took >= 100*time.Millisecond {
				r.Slow = append(r.Slow, slowStep{h.Name, stepName(p.shownPhase), tenths(took.Milliseconds()), took})
			}
		}
	}
	slices.SortStableFunc(r.Slow, func(a, b slowStep) int { return cmp.Compare(b.took, a.took) })
	r.Slow = r.Slow[:min(10, len(r.Slow))]
}

// stepName says what went on after a line of the journal.
func stepName(p shownPhase) string {
	switch p.Phase {
	case deploy.Reloading:
		return "reload and verify"
	case deploy.Readying:
		return "put back"
	case deploy.Baking:
		return "bake"
	case deploy.Draining:
		return "drain"
	case deploy.Flipping:
		return "flip"
	default:
		return fmt.Sprintf("after %s", p.Phase)
	}
}
