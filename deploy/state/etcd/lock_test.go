package etcd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// short terms: the lock is free 2 s after the last keep-alive, and not believed in for 1 s
// of them.
var short = state.Terms{Beat: 100 * time.Millisecond, Silence: 2 * time.Second}

const heldPrefix = "/held"

// holdForever holds the lock of shop and, once it has lost it, tries to write.
func holdForever(at []string) {
	s := New("shop", Config{Endpoints: at, Prefix: heldPrefix, Try: 300 * time.Millisecond})
	ctx, l, err := state.AcquireWait(context.Background(), []*Store{s}, ana, short)
	if err != nil {
		fmt.Println(err)
		return
	}
	epoch, err := state.Raise(ctx, []*Store{s})
	fmt.Println("held", epoch, err)
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	fmt.Println(s.Write(context.Background(), epoch, "r1", []string{`{"kind":"note","rollout":"r1"}`}))
	l.Release()
}

// holder is another process that holds the lock of shop.
func holder(t *testing.T, members []*member) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "ETCD_TEST_HOLD="+strings.Join(endpoints(members), ","))
	out, err := c.StdoutPipe()
	ok(t, err)
	ok(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	lines := bufio.NewScanner(out)
	equal(t, lines.Scan(), true)
	if !strings.HasPrefix(lines.Text(), "held ") {
		t.Fatal(lines.Text())
	}
	return c, lines
}

func held(t *testing.T, members []*member) *Store {
	t.Helper()
	s := New("shop", Config{Endpoints: endpoints(members), Prefix: heldPrefix, Try: 300 * time.Millisecond})
	t.Cleanup(s.Close)
	return s
}

func acquire(t *testing.T, s *Store, h state.Holder, terms state.Terms) (context.Context, *state.Lease) {
	t.Helper()
	ctx, l, err := state.AcquireWait(t.Context(), []*Store{s}, h, terms)
	ok(t, err)
	t.Cleanup(l.Release)
	return ctx, l
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

// says checks the words, the code and the hint of an error.
func says(t *testing.T, err error, text, code, hint string) {
	t.Helper()
	var e interface {
		Code() string
		Hint() string
	}
	if !errors.As(err, &e) {
		t.Fatalf("%v: no code", err)
	}
	equal(t, err.Error(), text)
	equal(t, e.Code(), code)
	equal(t, e.Hint(), hint)
}

func TestTheLockOfAKilledRunIsFreeOnceItsLeaseHasRunOut(t *testing.T) {
	members := three(t)
	c, _ := holder(t, members)
	began := time.Now()
	ok(t, c.Process.Kill())
	acquire(t, held(t, members), bob, state.Terms{Wait: 10 * time.Second, Poll: 20 * time.Millisecond})
	within(t, "free after SIGKILL", time.Since(began), time.Second, 6*time.Second)
}

// A frozen run keeps its connections. Another takes the lock meanwhile and raises the epoch;
// when the first wakes it says that it has lost, and what it writes does not come to be.
func TestAStoppedRunHasLostTheLockWhenItWakes(t *testing.T) {
	members := three(t)
	c, lines := holder(t, members)
	ok(t, c.Process.Signal(syscall.SIGSTOP))
	began := time.Now()
	s := held(t, members)
	ctx, _ := acquire(t, s, bob, state.Terms{Wait: 10 * time.Second, Poll: 20 * time.Millisecond})
	within(t, "free after SIGSTOP", time.Since(began), time.Second, 6*time.Second)
	_, err := state.Raise(ctx, []*Store{s})
	ok(t, err)
	ok(t, c.Process.Signal(syscall.SIGCONT))
	equal(t, lines.Scan(), true)
	if !strings.HasPrefix(lines.Text(), "lock lost on etcd: ") {
		t.Errorf("it woke up and said %q", lines.Text())
	}
	equal(t, lines.Scan(), true)
	if !strings.Contains(lines.Text(), "lost") && !strings.Contains(lines.Text(), "fenced") {
		t.Errorf("it wrote, and was told %q", lines.Text())
	}
	all, err := s.Journals(t.Context())
	ok(t, err)
	equal(t, len(all), 0)
	ok(t, ctx.Err())
}

// The leader is killed, then another member is silent: the lock is held all the while.
func TestTheLockSurvivesItsLeader(t *testing.T) {
	members := three(t)
	s := held(t, members)
	ctx, l := acquire(t, s, ana, state.Terms{Beat: 100 * time.Millisecond, Silence: 10 * time.Second})
	epoch, err := state.Raise(ctx, []*Store{s})
	ok(t, err)
	for i, m := range members {
		if i == 1 {
			m.stop(t)
		} else {
			m.end()
		}
		ok(t, s.Write(ctx, epoch, "r1", []string{fmt.Sprintf(`{"kind":"note","rollout":"r1","host":"web%d"}`, i)}))
		if i == 1 {
			m.cont(t)
		} else {
			ok(t, m.start())
		}
		await(t, members)
	}
	ok(t, ctx.Err())
	all, err := s.Journals(ctx)
	ok(t, err)
	equal(t, len(all[0].Records), 3)
	l.Release()
}

func TestARunThatEtcdDoesNotAnswerFencesItselfBeforeTheLockIsFree(t *testing.T) {
	members := three(t)
	s := held(t, members)
	ctx, _ := acquire(t, s, ana, short)
	epoch, err := state.Raise(ctx, []*Store{s})
	ok(t, err)
	members[0].stop(t)
	members[1].stop(t)
	defer await(t, members)
	defer members[0].cont(t)
	defer members[1].cont(t)
	began := time.Now()
	says(t, ends(t, ctx, 3*time.Second), "lock lost on etcd: no answer for 1s", "FD-LOCK-LOST", hintStatus)
	within(t, "self-fence", time.Since(began), 300*time.Millisecond, 2*time.Second)
	began = time.Now()
	err = s.Write(t.Context(), epoch, "r1", []string{"{}"})
	within(t, "a write after that", time.Since(began), 0, 100*time.Millisecond)
	var lost *state.LostError
	equal(t, errors.As(err, &lost), true)
}

// Somebody removes the key with a tool of etcd's.
func TestTheLockIsLostWithItsKey(t *testing.T) {
	members := three(t)
	s := held(t, members)
	ctx, _ := acquire(t, s, ana, state.Terms{Beat: 50 * time.Millisecond, Wait: 10 * time.Second, Poll: 20 * time.Millisecond})
	epoch, err := state.Raise(ctx, []*Store{s})
	ok(t, err)
	var r txnResponse
	ok(t, s.client.ask(t.Context(), "test", "kv/txn", txnRequest{Success: []op{{Delete: &deleteRequest{Key: s.key("lock")}}}}, &r))
	says(t, ends(t, ctx, time.Second), "lock lost on etcd: etcd does not have it any more", "FD-LOCK-LOST", hintStatus)
	if err := s.Write(t.Context(), epoch, "r1", []string{"{}"}); deploy.CodeOf(err) != "FD-LOCK-LOST" {
		t.Error(err)
	}
}
