package deploy

import (
	"context"
	"fmt"
	"testing"
)

// Whoever follows a run hears how many hosts serve: at first, and whenever it changes.
func TestARunTellsHowManyServe(t *testing.T) {
	s := newSim(4, 1, v1)
	res := finished(t, s, wish(2))
	told, least := []int{-1}, 4
	for _, e := range s.events {
		if e.Serving == nil {
			continue
		}
		n := *e.Serving
		if n == told[len(told)-1] {
			t.Errorf("%d are told twice: %+v", n, e)
		}
		want(t, "words", fmt.Sprint(e.Kind, e.Host, e.LB, " ", e.Detail), fmt.Sprintf("lb %d of 4 hosts serve", n))
		told, least = append(told, n), min(least, n)
	}
	if len(told) < 4 || told[1] < 3 || least != res.MinServingSeen {
		t.Errorf("told %v, the least was %d", told[1:], res.MinServingSeen)
	}
}

// seated is a balancer that says where its hosts stand, and does nothing.
type seated struct {
	Balancer
	seats map[string]Seat
}

func (s seated) Name() string                                   { return "edge1" }
func (s seated) Seats(context.Context) (map[string]Seat, error) { return s.seats, nil }

// Between an edit of nginx's file and the reload those who leave serve still, and those who
// return do not yet: nobody is told of fewer than there ever were.
func TestHowManyServeIsNotToldInTheMiddleOfAnEdit(t *testing.T) {
	seats := map[string]Seat{"web1": {State: StateReady, Serving: true}, "web2": {State: StateMaint, Changing: true}}
	var told []int
	x := &run{Rollout: &Rollout{Plan: Plan{Hosts: []PlannedHost{{Name: "web1"}, {Name: "web2"}}}, Balancers: []Balancer{seated{seats: seats}},
		Emit: func(e Event) { told = append(told, *e.Serving) }}, low: 2, saw: 2}
	x.ask(t.Context())
	seats["web2"] = Seat{State: StateReady, Serving: true}
	if x.ask(t.Context()); fmt.Sprint(told, x.low) != "[] 2" {
		t.Errorf("told %v, least %d; want both, as before", told, x.low)
	}
}
