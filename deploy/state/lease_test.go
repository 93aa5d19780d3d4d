package state

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	ana = Holder{User: "ana@ci", URL: "https://ci/run/1", Since: time.Date(2026, 11, 21, 3, 7, 12, 0, time.UTC), Rollout: "20261121-030712-7f3a"}
	bob = Holder{User: "bob@laptop", Since: time.Date(2026, 11, 21, 3, 8, 0, 0, time.UTC)}
)

const heldByAna = "shop: locked on edge1 by ana@ci since 2026-11-21T03:07:12Z, rollout 20261121-030712-7f3a, https://ci/run/1"

const hintLocked = "the lock goes when that run ends or dies; wait for it with --lock-wait 10m"

func acquire(t *testing.T, s *Store, h Holder, terms Terms) (context.Context, *Lease) {
	t.Helper()
	ctx, l, err := AcquireWait(t.Context(), []*Store{s}, h, terms)
	ok(t, err)
	t.Cleanup(l.Release)
	return ctx, l
}

// free waits for the lock to be free and tells how long that took.
func free(t *testing.T, s *Store) time.Duration {
	t.Helper()
	began := time.Now()
	_, l, err := AcquireWait(t.Context(), []*Store{s}, bob, Terms{Wait: 10 * time.Second, Poll: 20 * time.Millisecond})
	ok(t, err)
	took := time.Since(began)
	l.Release()
	return took
}

func within(t *testing.T, what string, took, limit time.Duration) {
	t.Helper()
	t.Logf("%s: %s", what, took)
	if took > limit {
		t.Errorf("%s took %s, more than %s", what, took, limit)
	}
}

func ends(t *testing.T, ctx context.Context, limit time.Duration) error {
	t.Helper()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(limit):
		t.Fatalf("the context lives on after %s", limit)
		return nil
	}
}

func TestTheSecondRunIsToldWhoHoldsTheLock(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		ctx, l := acquire(t, s, ana, Terms{Beat: 20 * time.Millisecond})
		_, _, err := Acquire(t.Context(), []*Store{s}, bob)
		says(t, err, heldByAna, "FD-LOCKED", hintLocked)

		l.Note("web3")
		eventually(t, func() bool {
			_, _, err = Acquire(t.Context(), []*Store{s}, bob)
			return strings.Contains(err.Error(), "host web3")
		})
		equal(t, err.Error(), strings.Replace(heldByAna, ", https", ", host web3, https", 1))
		ok(t, ctx.Err())
		ok(t, l.Err())
		l.Release()
		within(t, "free after Release", free(t, s), 500*time.Millisecond)
		equal(t, ends(t, ctx, time.Second).Error(), "lock released")
		equal(t, exists(filepath.Join(s.dir, "shop", "holder")), false)
	})
}

func eventually(t *testing.T, f func() bool) {
	t.Helper()
	for range 200 {
		if f() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("never")
}

func TestWaitingForTheLock(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		_, l := acquire(t, s, ana, Terms{})
		waits := 0
		_, _, err := AcquireWait(t.Context(), []*Store{s}, bob, Terms{Wait: 300 * time.Millisecond, Poll: 50 * time.Millisecond, Waiting: func(*HeldError) { waits++ }})
		says(t, err, heldByAna, "FD-LOCKED", hintLocked)
		if waits == 0 {
			t.Error("nobody was told of the wait")
		}
		time.AfterFunc(200*time.Millisecond, l.Release)
		free(t, s)
	})
}

func TestTheLockIsFreeWithinASecondOfASIGKILL(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		c, _ := m.holder(t, s.dir)
		_, _, err := Acquire(t.Context(), []*Store{s}, bob)
		says(t, err, heldByAna, "FD-LOCKED", hintLocked)
		ok(t, c.Process.Kill())
		within(t, "free after SIGKILL", free(t, s), time.Second)
	})
}

// A frozen run keeps its connection. When it wakes it finds the lock lost before
// it does anything else.
func TestAStoppedRunLosesTheLockAfterTheSilenceAndKnowsItWhenItWakes(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		c, lines := m.holder(t, s.dir)
		ok(t, c.Process.Signal(syscall.SIGSTOP))
		took := free(t, s)
		within(t, "free after SIGSTOP", took, 2*time.Second)
		if took < 700*time.Millisecond {
			t.Errorf("free after %s, before the silence has passed", took)
		}
		ok(t, c.Process.Signal(syscall.SIGCONT))
		equal(t, lines.Scan(), true)
		if !strings.HasPrefix(lines.Text(), "lock lost on edge1: ") {
			t.Errorf("it woke up and said %q", lines.Text())
		}
	})
}

func TestTheLockIsFreeWhenTheShellIsKilledThoughItsChildReadsOn(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		ctx, l := acquire(t, s, ana, Terms{Beat: 50 * time.Millisecond})
		victim := m.last
		time.Sleep(100 * time.Millisecond)
		ok(t, syscall.Kill(victim.cmd.Process.Pid, syscall.SIGKILL))
		within(t, "free after the shell's death", free(t, s), time.Second)
		err := ends(t, ctx, time.Second)
		if !strings.HasPrefix(err.Error(), "lock lost on edge1: ") {
			t.Errorf("cause: %v", err)
		}
		says(t, &LostError{"edge1", "the remote shell ended"}, "lock lost on edge1: the remote shell ended", "FD-LOCK-LOST", hintStatus)
		var lost *LostError
		equal(t, errors.As(l.Err(), &lost), true)
		_ = syscall.Kill(-victim.cmd.Process.Pid, syscall.SIGKILL)
	})
}

func TestAHolderWithoutAnswersFencesItselfBeforeTheLockIsFree(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		ctx, l := acquire(t, s, ana, Terms{Beat: 20 * time.Millisecond, Limit: 300 * time.Millisecond})
		shell := m.last.cmd.Process.Pid
		ok(t, syscall.Kill(-shell, syscall.SIGSTOP)) // the cable is cut
		began := time.Now()
		err := ends(t, ctx, 2*time.Second)
		within(t, "self-fence", time.Since(began), 600*time.Millisecond)
		says(t, err, "lock lost on edge1: no answer for 300ms", "FD-LOCK-LOST", hintStatus)
		_, _, err = Acquire(t.Context(), []*Store{s}, bob)
		says(t, err, heldByAna, "FD-LOCKED", hintLocked)
		l.Release()
	})
}

func TestASteadyHolderKeepsTheLockForManySilences(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		ctx, l := acquire(t, s, ana, Terms{Silence: time.Second, Beat: 100 * time.Millisecond, Limit: 900 * time.Millisecond})
		time.Sleep(2500 * time.Millisecond)
		ok(t, ctx.Err())
		ok(t, l.Err())
	})
}

func TestTheLockOutlivesTheCallersContext(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		parent, interrupt := context.WithCancel(t.Context())
		ctx, l, err := AcquireWait(parent, []*Store{s}, ana, Terms{Beat: 20 * time.Millisecond})
		ok(t, err)
		interrupt()
		ends(t, ctx, time.Second)
		time.Sleep(100 * time.Millisecond)
		ok(t, l.Err())
		_, _, err = Acquire(t.Context(), []*Store{s}, bob)
		says(t, err, heldByAna, "FD-LOCKED", hintLocked)
		l.Release()
		<-l.Lost()
	})
}

func TestAFreezeIsNotWaitedForAndMayBeOverridden(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		file := filepath.Join(s.dir, "shop", "freeze")
		write(t, file, `{"reason":"black \u001b[31mfriday","who":"eve@desk","since":"2026-11-20T10:00:00Z"}`+"\n")
		_, _, err := AcquireWait(t.Context(), []*Store{s}, ana, Terms{Wait: time.Hour})
		says(t, err, "shop: frozen on edge1 by eve@desk since 2026-11-20T10:00:00Z: black ?[31mfriday", "FD-FROZEN", `agree with eve@desk, then "flipdeploy unlock"`)
		write(t, file, "do not touch")
		_, _, err = Acquire(t.Context(), []*Store{s}, ana)
		equal(t, err.Error(), "shop: frozen on edge1 by ?: do not touch")
		_, l, err := AcquireWait(t.Context(), []*Store{s}, ana, Terms{OverrideFreeze: true})
		ok(t, err)
		l.Release()
	})
}

func TestPauseIsSeenAtTheNextBeat(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		s := m.store(t, t.TempDir(), "shop")
		ctx, l := acquire(t, s, ana, Terms{Beat: 20 * time.Millisecond})
		select {
		case <-l.Paused():
			t.Fatal("paused by nobody")
		case <-time.After(100 * time.Millisecond):
		}
		write(t, filepath.Join(s.dir, "shop", "pause"), "")
		select {
		case <-l.Paused():
		case <-time.After(2 * time.Second):
			t.Fatal("the pause was not seen")
		}
		ok(t, ctx.Err())
	})
}

func TestSeveralBalancersAreTakenInOrderOfNameAndAllOrNone(t *testing.T) {
	inShells(t, func(t *testing.T, m *machine) {
		d1, d2 := t.TempDir(), t.TempDir()
		a, b := m.store(t, d1, "shop"), New("edge2", d2, "shop", m, m, false)
		ok(t, b.Prepare(t.Context()))
		_, l, err := Acquire(t.Context(), []*Store{b}, ana)
		ok(t, err)
		_, _, err = Acquire(t.Context(), []*Store{b, a}, bob)
		says(t, err, strings.Replace(heldByAna, "edge1", "edge2", 1), "FD-LOCKED", hintLocked)
		within(t, "the first is free again", free(t, a), 200*time.Millisecond)
		l.Release()
		ctx, l, err := AcquireWait(t.Context(), []*Store{b, a}, bob, Terms{Beat: 20 * time.Millisecond})
		ok(t, err)
		equal(t, l.holds[0].(*hold).store.name, "edge1")
		ok(t, syscall.Kill(m.last.cmd.Process.Pid, syscall.SIGKILL)) // edge2's: edge1 holds it
		time.Sleep(100 * time.Millisecond)
		ok(t, ctx.Err())
		_ = l.holds[0].(*hold).shell.Close()
		ends(t, ctx, time.Second)
		l.Release()
	})
}

func TestWhoami(t *testing.T) {
	now := time.Date(2026, 11, 21, 3, 7, 12, 99, time.UTC)
	for url, vars := range map[string]map[string]string{
		"https://github.com/a/b/actions/runs/7": {"GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7", "BUILD_URL": "x"},
		"https://gitlab/job/1":                  {"CI_JOB_URL": "https://gitlab/job/1"},
		"https://buildkite/2":                   {"BUILDKITE_BUILD_URL": "https://buildkite/2"},
		"https://jenkins/3":                     {"BUILD_URL": "https://jenkins/3"},
		"":                                      {},
	} {
		vars["USER"] = "ana"
		h := Whoami(func(k string) string { return vars[k] }, "r1", now)
		machine, _ := os.Hostname()
		equal(t, h, Holder{User: "ana@" + machine, URL: url, Since: now.Truncate(time.Second), Rollout: "r1"})
	}
}
