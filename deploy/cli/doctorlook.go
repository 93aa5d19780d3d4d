package cli

import (
	"context"
	"fmt"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// state reads lock, freeze and journal on the balancers that answer. A lock passes by
// itself; the others keep every rollout away until somebody lifts them.
func (d *diagnosis) state(ctx context.Context) {
	var there []*state.Store
	for i, err := range d.edges {
		d.fault(d.lbs[i].name, err)
		if err == nil {
			there = append(there, d.stores[i])
		}
	}
	if len(there) == 0 && d.etcd == nil {
		d.unnamed = d.nameEntry(nil, nil) != nil
		return
	}
	saw, err := look(ctx, d.keepers(there))
	d.fault("", err)
	past, open, err := pastOf(ctx, d.keepers(there))
	d.fault("", err)
	if d.held = saw.holder != nil; d.held {
		by := &state.HeldError{App: d.inv.App.Name, Balancer: d.keeperNames(), Holder: *saw.holder}
		d.note("", without(by.App, by)+"; what is told is the fleet as it is now")
	}
	if name, f := saw.frozen(); f != nil {
		d.fault("", &state.FrozenError{App: d.inv.App.Name, Balancer: name, Freeze: *f})
	}
	if open != nil && (saw.holder == nil || saw.holder.Rollout != open.Rollout) {
		d.fault("", &unfinishedError{plan: &open.Plan})
	}
	if err := d.nameEntry(past, open); err != nil {
		d.unnamed = true
		d.fault("", err)
	}
}

// machines looks at every machine that was reached, all side by side. What is wrong
// with a host that a rollout would leave alone is only noted.
func (d *diagnosis) machines(ctx context.Context, o rolloutOptions, art *site.Artifact) {
	wrong := make([]error, len(d.webs))
	_ = both(
		func() error {
			return eachIndex(d.lbs, func(i int, b *balancer) error {
				if d.edges[i] == nil {
					d.balancer(ctx, i, b)
				}
				return nil
			})
		},
		func() error {
			return eachIndex(d.hostList(), func(i int, h *host) error {
				if wrong[i] = d.webs[i]; wrong[i] == nil {
					h.artifact = art
					wrong[i] = d.host(ctx, h, d.inv.Hosts[i].Path, o)
				}
				return nil
			})
		},
	)
	for i, h := range d.hostList() {
		if wrong[i] == nil || d.survey.InRotation(h.name) {
			d.fault(h.name, wrong[i])
			continue
		}
		for _, err := range parts(flat(wrong[i])) {
			d.note(h.name, fmt.Sprintf("a rollout leaves it out, and: %s [%s]", without(h.name, err), deploy.CodeOf(err)))
		}
	}
	d.served(ctx)
}

func (d *diagnosis) balancer(ctx context.Context, i int, b *balancer) {
	d.fault(b.name, b.driver.Check(ctx))
	if seats, err := b.Seats(ctx); err == nil { // else Check has told why
		d.mu.Lock()
		d.survey.Seats[b.name] = seats
		d.mu.Unlock()
	}
	d.fault(b.name, b.store.Prepared(ctx))
	notes, _ := b.notes(ctx) // Check has told why there are none
	for _, text := range notes {
		d.note(b.name, text)
	}
	for _, text := range []string{d.blind(ctx, b), clock(ctx, d.asking.edges[i])} {
		if text != "" {
			d.note(b.name, text)
		}
	}
	d.enter(b.name, balancerRights(ctx, d.asking.edges[i], d.inv.LBs[i].User, d.inv.State.Dir, b.driver))
}

// blind is why the judge that the inventory asks for would see nothing here: every canary
// would be in doubt.
func (d *diagnosis) blind(ctx context.Context, b *balancer) string {
	at, ok := b.driver.(interface {
		Blind(ctx context.Context) (string, error)
	})
	if !ok || !d.inv.Rollout.Judge.On {
		return ""
	}
	why, err := at.Blind(ctx)
	if err != nil || why == "" { // Check has told what is wrong with it
		return ""
	}
	return "rollout.judge: " + why
}

// host is what is wrong with a host.
func (d *diagnosis) host(ctx context.Context, h *host, path string, o rolloutOptions) error {
	if d.unnamed { // nothing can be said of releases
		return nil
	}
	saw, err := h.check(ctx, o.releaseID)
	d.mu.Lock()
	saw.into(d.survey, h.name)
	d.mu.Unlock()
	for _, text := range h.warnings {
		d.note(h.name, text)
	}
	h.warnings = nil
	if text := clock(ctx, h.machine); text != "" {
		d.note(h.name, text)
	}
	d.enter(h.name, h.rights(ctx, path))
	return err
}

// served asks every app that runs for its health, the way a rollout would.
func (d *diagnosis) served(ctx context.Context) {
	probe := d.vantages(d.edges)
	sick := make([]error, len(d.webs))
	_ = eachIndex(d.hostList(), func(i int, h *host) error {
		if d.survey.Running[h.name].Release != "" && len(probe.from[h.name]) > 0 {
			sick[i] = probe.Probe(ctx, h.name)
		}
		return nil
	})
	for i, h := range d.hostList() {
		out := d.out(h.name)
		for _, text := range out {
			d.note(h.name, text)
		}
		switch {
		case sick[i] == nil:
		case len(out) == 0:
			d.fault(h.name, sick[i])
		default:
			d.note(h.name, fmt.Sprintf("%s [%s]", without(h.name, sick[i]), deploy.CodeOf(sick[i])))
		}
	}
}

// out is where a host does not serve, and who took it out.
func (d *diagnosis) out(host string) (texts []string) {
	for _, b := range d.lbs {
		seat, known := d.survey.Seats[b.name][host]
		switch {
		case !known || seat.State == deploy.StateReady || seat.State == deploy.StateAbsent:
		case seat.Owner != "":
			texts = append(texts, fmt.Sprintf("out of rotation on %s: %s, owner %s", b.name, seat.State, seat.Owner))
		default:
			texts = append(texts, fmt.Sprintf("out of rotation on %s: %s", b.name, or(seat.Detail, string(seat.State))))
		}
	}
	return texts
}

// fleet looks whether a rollout of something new could be planned now. What is wrong
// with machines, or under way, would only be told twice.
func (d *diagnosis) fleet(o rolloutOptions, art *site.Artifact) {
	if d.count() > 0 || d.held {
		return
	}
	plan, err := o.plan(d.session, d.survey, art, nil)
	if err == nil {
		err = plan.Floor()
	}
	if err == nil {
		err = d.roomFor(plan, d.survey)
	}
	d.fault("", err)
}
