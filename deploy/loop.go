package deploy

import (
	"fmt"
	"time"
)

// loop starts what the planner says until nothing is left.
func (x *run) loop() {
	type ended struct {
		host string
		ending
	}
	endings := make(chan ended)
	retry := time.NewTicker(x.Timing.Blocked)
	defer retry.Stop()
	asked := false
	for _, h := range x.uncleared() {
		x.begin(h)
		go func() { endings <- ended{h, x.judgeAgain(h)} }()
	}
	for {
		d := x.decide()
		if d.Over {
			return
		}
		if d.Turn {
			x.turn()
			continue
		}
		if d.Watch {
			x.watchZone(d.Start)
		}
		for _, h := range d.Start {
			held := x.begin(h)
			go func() {
				endings <- ended{h, x.live(h, held, d.Watch)}
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
func (x *run) live(host string, held, watched bool) ending {
	l := &life{run: x, host: x.Hosts[host], held: held, plan: x.planned(host), lbs: x.Carries[host]}
	x.with(host, func(v *HostView) { l.loose = v.Loose })
	switch {
	case watched:
		return l.zoneBake()
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

// decide asks the planner. Nothing that it sees changes meanwhile, so nothing is copied:
// there may be thousands of hosts.
func (x *run) decide() Decision {
	x.mu.Lock()
	defer x.mu.Unlock()
	parked := x.gate.parkedHosts()
	for host, returns := range parked {
		x.hosts[x.at[host]].Returns = returns
	}
	defer func() {
		for host := range parked {
			x.hosts[x.at[host]].Returns = false
		}
	}()
	x.pauses()
	return Next(View{
		Hosts: x.hosts, Direction: x.dir, Waves: x.gate != nil, Judged: x.Plan.Judge != nil,
		Stop:     x.stop.Err() != nil || x.ctx.Err() != nil || x.pause != nil,
		Parallel: x.Plan.Parallel, Canary: x.Plan.Canary, MaxFail: x.Plan.MaxFail, OnFailure: x.Plan.OnFailure,
		Zones: len(x.Plan.Zones), ZoneBake: x.Plan.ZoneBake > 0, AnyZone: x.Plan.Mode == ModeRollback,
	})
}

// pauses notes that the run has to.
func (x *run) pauses() {
	late := time.Since(x.moved) > x.Timing.Progress
	if late && x.pause == nil {
		x.pause = errProgress
	}
	select {
	case <-x.Paused:
		x.pause = errPaused
	default:
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
	case !e.blocked && (e.pause || e.away || e.phase == Stuck || e.phase == Unknown):
		x.fail(host, e.err)
	}
}

// take enters an ending into the view.
func (x *run) take(v *HostView, e ending) {
	v.Busy, v.Phase, v.Changed, v.Blocked, v.Loose, v.Doubt = false, e.phase, e.changed, e.blocked, e.loose, e.doubt
	v.Away = e.away
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
