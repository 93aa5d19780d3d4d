package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A Rollout is one run over the fleet, ready to go: everything is staged and the
// plan is made.
type Rollout struct {
	Plan      Plan
	Hosts     map[string]Host
	Balancers []Balancer
	Carries   map[string][]Balancer // the balancers that know a host
	Checker   Checker
	Journal   Journal
	Emit      func(Event) // one call at a time
	Timing    Timing
	Paused    <-chan struct{} // closed when somebody asked the run to pause
	Start     []HostView      // where hosts stand already, for a run that goes on with another's work
	Direction Direction
	Turned    bool // an earlier run of it turned back: this one goes on with that
	// Before is asked once, before a host is touched on the way forward; its error leaves
	// the host as it is and pauses the run. nil: nothing is asked.
	Before func(ctx context.Context, host string) error

	watched func(*run) // a search looks at what the run knows
}

// Timing are the deadlines and intervals of a run.
type Timing struct {
	Drain    time.Duration
	LBReady  time.Duration
	Host     time.Duration // one host, drain to done
	Progress time.Duration // since the last host was finished
	Poll     time.Duration // a host that is out; default 200 ms
	BakePoll time.Duration // default 1 s
	Sample   time.Duration // serving hosts, for the record; default 1 s
	Grace    time.Duration // from stop to giving up; default 6 s
	Blocked  time.Duration // between two tries when the floor does not allow a drain; default 500 ms
}

func (t Timing) filled() Timing {
	or := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	or(&t.Drain, 30*time.Second)
	or(&t.LBReady, time.Minute)
	or(&t.Host, 5*time.Minute)
	or(&t.Progress, 15*time.Minute)
	or(&t.Poll, 200*time.Millisecond)
	or(&t.BakePoll, time.Second)
	or(&t.Sample, time.Second)
	or(&t.Grace, 6*time.Second)
	or(&t.Blocked, 500*time.Millisecond)
	return t
}

// run is the state of a Rollout under way.
type run struct {
	*Rollout
	ctx  context.Context // ends when nothing may be done any more: lock lost, grace over
	stop context.Context // ends when no new host may be started

	mu     sync.Mutex
	gate   *gate
	marked leftMarks
	hosts  []HostView
	at     map[string]int // of each host in hosts
	plans  map[string]PlannedHost
	census shared[struct{}]
	looks  map[string]*shared[map[string]Seat] // of each balancer
	errs   map[string]error
	asked  map[string]bool // hosts for which Before was asked
	outFor map[string]time.Duration
	told   map[string]string // what a host waits for; only the loop's
	dir    Direction
	low    int // fewest hosts seen serving
	pause  error
	closed bool      // nothing is left to go on with
	moved  time.Time // of the last host that was finished
}

// Run carries the plan out. ctx is the lock: when it ends nothing is done any
// more. When stop ends no new host is begun, hosts only drained are given back,
// and the rest have the grace to be finished. On return every host is where the
// result says, and every one that is out is listed there.
func (r *Rollout) Run(ctx, stop context.Context) Result {
	r.Timing = r.Timing.filled()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop, cancelStop := context.WithCancel(stop)
	defer cancelStop()
	x := &run{Rollout: r, ctx: ctx, stop: stop, dir: r.Direction, low: r.Plan.Serving,
		errs: map[string]error{}, asked: map[string]bool{}, outFor: map[string]time.Duration{}, told: map[string]string{}, moved: time.Now(), marked: newLeftMarks()}
	x.hosts, x.gate = r.views(), newGate(r.Balancers)
	x.index()
	if r.watched != nil {
		r.watched(x)
	}
	if r.Turned {
		x.dir = Back
	}
	grace := context.AfterFunc(stop, func() {
		if tick(ctx, r.Timing.Grace) {
			cancel(errGrace)
		}
	})
	defer grace()
	var wg sync.WaitGroup
	sampling, enough := context.WithCancel(ctx)
	wg.Go(func() { x.sample(sampling) })
	x.loop()
	enough()
	wg.Wait()
	x.assertFleet()
	return x.finish()
}

// views are the hosts as the plan found them, or as an earlier run left them.
func (r *Rollout) views() []HostView {
	if r.Start != nil {
		return r.Start
	}
	var vs []HostView
	for _, h := range r.Plan.Hosts {
		v := HostView{Name: h.Name, Phase: Staged, Changes: h.Changes(), Fresh: !h.Ran, Serving: h.Serving, Release: h.From}
		v.Phase, v.Skipped, v.InPlace = h.start(), h.Unread, h.InPlace
		vs = append(vs, v)
	}
	return vs
}

// start is where a host stands before the run.
func (h PlannedHost) start() Phase {
	switch {
	case h.Unread:
		return Unknown
	case h.Skip != "":
		return Pending
	case h.Out != "" && !h.InPlace:
		return LeftOut
	case !h.Changes():
		return Done
	}
	return Staged
}

// loop starts what the planner says until nothing is left.
func (x *run) loop() {
	endings := make(chan struct {
		host string
		ending
	})
	retry := time.NewTicker(x.Timing.Blocked)
	defer retry.Stop()
	asked := false
	for {
		d := Next(x.view())
		if d.Over {
			return
		}
		if d.Turn {
			x.turn()
			continue
		}
		for _, h := range d.Start {
			held := x.begin(h)
			go func() {
				endings <- struct {
					host string
					ending
				}{h, x.live(h, held)}
			}()
		}
		if len(d.Start) == 0 && x.full() {
			if asked { // who was refused may leave now that others return
				x.open()
			}
			x.unblock()
			asked = !asked
			continue
		}
		select {
		case <-x.gate.woken():
		case e := <-endings:
			x.ended(e.host, e.ending)
		case <-retry.C:
			x.unblock()
		}
	}
}

// live leads one host its way. Its goroutine ends with the ending that loop awaits.
func (x *run) live(host string, held bool) ending {
	l := &life{run: x, host: x.Hosts[host], held: held, plan: x.planned(host), lbs: x.Carries[host]}
	switch {
	case x.Direction == AsIs:
		return l.asIs(x.ctx)
	case l.plan.InPlace && x.turned():
		return l.inPlace(x.ctx, true)
	case x.turned():
		return l.back(x.ctx)
	}
	if kept := x.before(l); kept != nil {
		return *kept
	}
	if l.plan.InPlace {
		return l.inPlace(x.ctx, false)
	}
	return l.forward(x.ctx)
}

func (x *run) view() View {
	x.mu.Lock()
	defer x.mu.Unlock()
	late := time.Since(x.moved) > x.Timing.Progress
	if late && x.pause == nil {
		x.pause = errProgress
	}
	select {
	case <-x.Paused:
		x.pause = errPaused
	default:
	}
	hosts := append([]HostView(nil), x.hosts...)
	for host, returns := range x.gate.parkedHosts() {
		hosts[x.at[host]].Returns = returns
	}
	return View{
		Hosts: hosts, Direction: x.dir, Waves: x.gate != nil,
		Stop:     x.stop.Err() != nil || x.ctx.Err() != nil || x.pause != nil,
		Parallel: x.Plan.Parallel, Canary: x.Plan.Canary, MaxFail: x.Plan.MaxFail, OnFailure: x.Plan.OnFailure,
	}
}

// begin marks a host as in hand; held tells that it was out and ours already.
func (x *run) begin(host string) (held bool) {
	x.with(host, func(v *HostView) { v.Busy, held = true, v.Phase == Failed })
	return held
}

// ended takes in what became of a host.
func (x *run) ended(host string, e ending) {
	if e.phase == LeftOut && e.err != nil {
		x.warn(host, "", CodeOf(e.err), fmt.Sprintf("left out: %v", e.err))
	}
	if e.phase == Done || e.phase == RolledBack {
		x.emitPhase(host, e.phase)
	}
	x.with(host, func(v *HostView) { x.take(v, e) })
	switch {
	case e.blocked && x.tell(host, or(refusal(e.err), CodeOf(e.err))):
		x.warn(host, "", CodeOf(e.err), fmt.Sprintf("waiting: %v", e.err))
	case !e.blocked && (e.pause || e.phase == Stuck || e.phase == Unknown):
		x.fail(host, e.err)
	}
}

// take enters an ending into the view.
func (x *run) take(v *HostView, e ending) {
	v.Busy, v.Phase, v.Changed, v.Blocked, v.Loose = false, e.phase, e.changed, e.blocked, e.loose
	v.Failed = v.Failed || e.failed
	v.Tried = v.Tried || e.tried
	if e.runs != "" {
		v.Release = e.runs
	}
	if e.err != nil && !e.blocked {
		x.errs[v.Name] = e.err
	}
	if e.pause && x.pause == nil {
		x.pause = e.err
	}
	if !e.blocked {
		x.moved = time.Now()
	}
}

// tell is true when the reason for which a host waits is a new one.
func (x *run) tell(host, reason string) bool {
	was := x.told[host]
	x.told[host] = reason
	return was != reason
}

func (x *run) unblock() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for i := range x.hosts {
		x.hosts[i].Blocked = false
	}
}

// turn: from here on every changed host goes back to what it ran before. Whoever goes
// on with the work reads it in the journal; where that was lost, in the failures.
func (x *run) turn() {
	x.mu.Lock()
	x.dir = Back
	x.mu.Unlock()
	x.note(Record{Kind: "turn", Outcome: OutcomeRolledBack})
	to := x.Plan.Previous
	if to == "" {
		to = name("")
	}
	x.emit(Event{Kind: KindPlan, Detail: "rolling back to " + to})
}

func (x *run) turned() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.dir == Back
}

// leaving: hosts that were not changed yet should not be any more.
func (x *run) leaving() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stop.Err() != nil || x.pause != nil || x.dir != x.Direction
}

// hard tells that the run itself was ended, so that an error is no host's fault.
func (x *run) hard() bool { return x.ctx.Err() != nil }

func (x *run) addOut(host string, d time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.outFor[host] += d
}

var (
	errGrace    = errors.New("the grace after the signal is over")
	errPaused   = &Fault{Code_: "FD-PAUSED", Err: errors.New("paused on request"), Hint_: "what is done stays"}
	errProgress = &Fault{
		Code_: "FD-PROGRESS-DEADLINE",
		Err:   errors.New("no host was finished within progress_deadline"),
		Hint_: "the warnings above tell what it waited for",
	}
)
