package deploy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A Settling is what becomes of an unfinished rollout.
type Settling string

const (
	GoOn   Settling = "resume"
	GoBack Settling = "rollback"
	Leave  Settling = "abandon"
)

// A Takeover ends what another run began, under the rollout's own id, so that its marks
// are ours. Rollout has the stored plan.
type Takeover struct {
	Rollout  *Rollout
	Standing Standing
	How      Settling
	Who      string
	// Trust: it goes on in spite of the judge's doubt, which has paused it, on somebody's word.
	Trust bool
	// Fence shuts earlier runs out, on every balancer and on the hosts that are named.
	// The hosts on which it could not are returned: they may not be touched.
	Fence func(ctx context.Context, hosts []string) (unfenced map[string]error, err error)
	// Adopt makes our mark on a host one of this run; the host is not touched.
	Adopt func(ctx context.Context, on Balancer, host string) error
	// Stage makes sure that every host that is still to change has its release; nil where
	// there is nothing to stage.
	Stage func(ctx context.Context, r *Rollout) error
}

// Run shuts earlier runs out, looks at the fleet as it is, takes the marks over, and
// carries on from there. held is the lock; ctx ends with a signal, too.
func (t *Takeover) Run(ctx, held context.Context) (Result, error) {
	r := t.Rollout
	survey, err := t.shutOut(ctx)
	if err != nil {
		return Result{}, err
	}
	if err := t.adopt(held, survey); err != nil {
		return Result{}, err
	}
	r.Carries = survey.Carries(r.Balancers)
	said := t.course(survey)
	if t.Stage != nil {
		if err := t.Stage(ctx, r); err != nil {
			return Result{}, err
		}
	}
	if err := r.Journal.Append(held, t.note()); err != nil {
		return Result{}, err
	}
	r.Emit(Event{Kind: KindPlan, Detail: said})
	return r.Run(held, ctx), nil
}

// shutOut is the fleet as it is found behind the fence; only that counts.
func (t *Takeover) shutOut(ctx context.Context) (Survey, error) {
	before, err := LookAtBalancers(ctx, t.Rollout.Balancers)
	if err != nil {
		return Survey{}, err
	}
	unfenced, err := t.Fence(ctx, before.business(t.Rollout.Plan))
	if err != nil {
		return Survey{}, err
	}
	survey, _ := Look(ctx, t.Rollout.Hosts, t.Rollout.Balancers)
	for host := range unfenced { // as if it could not be asked
		delete(survey.Current, host)
		delete(survey.Running, host)
	}
	return survey, survey.Balancers(t.Rollout.Balancers)
}

// adopt takes the marks of this rollout over into our epoch, and drops those of hosts
// that it does not hold.
func (t *Takeover) adopt(ctx context.Context, survey Survey) error {
	errs := make([]error, len(t.Rollout.Balancers))
	var wg sync.WaitGroup
	for i, b := range t.Rollout.Balancers {
		wg.Go(func() { errs[i] = t.adoptOn(ctx, survey, b) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (t *Takeover) adoptOn(ctx context.Context, survey Survey, b Balancer) error {
	seats := survey.Seats[b.Name()]
	for _, host := range sorted(seats) {
		if seats[host].Owner != t.Rollout.Plan.Rollout {
			continue
		}
		if err := t.take(ctx, survey, b, host); err != nil {
			return wrap(host, err)
		}
	}
	return nil
}

// take has the balancer's driver take a host that is out for its own, too: what another
// deployer left, in maint as well. Where it cannot, the run finds out by itself.
func (t *Takeover) take(ctx context.Context, survey Survey, b Balancer, host string) error {
	if err := t.Adopt(ctx, b, host); err != nil {
		return err
	}
	switch seat := survey.Seats[b.Name()][host]; {
	case seat.Taken, !survey.heldBy(t.Rollout.Plan.Rollout, host):
		return b.Unclaim(ctx, host)
	case seat.out():
		_, _ = b.Hold(ctx, host)
	}
	return nil
}

// course sets the direction and where hosts stand, and says in words what follows.
func (t *Takeover) course(survey Survey) string {
	r, p := t.Rollout, t.Rollout.Plan
	back := t.Standing.GoingBack(p)
	said := fmt.Sprintf("rolling unfinished rollout %s back to %s", p.Rollout, or(p.Previous, "nothing"))
	switch {
	case t.How == Leave:
		r.Direction, r.Start = AsIs, survey.Left(p)
		said = fmt.Sprintf("abandoning rollout %s: hosts that it left out return with what they run", p.Rollout)
	case p.Mode == ModeRollback:
		r.Direction, r.Start = Forward, survey.Onward(p, t.Standing.Done)
		said = fmt.Sprintf("finishing rollback %s to %s", p.Rollout, or(p.Revision, "nothing"))
	case t.How == GoBack, back == OutcomeDone:
		r.Direction, r.Start = Back, survey.Resume(p)
	case back != "":
		r.Turned, r.Start = true, survey.Resume(p)
	default:
		r.Direction, r.Start = Forward, survey.Onward(p, t.Standing.Done)
		said = fmt.Sprintf("going on with rollout %s to %s", p.Rollout, or(p.Revision, "nothing"))
	}
	for i := range r.Start {
		v := &r.Start[i]
		done := v.Phase == Done
		v.Amid, v.Doubt = t.Standing.Amid[v.Name], done && t.Standing.Doubt[v.Name]
		v.Unseen, v.Trusted = done && !t.Standing.Done[v.Name] || v.Doubt, t.Trust
	}
	return said
}

// note is who goes on, and which way: a run that dies on the way back is gone on with on
// the way back.
func (t *Takeover) note() Record {
	p := t.Rollout.Plan
	n := Record{Time: time.Now(), Rollout: p.Rollout, Kind: string(t.How), Detail: t.Who}
	if t.How == GoBack && p.Mode != ModeRollback {
		n.Kind, n.Outcome = "turn", OutcomeDone
	}
	return n
}

// amid refuses what would put a host into rotation while a process of an earlier run
// may still take over on it.
func (l *life) amid() (err error) {
	l.run.with(l.host.Name(), func(v *HostView) {
		if v.Amid {
			err = errAmid
		}
	})
	return err
}

// tidied: what an earlier run left half way on the host is provably ended.
func (l *life) tidied() { l.run.with(l.host.Name(), func(v *HostView) { v.Amid = false }) }

var errAmid = &Fault{Code_: "FD-AMID", Err: errors.New("an earlier run died while the app took a release over here, and a process that it left may still do so"),
	Hint_: "it is ended once the host may leave rotation everywhere: bring other hosts up, or end it by hand"}
