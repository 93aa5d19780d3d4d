package deploy

import (
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
