package state

import (
	"errors"
	"testing"
	"time"
)

func TestLockHoldsWhileOneBalancerIsLeft(t *testing.T) {
	inShells(t, holdsWhileOneIsLeft)
}

func holdsWhileOneIsLeft(t *testing.T, m *machine) {
	one, two := New("edge1", t.TempDir(), "shop", m, m, false), New("edge2", t.TempDir(), "shop", m, m, false)
	ok(t, one.Prepare(t.Context()))
	ok(t, two.Prepare(t.Context()))
	told := make(chan *LostError, 1)
	ctx, l, err := AcquireWait(t.Context(), []*Store{one, two}, ana, Terms{Partly: func(e *LostError) { told <- e }})
	ok(t, err)
	t.Cleanup(l.Release)
	_ = l.holds[0].(*hold).shell.Close()
	select {
	case e := <-told:
		if e.Balancer != "edge1" {
			t.Errorf("lost on %s, want edge1", e.Balancer)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("nobody was told that edge1 is lost")
	}
	if ctx.Err() != nil {
		t.Fatalf("the lock ended though edge2 holds it: %v", ctx.Err())
	}
	var held *HeldError
	if _, _, err := Acquire(t.Context(), []*Store{one, two}, bob); !errors.As(err, &held) || held.Balancer != "edge2" {
		t.Errorf("somebody else got %v, want to be refused by edge2", err)
	}
	_ = l.holds[1].(*hold).shell.Close()
	var lost *LostError
	if why := ends(t, ctx, 5*time.Second); !errors.As(why, &lost) {
		t.Errorf("ended with %v, want a LostError", why)
	}
}
