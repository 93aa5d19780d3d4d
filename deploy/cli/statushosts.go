package cli

import (
	"context"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/health"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

func (a *asking) readHosts(ctx context.Context, edges, webs []error, p *problems) []hostStatus {
	seats := a.readSeats(ctx, edges, p)
	probe := a.vantages(edges)
	all := make([]hostStatus, len(a.inv.Hosts))
	_ = eachIndex(a.hostList(), func(i int, h *host) error {
		all[i] = hostStatus{Name: h.name, Zone: a.inv.Hosts[i].Zone, Reachable: webs[i] == nil, LBs: a.seatsOf(h.name, seats)}
		_ = both(
			func() error { p.add(h.name, unless(webs[i], func() error { return all[i].ask(ctx, h) })); return nil },
			func() error { p.add(h.name, all[i].probe(ctx, probe, h.name)); return nil },
		)
		return nil
	})
	return all
}

func unless(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

// ask learns what the host runs.
func (h *hostStatus) ask(ctx context.Context, from *host) error {
	r, err := from.Running(ctx)
	if err != nil {
		h.Reachable = !lostWay(err)
		return err
	}
	h.Release, h.Running = r.Release, r.Release != ""
	if !h.Running {
		h.Release, err = from.Current(ctx)
		h.Reachable = !lostWay(err)
	}
	if h.Release != site.Unmanaged {
		h.Revision = deploy.RevisionOf(h.Release)
	}
	return err
}

// vantages is the checker with those only that can be reached.
func (a *asking) vantages(edges []error) *checker {
	dead := map[string]bool{}
	for i, err := range edges {
		dead[a.lbs[i].name] = err != nil
	}
	c := &checker{check: a.checker.check, own: a.checker.own, auto: a.checker.auto, warn: func(_, _, _ string) {}, from: map[string][]health.Vantage{}}
	for host, all := range a.checker.from {
		for _, v := range all {
			if !dead[v.Name] {
				c.from[host] = append(c.from[host], v)
			}
		}
	}
	return c
}

// readSeats asks every balancer that was reached where hosts stand.
func (a *asking) readSeats(ctx context.Context, edges []error, p *problems) []map[string]deploy.Seat {
	seats := make([]map[string]deploy.Seat, len(a.lbs))
	_ = eachIndex(a.lbs, func(i int, b *balancer) (err error) {
		if edges[i] == nil {
			seats[i], err = b.Seats(ctx)
			p.add(b.name, err)
			if lostWay(err) {
				edges[i] = err
			}
		}
		return nil
	})
	return seats
}

func (a *asking) seatsOf(host string, seats []map[string]deploy.Seat) []seatStatus {
	all := []seatStatus{}
	for i, b := range a.lbs {
		s := seatStatus{LB: b.name, State: deploy.StateUnknown}
		if seat, ok := seats[i][host]; ok {
			s.State, s.Sessions, s.Owner = seat.State, seat.Sessions, seat.Owner
		}
		all = append(all, s)
	}
	return all
}
