package deploy

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A deployer is one run of the program: its epoch, and hosts and balancers as it has
// them. It is the checker and the journal of its run, too.
type deployer struct {
	s     *sim
	epoch int64
	hosts map[string]*simHost
	lbs   []*simLB
	dead  bool // killed: nothing that it still asks for is done,
	late  bool // but for what was on its way
	kill  context.CancelCauseFunc
	emit  func(Event)

	leaves  bool // it abandons
	trusts  bool // it goes on in spite of the judge's doubt
	with    func(*Rollout)
	unheard bool // what takes effect now is a call that it gave up
	r       *Rollout
	x       *run

	intents map[string]Phase // the last of each host that it journaled
	acts    map[string]int   // changes of each host, forward and undone
	noted   int              // when it wrote an outcome last
	doubt   map[string]bool  // machines on which it gave a call up
	turns   map[string]int   // how often it has shut out there what it gave up
	gaveUp  sync.Map         // hosts that it said it failed with
}

func (s *sim) deployer(machines map[string]*simMachine, edges []*simEdge) *deployer {
	d := &deployer{s: s, epoch: int64(len(s.all)), hosts: make(map[string]*simHost, len(machines)),
		intents: map[string]Phase{}, acts: map[string]int{}, doubt: map[string]bool{}, turns: map[string]int{}}
	for n, m := range machines {
		d.hosts[n] = &simHost{simMachine: m, by: d}
	}
	for _, e := range edges {
		d.lbs = append(d.lbs, &simLB{simEdge: e, by: d, left: map[string]simLeft{}, tried: map[string]State{}})
	}
	s.all = append(s.all, d)
	return d
}

// another is a deployer that knows nothing of the others.
func (s *sim) another() *deployer {
	machines, edges := map[string]*simMachine{}, []*simEdge{}
	for n, h := range s.hosts {
		machines[n] = h.simMachine
	}
	for _, lb := range s.lbs {
		edges = append(edges, lb.simEdge)
	}
	return s.deployer(machines, edges)
}

// die is a SIGKILL.
func (d *deployer) die() {
	d.dead = true
	if d.kill != nil {
		d.kill(errDead)
	}
}

func (d *deployer) Append(ctx context.Context, r Record) error {
	c := &call{by: d, op: "journal", host: r.Host, arg: r.Kind + " " + string(r.Act), takes: time.Millisecond}
	if r.Kind != "intent" && r.Kind != "outcome" {
		c.saw = fmt.Sprint(r.Detail, d.r.Start, d.r.Direction, d.r.Turned)
	}
	c.effect = d.lbs[0].fenced(func() error {
		d.s.records = append(d.s.records, r)
		switch r.Kind {
		case "intent":
			d.intents[r.Host] = r.Act
		case "outcome":
			d.noted = d.s.acts
		}
		return nil
	})
	return c.do(ctx)
}

func (d *deployer) balancers() []Balancer {
	var all []Balancer
	for i, lb := range d.lbs {
		if i < d.s.swappers {
			all = append(all, &simSwapper{simLB: lb})
		} else {
			all = append(all, lb)
		}
	}
	return all
}

// engine is the run of a plan in this deployer's hands.
func (d *deployer) engine(p Plan) *Rollout {
	s := d.s
	hosts, carries := make(map[string]Host, len(s.names)), make(map[string][]Balancer, len(s.names))
	lbs := d.balancers()
	for _, n := range s.names {
		hosts[n] = d.hosts[n]
		for i, lb := range d.lbs {
			if lb.carries(n) {
				carries[n] = append(carries[n], lbs[i])
			}
		}
	}
	d.r = &Rollout{Plan: p, Hosts: hosts, Balancers: lbs, Carries: carries, Checker: d, Journal: d, Timing: s.timing,
		Emit: func(e Event) {
			d.heard(e)
			if d.emit != nil {
				d.emit(e)
				return
			}
			s.events = append(s.events, e)
		}, watched: func(x *run) { d.x = x }}
	return d.r
}

// planned is a plan to bring release onto all hosts of the simulation.
func (s *sim) planned(release string, w Wish) Plan {
	p := Plan{Rollout: "us", App: "shop", Mode: ModeRollout, Release: release, Revision: RevisionOf(release), Previous: "v1"}
	for _, n := range s.names {
		h := s.hosts[n]
		ph := PlannedHost{Name: n, From: h.current, To: release, Ran: h.runs != "", Serving: h.well() && !h.hand}
		if h.hand {
			ph.Out = "by hand"
		}
		if ph.Serving {
			p.Serving++
		}
		p.Hosts = append(p.Hosts, ph)
	}
	for _, lb := range s.lbs {
		p.Serving = min(p.Serving, lb.serving())
	}
	return p.InZones(s.zones).Resolve(w)
}

// rollout is a run to release over all hosts of the simulation.
func (s *sim) rollout(release string, w Wish) *Rollout {
	s.plan = s.planned(release, w)
	return s.all[0].engine(s.plan)
}
