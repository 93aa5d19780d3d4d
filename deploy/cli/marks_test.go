package cli

import (
	"testing"

	"github.com/flipdeploy/flipdeploy/lb"
)

func TestWhoseHandAMarkedHostIsOutBy(t *testing.T) {
	for _, c := range []struct {
		seat    lb.Seat
		claimed bool
		want    bool
	}{
		{lb.Seat{State: lb.StateReady}, true, false},
		{lb.Seat{State: lb.StateDown}, true, false},
		{lb.Seat{State: lb.StateMaint}, true, true}, // HAProxy does not say; we had only claimed it
		{lb.Seat{State: lb.StateDrain}, true, true},
		{lb.Seat{State: lb.StateMaint}, false, false},
		{lb.Seat{State: lb.StateMaint, By: lb.ByUs}, true, false}, // nginx's file says
		{lb.Seat{State: lb.StateMaint, By: lb.ByOther}, false, true},
	} {
		if got := taken(c.seat, c.claimed); got != c.want {
			t.Errorf("%+v, claimed %v: taken by another %v", c.seat, c.claimed, got)
		}
	}
}
