package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// withLog adds the app's last log lines to the evidence.
func (l *life) withLog(ctx context.Context, f *Fault) *Fault {
	ctx, cancel := l.run.kept(ctx)
	defer cancel()
	f.Evidence_ = append(f.Evidence(), l.host.Log(ctx)...)
	return f
}

func (l *life) say(b Balancer) func(string) {
	return func(text string) {
		l.run.emit(Event{Kind: KindLB, Host: l.host.Name(), LB: b.Name(), Detail: text})
	}
}

func (l *life) budget(on Balancer) Budget { return l.run.budget(on, l.host.Name()) }

// budget is what has to hold on the balancer when the hosts leave.
func (x *run) budget(on Balancer, hosts ...string) Budget {
	return Budget{MinServing: x.floors[on.Name()], Parallel: x.Plan.Parallel, Zones: x.zoneFloors(hosts)}
}

// claimBudget: hosts that wait at the gate to return make room for those that leave
// by the same change, which checks the floor for both together.
func (l *life) claimBudget(on Balancer) Budget {
	b := l.budget(on)
	for host, returns := range l.run.gate.parkedHosts() {
		if returns {
			b.Beside = append(b.Beside, host)
		}
	}
	b.MinServing = max(0, b.MinServing-len(b.Beside))
	for i := range b.Zones {
		b.Zones[i].Min = max(0, b.Zones[i].Min-len(b.Beside))
	}
	return b
}

func (l *life) phase(p Phase, detail string) {
	e := Event{Kind: KindHost, Host: l.host.Name(), Phase: p, Detail: detail}
	switch p {
	case Draining:
		l.since = time.Now()
	case Drained, Done, RolledBack:
		e.ElapsedMS = time.Since(l.since).Milliseconds()
	default:
	}
	l.run.setPhase(l.host.Name(), p)
	l.run.emit(e)
}

// intent tells, and keeps, what is about to be done. No act without it.
func (l *life) intent(ctx context.Context, p Phase, release string) error {
	l.phase(p, RevisionOf(release))
	return l.record(ctx, "intent", p, release, "")
}

// outcome keeps what was proven. A lost outcome costs a resume a second look.
func (l *life) outcome(ctx context.Context, p Phase, release, detail string) {
	ctx, cancel := l.run.kept(ctx)
	defer cancel()
	if err := l.record(ctx, "outcome", p, release, detail); err != nil {
		l.run.warn(l.host.Name(), "", CodeOf(err), err.Error())
	}
}

// note keeps what is true of the run as a whole; that it could not is only told.
func (x *run) note(r Record) {
	ctx, cancel := x.kept(x.ctx)
	defer cancel()
	r.Time, r.Rollout = time.Now(), x.Plan.Rollout
	if err := x.Journal.Append(ctx, r); err != nil {
		x.warn("", "", CodeOf(err), fmt.Sprintf("journal: %v", err))
	}
}

// failure tells of the host's failure, and keeps it: it is not tried again by itself,
// whoever goes on.
func (l *life) failure(ctx context.Context, err error) {
	l.run.fail(l.host.Name(), err)
	l.outcome(ctx, Failed, l.plan.To, err.Error())
}

func (l *life) record(ctx context.Context, kind string, p Phase, release, detail string) error {
	err := l.run.Journal.Append(ctx, Record{
		Time: time.Now(), Rollout: l.run.Plan.Rollout, Kind: kind,
		Host: l.host.Name(), Act: p, Release: release, Detail: detail, Back: l.returned, Doubt: l.doubted && p == Done,
	})
	if err != nil {
		return &Fault{Host: l.host.Name(), Phase: p, Err: fmt.Errorf("journal: %w", err)}
	}
	l.returned = time.Time{}
	return nil
}

// unreachable tells whether an error is about the way to a host, not the host.
func unreachable(err error) bool {
	return unknown(err) || strings.HasPrefix(CodeOf(err), "FD-SSH-")
}

var errHostDeadline = &Fault{
	Code_: "FD-HOST-DEADLINE",
	Err:   errors.New("not finished within host_deadline"),
	Hint_: "see which phase took so long; raise rollout.host_deadline when it is right",
}
