package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	if x.Probe != nil {
		res.Probe = x.Probe(x.stop)
		x.note(Record{Kind: "probe", Probe: res.Probe})
	}

	res.Outcome = outcomeOf(views, dir, x.Direction, x.stop.Err() != nil && x.lost() == nil, pause != nil || x.ctx.Err() != nil)
	res.Exit = res.Outcome.Exit()
	res.leftUnderWay()
	if x.Direction == Back { // an unfinished rollout was undone
		res.Revision, res.Previous = x.Plan.Previous, x.Plan.Revision
	}
	x.closed = leavesNothing(res.Outcome, views, dir)
	switch {
	case res.Outcome == OutcomePaused && onlySkipped(views, dir) && pause == nil && x.ctx.Err() == nil:
		// The hosts that it had came to their end, and the others are for another rollout of
		// the same release.
		x.closed = true
		x.close(OutcomeDone)
	case x.Direction == AsIs:
		x.abandoned(&res)
	case x.closed && x.Direction == Back && res.Outcome == OutcomeDone:
		x.close(OutcomeRolledBack)
	case x.closed:
		x.close(res.Outcome)
	}
	x.explain(&res, pause)
	return res
}

// leftUnderWay lists hosts that a run which needs a person left between two acts as what
// they are: out, and ours. Of a run that was stopped it says how far they came.
func (res *Result) leftUnderWay() {
	if res.Outcome != OutcomeStuck {
		return
	}
	for name, h := range res.Hosts {
		if slices.Contains([]Phase{Drained, Flipping, Reloading, Verifying, Readying}, h.Phase) {
			h.Phase = Failed
			res.Hosts[name] = h
		}
	}
}

// lost is why nothing may be done any more, nil where it may, or where a signal is why.
func (x *run) lost() error {
	if cause := context.Cause(x.ctx); !errors.Is(cause, errGrace) && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// Nothing is the result when every host that the plan has to do with runs its
// release already.
func Nothing(p Plan) Result {
	res := Result{Kind: KindResult, Time: time.Now(), Rollout: p.Rollout, Outcome: OutcomeNothing,
		Revision: p.Revision, Previous: p.Previous, MinServingSeen: p.Serving, Hosts: map[string]HostResult{}}
	for _, h := range p.Hosts {
		res.Hosts[h.Name] = HostResult{Phase: h.start(), Release: h.From, Reason: or(h.Skip, h.Out)}
	}
	if err := p.skipped(); err != nil {
		res.Outcome, res.Code, res.Error, res.Hint = OutcomePaused, CodeOf(err), err.Error(), HintOf(err)
	}
	res.Exit = res.Outcome.Exit()
	return res
}

func (x *run) hostResult(v HostView) HostResult {
	p := x.planned(v.Name)
	h := HostResult{Phase: v.Phase, Release: v.Release, OutMS: x.outFor[v.Name].Milliseconds()}
	if v.Loose {
		h.Phase = Unknown
	}
	if err := x.why(v); err != nil {
		h.Code, h.Reason = CodeOf(err), err.Error()
	}
	if h.Reason == "" {
		h.Reason = or(p.Skip, p.Out)
	}
	return h
}

func (x *run) close(o Outcome) {
	ctx, cancel := x.kept(x.ctx)
	defer cancel()
	end := Record{Time: time.Now(), Rollout: x.Plan.Rollout, Kind: "end", Outcome: o}
	err := x.Journal.Append(ctx, end)
	for try := 0; err != nil && try < 5 && tick(ctx, 200*time.Millisecond); try++ {
		err = x.Journal.Append(ctx, end)
	}
	if err != nil {
		x.warn("", "", CodeOf(err), fmt.Sprintf("the journal was not closed: the next run takes this one for unfinished: %v", err))
	}
}

// explain gives the result its code, its error and the next command.
func (x *run) explain(res *Result, pause error) {
	if res.Exit == 0 {
		return
	}
	err := pause
	if err == nil {
		err = x.firstError()
	}
	if lost := x.lost(); lost != nil {
		err = lost
	}
	if err == nil && res.Outcome == OutcomeInterrupted {
		err = ErrInterrupted
	}
	if err == nil {
		err = x.unasked()
	}
	if err == nil {
		err = x.Plan.skipped()
	}
	if err != nil {
		res.Code, res.Error, res.Hint = CodeOf(err), err.Error(), HintOf(err)
	}
	next := res.Outcome.Next(x.Plan.Mode)
	switch {
	case x.closed && x.Direction == AsIs && !strings.Contains(res.Hint, "ready --force"):
		res.Hint = join(res.Hint, x.readyAgain())
	case !x.closed && next != "":
		res.Hint = join(res.Hint, next)
	}
}

// readyAgain is how hosts that an abandoned rollout left out return.
func (x *run) readyAgain() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []string
	for _, v := range x.hosts {
		if v.Phase == Failed || v.Phase == Stuck || v.Phase == Unknown {
			out = append(out, v.Name)
		}
	}
	return "once well, put back with \"flipdeploy ready --force " + strings.Join(out, " ") + "\""
}

// skipped tells of the hosts that a run did without, nil when there are none.
func (p Plan) skipped() error {
	var names []string
	for _, h := range p.Hosts {
		if h.Unread {
			names = append(names, h.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return &Fault{Code_: "FD-SKIPPED", Err: fmt.Errorf("%s could not be reached and %s skipped", strings.Join(names, ", "), plural(len(names), "was", "were")),
		Hint_: "bring it up, then roll the same release out again"}
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// why is what went wrong with a host, nil where nothing did.
func (x *run) why(v HostView) error {
	if err := x.errs[v.Name]; err != nil || v.Phase != Unknown || v.Skipped {
		return err
	}
	return &Fault{Host: v.Name, Code_: "FD-UNKNOWN", Err: errors.New("could not be asked: nothing was done to it"),
		Hint_: "bring it up, or end what is left of it, before anything sends it requests"}
}

// unasked is why of the first host that could not be asked.
func (x *run) unasked() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, v := range x.hosts {
		if err := x.why(v); err != nil && v.Phase == Unknown {
			return err
		}
	}
	return nil
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

// ErrInterrupted is a run that a signal ended.
var ErrInterrupted = &Fault{Code_: "FD-INTERRUPTED", Err: errors.New("interrupted"), Hint_: "run it again when you are ready"}
