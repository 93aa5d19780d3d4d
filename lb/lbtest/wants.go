package lbtest

import (
	"errors"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
)

func quiet(string) {}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused wants a refusal for reason, told by method as the engine does.
func refused(t testing.TB, err error, reason string) {
	t.Helper()
	var r interface{ Refusal() string }
	if !errors.As(err, &r) || r.Refusal() != reason {
		t.Fatalf("got %v, want a refusal: %s", err, reason)
	}
	var c interface {
		Code() string
		Hint() string
	}
	if !errors.As(err, &c) || c.Code() == "" || c.Hint() == "" {
		t.Fatalf("%v has no code or hint", err)
	}
}

func seat(t testing.TB, r *Rig, host string) lb.Seat {
	t.Helper()
	all, err := r.Driver.Seats(Within(t, 5*time.Second))
	must(t, err)
	return all[host]
}

func wantSeat(t testing.TB, r *Rig, host string, state lb.State, serving bool) {
	t.Helper()
	if s := seat(t, r, host); s.State != state || s.Serving != serving {
		t.Fatalf("%s is %s, serving %v (%s), want %s, %v", host, s.State, s.Serving, s.Detail, state, serving)
	}
}

func out(t testing.TB, r *Rig, host string) {
	t.Helper()
	if s := seat(t, r, host); s.State != lb.StateDrain && s.State != lb.StateMaint || s.Serving {
		t.Fatalf("%s is %s, serving %v, want it out", host, s.State, s.Serving)
	}
}

// away takes host out as a rollout does.
func away(t testing.TB, r *Rig, host string) {
	t.Helper()
	ctx := Within(t, 10*time.Second)
	must(t, r.Driver.Claim(ctx, r.Act, host, 1))
	must(t, r.Driver.Drain(ctx, r.Act, host, 1))
	must(t, r.Driver.Empty(ctx, r.Act, host, quiet))
}
