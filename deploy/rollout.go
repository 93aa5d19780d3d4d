package deploy

import (
	"context"
	"errors"
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
	// Probe ends what asks through the balancers, and is its receipt. It does not wait for
	// late answers once ctx has ended. nil: nobody asks.
	Probe func(ctx context.Context) *Probe

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

	mu       sync.Mutex
	gate     *gate
	marked   leftMarks
	hosts    []HostView
	at       map[string]int // of each host in hosts
	plans    map[string]PlannedHost
	zones    map[string][]string // hosts of each
	floors   map[string]int      // of each balancer, of all the hosts that it carries
	census   Shared[struct{}]
	looks    map[string]*Shared[map[string]Seat]     // of each balancer
	counts   map[string]*Shared[map[string]Counters] // of each balancer, in a large fleet
	names    []string                                // of all hosts
	errs     map[string]error
	asked    map[string]bool // hosts for which Before was asked
	outFor   map[string]time.Duration
	told     map[string]string // what a host waits for; only the loop's
	dir      Direction
	low      int // fewest hosts seen serving
	saw      int // hosts seen serving last; -1 before
	watching int // hosts of the first zone, before the next is begun
	pause    error
	closed   bool      // nothing is left to go on with
	moved    time.Time // of the last host that was finished
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
	x := &run{Rollout: r, ctx: ctx, stop: stop, dir: r.Direction, low: r.Plan.Served(), saw: -1,
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
