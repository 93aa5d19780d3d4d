package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
)

// A Survey is the fleet as it is found: what every host runs, and where it
// stands on every balancer.
type Survey struct {
	Current map[string]string          // by host
	Running map[string]Running         // by host
	Seats   map[string]map[string]Seat // by balancer, then host
	Scope   Scope
}

// Look asks every host and every balancer, side by side, and changes nothing.
// What could not be asked is in the error, all of it at once.
func Look(ctx context.Context, hosts map[string]Host, lbs []Balancer) (Survey, error) {
	s := Survey{Current: map[string]string{}, Running: map[string]Running{}, Seats: map[string]map[string]Seat{}}
	q := &questions{}
	for name, h := range hosts {
		q.ask(name, func() (func(), error) {
			current, err := h.Current(ctx)
			return func() { s.Current[name] = current }, err
		})
		q.ask(name, func() (func(), error) {
			running, err := h.Running(ctx)
			return func() { s.Running[name] = running }, err
		})
	}
	q.seats(ctx, s, lbs)
	return s, q.answered()
}

// LookAtBalancers asks only them.
func LookAtBalancers(ctx context.Context, lbs []Balancer) (Survey, error) {
	s := Survey{Seats: map[string]map[string]Seat{}}
	q := &questions{}
	q.seats(ctx, s, lbs)
	return s, q.answered()
}

// questions are asked side by side; what is learnt is entered one at a time.
type questions struct {
	mu   sync.Mutex
	wg   sync.WaitGroup
	errs []error
}

func (q *questions) ask(whom string, question func() (enter func(), err error)) {
	q.wg.Go(func() {
		enter, err := question()
		q.mu.Lock()
		defer q.mu.Unlock()
		if err != nil {
			q.errs = append(q.errs, wrap(whom, err))
			return
		}
		enter()
	})
}

func (q *questions) seats(ctx context.Context, s Survey, lbs []Balancer) {
	for _, b := range lbs {
		q.ask(b.Name(), func() (func(), error) {
			seats, err := b.Seats(ctx)
			return func() { s.Seats[b.Name()] = seats }, err
		})
	}
}

func (q *questions) answered() error {
	q.wg.Wait()
	sort.Slice(q.errs, func(i, j int) bool { return q.errs[i].Error() < q.errs[j].Error() })
	q.errs = slices.CompactFunc(q.errs, func(a, b error) bool { return a.Error() == b.Error() })
	return errors.Join(q.errs...)
}

// Balancers is nil when every balancer told where hosts stand.
func (s Survey) Balancers(lbs []Balancer) error {
	for _, b := range lbs {
		if _, ok := s.Seats[b.Name()]; !ok {
			return &Fault{Host: b.Name(), Code_: "FD-LB-UNKNOWN", Err: errors.New("cannot be asked where hosts stand"),
				Hint_: "nothing can be settled before it answers"}
		}
	}
	return nil
}

// business are the hosts that a rollout had to do with, and that no person holds: only
// those are fenced.
func (s Survey) business(p Plan) (ours []string) {
	for _, h := range p.Hosts {
		if h.Skip == "" && (h.InPlace || h.Out == "" && (s.InRotation(h.Name) || s.heldBy(p.Rollout, h.Name))) {
			ours = append(ours, h.Name)
		}
	}
	return ours
}

func wrap(name string, err error) error {
	if err == nil {
		return nil
	}
	return &Fault{Host: name, Err: err}
}

// Plan fills in the hosts of a plan, in order, each with the release it should run.
func (s Survey) Plan(p Plan, order []string, target func(host string) string) (Plan, error) {
	var errs []error
	for _, name := range order {
		if s.Scope.Leaves(name) {
			p.Hosts = append(p.Hosts, s.left(name))
			continue
		}
		h := s.within(s.planned(name, target(name)))
		err := s.comesBack(h, p.NoUndo)
		if err != nil {
			errs = append(errs, err)
		}
		p.Hosts = append(p.Hosts, h)
	}
	p.Serving = s.Serving()
	p.Previous = p.common()
	return p, errors.Join(errs...)
}

// planned is one host's part.
func (s Survey) planned(name, to string) PlannedHost {
	r := s.Running[name]
	h := PlannedHost{Name: name, From: r.Release, To: to, Ran: r.Release != "", Out: s.outOf(name), Serving: s.serves(name),
		Adopts: r.Adopts, NoWay: r.NoWay}
	if !h.Ran {
		h.From = s.Current[name]
	}
	h.Drift = h.Ran && s.Current[name] != r.Release
	return h
}

// comesBack is nil when a host that is to change can be what it is to be, and what it
// was. What runs there and cannot be come back to wants noUndo.
func (s Survey) comesBack(h PlannedHost, noUndo bool) error {
	switch {
	case h.Out != "" && !h.InPlace:
	case h.To == foreign:
		return noWayTo(h.Name, "what ran here before was not kept", "roll out another release instead")
	case h.From == foreign && !noUndo:
		return noWayTo(h.Name, "flipdeploy did not install what is here, and cannot come back to it: "+h.whyNot(s.Running[h.Name]),
			"mend that, or go on without a way back: flipdeploy rollout --no-undo")
	}
	return nil
}

// foreign is the release of what is none of ours.
const foreign = "?"

func (h PlannedHost) whyNot(r Running) string {
	if h.NoWay != "" {
		return h.NoWay
	}
	return r.Detail
}

func noWayTo(host, why, hint string) error {
	return &Fault{Host: host, Code_: "FD-NO-WAY-BACK", Err: errors.New(why), Hint_: hint}
}

// serves: in rotation and operational on every balancer that carries the host.
func (s Survey) serves(host string) bool {
	carried := false
	for _, seats := range s.Seats {
		seat, ok := seats[host]
		if !ok || seat.State == StateAbsent {
			continue
		}
		if !seat.Serving {
			return false
		}
		carried = true
	}
	return carried
}

// outOf says why a host is out of rotation before we came, "" when it is not.
func (s Survey) outOf(host string) string {
	for _, lb := range sorted(s.Seats) {
		seat := s.Seats[lb][host]
		if !seat.out() {
			continue
		}
		who := "by hand or by another tool"
		if seat.Owner != "" && !seat.Taken {
			who = "by " + seat.Owner
		}
		return fmt.Sprintf("%s on %s, %s", seat.State, lb, who)
	}
	return ""
}

// Serving is the fewest hosts that serve on any balancer.
func (s Survey) Serving() int {
	low := -1
	for _, seats := range s.Seats {
		n := 0
		for _, seat := range seats {
			if seat.Serving {
				n++
			}
		}
		if low < 0 || n < low {
			low = n
		}
	}
	return max(low, 0)
}

// Carries lists the balancers that know each host.
func (s Survey) Carries(lbs []Balancer) map[string][]Balancer {
	m := map[string][]Balancer{}
	for _, b := range lbs {
		for host, seat := range s.Seats[b.Name()] {
			if seat.State != StateAbsent {
				m[host] = append(m[host], b)
			}
		}
	}
	return m
}

// common is the revision that most hosts ran; the first in order on a tie.
func (p Plan) common() string {
	count := map[string]int{}
	best := ""
	for _, h := range p.Hosts {
		if r := RevisionOf(h.From); r != "" && r != foreign {
			count[r]++
		}
	}
	for _, h := range p.Hosts {
		if r := RevisionOf(h.From); count[r] > count[best] {
			best = r
		}
	}
	return best
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
