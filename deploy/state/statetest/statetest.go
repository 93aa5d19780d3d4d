// Package statetest is what every place that keeps the state of an app has to do: the
// balancers' machines and etcd pass the same cases.
package statetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// A Place is one run's view of where the state of an app is kept.
type Place interface {
	state.Locker
	state.Shelf
	state.Fenced
	Sight(ctx context.Context) (state.Sight, error)
	Freeze(ctx context.Context, f state.Freeze) (*state.Freeze, error)
	Unfreeze(ctx context.Context, f state.Freeze) error
	Pause(ctx context.Context, who string, now time.Time) (*state.Holder, error)
}

// Open returns the view of another run on the state of an app. Apps of two names have
// nothing to do with each other.
type Open func(t *testing.T, app string) Place

var (
	ana   = state.Holder{User: "ana@ci", URL: "https://ci/run/1", Since: time.Date(2026, 11, 21, 3, 7, 12, 0, time.UTC), Rollout: "20261121-030712-7f3a"}
	bob   = state.Holder{User: "bob@laptop", Since: time.Date(2026, 11, 21, 3, 8, 0, 0, time.UTC)}
	quick = state.Terms{Beat: 20 * time.Millisecond}
)

// Conformance runs every case.
func Conformance(t *testing.T, open Open) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, app string, open Open)
	}{
		{"TheSecondRunIsToldWhoHoldsTheLock", second},
		{"OneOfManyGetsTheLock", oneOfMany},
		{"TheLockIsWaitedFor", waited},
		{"AFreezeKeepsRunsAwayAndIsKept", freeze},
		{"APauseReachesTheRunAndEndsWithIt", pause},
		{"TheEpochOnlyRises", epoch},
		{"AnEarlierRunWritesNothing", fenced},
		{"TheJournalComesBackAsItWasWritten", journal},
		{"AnotherAppSeesNothing", other},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, "c-"+strings.ToLower(c.name), open) })
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func acquire(t *testing.T, p Place, h state.Holder) *state.Lease {
	t.Helper()
	_, l, err := state.AcquireWait(t.Context(), []Place{p}, h, quick)
	ok(t, err)
	t.Cleanup(l.Release)
	return l
}

func refused[E error](t *testing.T, err error, text string) {
	t.Helper()
	var e E
	if !errors.As(err, &e) || e.Error() != text {
		t.Errorf("got  %v\nwant %s", err, text)
	}
}

func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for range 250 {
		if f() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("never: " + what)
}

func second(t *testing.T, app string, open Open) {
	one, two := open(t, app), open(t, app)
	l := acquire(t, one, ana)
	_, _, err := state.Acquire(t.Context(), []Place{two}, bob)
	refused[*state.HeldError](t, err, app+": locked on "+one.Name()+" by ana@ci since 2026-11-21T03:07:12Z, rollout 20261121-030712-7f3a, https://ci/run/1")
	l.Note("web3")
	eventually(t, "told of the host in hand", func() bool {
		saw, err := two.Sight(t.Context())
		ok(t, err)
		return saw.Holder != nil && saw.Holder.Host == "web3" && saw.Holder.User == "ana@ci"
	})
	ok(t, l.Err())
	l.Release()
	began := time.Now()
	acquire(t, two, bob).Release()
	if took := time.Since(began); took > time.Second {
		t.Errorf("free %s after Release", took)
	}
	saw, err := one.Sight(t.Context())
	ok(t, err)
	equal(t, saw.Holder == nil, true)
}

// oneOfMany: several runs want it at the same moment.
func oneOfMany(t *testing.T, app string, open Open) {
	got := make(chan *state.Lease, 6)
	for i := range cap(got) {
		p := open(t, app)
		go func() {
			_, l, err := state.Acquire(t.Context(), []Place{p}, state.Holder{User: fmt.Sprint("run", i)})
			var held *state.HeldError
			if err != nil && !errors.As(err, &held) {
				t.Error(err)
			}
			got <- l
		}()
	}
	n := 0
	for range cap(got) {
		if l := <-got; l != nil {
			n++
			defer l.Release()
		}
	}
	equal(t, n, 1)
}

func waited(t *testing.T, app string, open Open) {
	one, two := open(t, app), open(t, app)
	l := acquire(t, one, ana)
	waits := 0
	_, _, err := state.AcquireWait(t.Context(), []Place{two}, bob, state.Terms{Wait: 2 * time.Second, Poll: 50 * time.Millisecond, Waiting: func(*state.HeldError) { waits++ }})
	var held *state.HeldError
	if !errors.As(err, &held) || waits == 0 {
		t.Errorf("%v after %d waits", err, waits)
	}
	time.AfterFunc(200*time.Millisecond, l.Release)
	_, l, err = state.AcquireWait(t.Context(), []Place{two}, bob, state.Terms{Wait: 10 * time.Second, Poll: 20 * time.Millisecond})
	ok(t, err)
	l.Release()
}

func freeze(t *testing.T, app string, open Open) {
	one, two := open(t, app), open(t, app)
	eve := state.Freeze{Reason: `it's "black" friday $(reboot)`, Who: "eve@desk", Since: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)}
	was, err := one.Freeze(t.Context(), eve)
	ok(t, err)
	equal(t, was == nil, true)
	was, err = two.Freeze(t.Context(), state.Freeze{Reason: "mine", Who: "bob@laptop"})
	ok(t, err)
	if was == nil || was.Who != "eve@desk" || was.Reason != eve.Reason {
		t.Fatalf("the freeze of eve was not kept: %+v", was)
	}
	text := app + ": frozen on " + one.Name() + ` by eve@desk since 2026-11-20T10:00:00Z: it's "black" friday $(reboot)`
	_, _, err = state.Acquire(t.Context(), []Place{two}, ana)
	refused[*state.FrozenError](t, err, text)
	_, l, err := state.AcquireWait(t.Context(), []Place{two}, ana, state.Terms{OverrideFreeze: true})
	ok(t, err)
	l.Release()
	saw, err := two.Sight(t.Context())
	ok(t, err)
	ok(t, two.Unfreeze(t.Context(), *saw.Freeze))
	_, err = one.Freeze(t.Context(), state.Freeze{Reason: "another", Who: "eve@desk", Since: eve.Since})
	ok(t, err)
	err = two.Unfreeze(t.Context(), *saw.Freeze) // the one that is gone
	refused[*state.FrozenError](t, err, strings.Replace(text, eve.Reason, "another", 1))
	saw, err = one.Sight(t.Context())
	ok(t, err)
	ok(t, one.Unfreeze(t.Context(), *saw.Freeze))
	ok(t, one.Unfreeze(t.Context(), *saw.Freeze))
}

func pause(t *testing.T, app string, open Open) {
	one, two := open(t, app), open(t, app)
	who, err := two.Pause(t.Context(), "bob@laptop", time.Now())
	ok(t, err)
	equal(t, who == nil, true)
	l := acquire(t, one, ana)
	eventually(t, "somebody is asked", func() bool {
		who, err = two.Pause(t.Context(), "bob@laptop", time.Now())
		ok(t, err)
		return who != nil
	})
	equal(t, who.User, "ana@ci")
	select {
	case <-l.Paused():
	case <-time.After(5 * time.Second):
		t.Error("the run was not told")
	}
	l.Release()
	next := acquire(t, two, bob)
	time.Sleep(200 * time.Millisecond)
	select {
	case <-next.Paused():
		t.Error("the next run was told what its predecessor was asked")
	default:
	}
	saw, err := one.Sight(t.Context())
	ok(t, err)
	equal(t, saw.Pausing, false)
}

func epoch(t *testing.T, app string, open Open) {
	one, two := open(t, app), open(t, app)
	n, err := one.Fence(t.Context())
	ok(t, err)
	equal(t, n, 0)
	acquire(t, one, ana)
	n, err = state.Raise(t.Context(), []Place{one}, 6, 3)
	ok(t, err)
	equal(t, n, 7)
	refused[*state.FencedError](t, one.RaiseTo(t.Context(), 7), one.Name()+": fenced: the fence is at epoch 7, this run is epoch 7")
	n, err = two.Fence(t.Context())
	ok(t, err)
	equal(t, n, 7)
}

func fenced(t *testing.T, app string, open Open) {
	one, two := open(t, app), open(t, app)
	l := acquire(t, one, ana)
	first, err := state.Raise(t.Context(), []Place{one})
	ok(t, err)
	book := state.NewBook([]Place{one}, first)
	ok(t, book.Append(t.Context(), plan("r1")))
	l.Release()
	l = acquire(t, two, bob)
	second, err := state.Raise(t.Context(), []Place{two})
	ok(t, err)
	equal(t, second, first+1)
	if err := book.Append(t.Context(), plan("r1")); err == nil {
		t.Error("an earlier run wrote")
	}
	all, err := two.Journals(t.Context())
	ok(t, err)
	equal(t, len(all[0].Records), 1)
	l.Release()
	acquire(t, one, ana) // the lock alone is not enough
	err = book.Append(t.Context(), plan("r1"))
	refused[*state.FencedError](t, err, fmt.Sprintf("%s: fenced: the fence is at epoch %d, this run is epoch %d", one.Name(), second, first))
}

func plan(rollout string) deploy.Record {
	return deploy.Record{Time: time.Now(), Rollout: rollout, Kind: "plan", Plan: &deploy.Plan{Rollout: rollout, Revision: "v2"}}
}

func journal(t *testing.T, app string, open Open) {
	one, two := open(t, app), open(t, app)
	all, err := two.Journals(t.Context())
	ok(t, err)
	equal(t, len(all), 0)
	acquire(t, one, ana)
	for _, rollout := range []string{"20261121-1", "20261121-2"} {
		n, err := state.Raise(t.Context(), []Place{one})
		ok(t, err)
		book := state.NewBook([]Place{one}, n)
		p := plan(rollout)
		p.Detail = strings.Repeat("it's §5 \"quoted\" ", 1<<12) // larger than a piece of an answer
		ok(t, book.Append(t.Context(), p))
		for i := range 30 {
			ok(t, book.Append(t.Context(), deploy.Record{Rollout: rollout, Kind: "intent", Host: fmt.Sprint("web", i), Act: deploy.Flipping}))
		}
		if rollout == "20261121-1" {
			ok(t, book.Append(t.Context(), deploy.Record{Rollout: rollout, Kind: "end", Outcome: deploy.OutcomeDone}))
		}
		line, _ := json.Marshal(map[string]any{"kind": "note", "rollout": rollout, "from": "the version after this"})
		ok(t, one.Write(t.Context(), n, rollout, []string{string(line)}))
	}
	all, err = two.Journals(t.Context())
	ok(t, err)
	equal(t, len(all), 2)
	equal(t, all[0].Rollout, "20261121-2")
	equal(t, all[0].Unfinished(), true)
	equal(t, all[1].Unfinished(), false)
	equal(t, len(all[0].Records), 32)
	equal(t, len(all[1].Records), 33)
	equal(t, all[0].Records[9].Host, "web8")
	equal(t, len(all[0].Records[0].Detail), len("it's §5 \"quoted\" ")<<12)
	if last := string(all[0].Lines[31]); !strings.Contains(last, "the version after this") {
		t.Errorf("the last line is %s", last)
	}
}

func other(t *testing.T, app string, open Open) {
	one, two := open(t, app), open(t, app+"-2")
	acquire(t, one, ana)
	n, err := state.Raise(t.Context(), []Place{one})
	ok(t, err)
	ok(t, state.NewBook([]Place{one}, n).Append(t.Context(), plan("r1")))
	_, err = one.Freeze(t.Context(), state.Freeze{Reason: "r", Who: "w"})
	ok(t, err)
	saw, err := two.Sight(t.Context())
	ok(t, err)
	equal(t, saw, state.Sight{})
	all, err := two.Journals(t.Context())
	ok(t, err)
	equal(t, len(all), 0)
	n, err = two.Fence(t.Context())
	ok(t, err)
	equal(t, n, 0)
	acquire(t, two, bob)
}
