package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// finish closes the journal where nothing is left to do and says what became of
// every host.
func (x *run) finish() Result {
	x.mu.Lock()
	res := Result{Kind: KindResult, Time: time.Now(), Rollout: x.Plan.Rollout,
		Revision: x.Plan.Revision, Previous: x.Plan.Previous, MinServingSeen: x.low, Hosts: map[string]HostResult{}}
	for _, v := range x.hosts {
		res.Hosts[v.Name] = x.hostResult(v)
	}
	views, dir, pause := x.hosts, x.dir, x.pause
	x.mu.Unlock()

	res.Outcome = outcomeOf(views, dir, x.stop.Err() != nil, pause != nil || x.ctx.Err() != nil, x.Direction)
	res.Exit = res.Outcome.Exit()
	x.explain(&res, pause)
	if x.Direction == Back { // an unfinished rollout was undone
		res.Revision, res.Previous = x.Plan.Previous, x.Plan.Revision
	}
	switch {
	case closes(res.Outcome) && x.Direction == Back:
		x.close(OutcomeRolledBack)
	case closes(res.Outcome):
		x.close(res.Outcome)
	}
	return res
}

func (x *run) hostResult(v HostView) HostResult {
	p := x.planned(v.Name)
	h := HostResult{Phase: v.Phase, Release: p.From, OutMS: x.outFor[v.Name].Milliseconds()}
	if v.Changed || (v.Phase == Done && x.Direction == Forward) {
		h.Release = p.To
	}
	if err := x.errs[v.Name]; err != nil {
		h.Code, h.Reason = CodeOf(err), err.Error()
	}
	if p.Out != "" {
		h.Reason = p.Out
	}
	return h
}

// outcomeOf names how a run ended: the worst that holds of any host wins.
func outcomeOf(hosts []HostView, dir Direction, stopped, paused bool, began Direction) Outcome {
	count := map[Phase]int{}
	todo, changes, failures := 0, 0, 0
	for _, h := range hosts {
		count[h.Phase]++
		if h.Changes {
			changes++
		}
		if h.Changes && h.Phase != Done {
			todo++
		}
		if h.Failed {
			failures++
		}
	}
	left := todo
	if dir == Back {
		left = 0
		for _, h := range hosts {
			if h.Changed {
				left++
			}
		}
	}
	switch {
	case count[Stuck]+count[Unknown] > 0:
		return OutcomeStuck
	case stopped && left > 0:
		return OutcomeInterrupted
	case dir == Back && left == 0 && began == Forward:
		return OutcomeRolledBack
	case left > 0 || paused && failures > 0:
		return OutcomePaused
	case changes == 0:
		return OutcomeNothing
	}
	return OutcomeDone
}

// closes tells whether an outcome leaves nothing to resume.
func closes(o Outcome) bool {
	return o == OutcomeDone || o == OutcomeNothing || o == OutcomeRolledBack
}

func (x *run) close(o Outcome) {
	ctx, cancel := kept(x.ctx)
	defer cancel()
	err := x.Journal.Append(ctx, Record{Time: time.Now(), Rollout: x.Plan.Rollout, Kind: "end", Outcome: o})
	if err != nil {
		x.warn("", "", CodeOf(err), fmt.Sprintf("the journal was not closed: %v", err))
	}
}

// explain gives the result its code, its error and the next command.
func (x *run) explain(res *Result, pause error) {
	if closes(res.Outcome) && res.Outcome != OutcomeRolledBack {
		return
	}
	err := pause
	if err == nil {
		err = x.firstError()
	}
	if cause := context.Cause(x.ctx); cause != nil && !errors.Is(cause, errGrace) && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	if err == nil && res.Outcome == OutcomeInterrupted {
		err = errInterrupted
	}
	if err != nil {
		res.Code, res.Error, res.Hint = CodeOf(err), err.Error(), HintOf(err)
	}
	if next := res.Outcome.Next(); next != "" {
		res.Hint = join(res.Hint, next)
	}
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// firstError is the error of the first host, in plan order, that failed for a
// reason of its own.
func (x *run) firstError() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var later error
	for _, h := range x.hosts {
		err := x.errs[h.Name]
		switch {
		case err == nil || h.Phase == LeftOut:
		case errors.Is(err, errTurned):
			later = err
		default:
			return err
		}
	}
	return later
}

// Exit is the exit code of an outcome.
func (o Outcome) Exit() int {
	switch o {
	case OutcomeDone, OutcomeNothing:
		return 0
	case OutcomeRefused:
		return 1
	case OutcomePaused:
		return 3
	case OutcomeStuck:
		return 4
	case OutcomeLocked:
		return 5
	case OutcomeUnfinished:
		return 6
	case OutcomeRolledBack:
		return 7
	case OutcomeInterrupted:
		return 130
	}
	return 4
}

// Next is what a person does after an outcome.
func (o Outcome) Next() string {
	switch o {
	case OutcomePaused, OutcomeInterrupted, OutcomeUnfinished, OutcomeStuck:
		return "go back with \"flipdeploy rollback\""
	case OutcomeDone, OutcomeNothing, OutcomeRefused, OutcomeLocked, OutcomeRolledBack:
	}
	return ""
}

var errInterrupted = &Fault{Code_: "FD-INTERRUPTED", Err: errors.New("interrupted")}
