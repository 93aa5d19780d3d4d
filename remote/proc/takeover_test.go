package proc

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestReloadStartsWhereNothingRuns(t *testing.T) {
	h := newHost(t)
	h.release("v1", "")
	h.flip("v1")
	a := h.app()
	r, err := a.Running(t.Context())
	must(t, err)
	if r.Release != "" {
		t.Fatalf("running before the start: %+v", r)
	}
	must(t, a.Reload(t.Context(), "v1"))
	must(t, a.Settled(t.Context(), "v1"))
	must(t, a.Alive(t.Context(), "v1"))
	r, err = a.Running(t.Context())
	must(t, err)
	if r.Release != "v1" || r.PID != h.pid() || h.version() != "v1" {
		t.Fatalf("running %+v, pid file %d, version %q", r, h.pid(), h.version())
	}
}

func TestReloadHandsOverAndBack(t *testing.T) {
	h := newHost(t)
	a := h.up("v1", "")
	h.release("v2", "")
	for _, id := range []string{"v2", "v1", "v2"} {
		h.flip(id)
		old := h.pid()
		must(t, a.Reload(t.Context(), id))
		if h.version() != id || h.pid() == old {
			t.Fatalf("version %q, pid %d was %d", h.version(), h.pid(), old)
		}
		must(t, a.Settled(t.Context(), id))
		if p := h.processes(); !slices.Equal(p, []int{h.pid()}) {
			t.Fatalf("processes %v, want only %d", p, h.pid())
		}
		must(t, a.Alive(t.Context(), id))
	}
}

func TestAReleaseIsKnownAfterItsFileIsGone(t *testing.T) {
	h := newHost(t)
	a := h.up("v1", "")
	must(t, os.RemoveAll(h.path("releases/v1")))
	r, err := a.Running(t.Context())
	must(t, err)
	if r.Release != "v1" || !strings.HasSuffix(r.Exe, " (deleted)") {
		t.Fatalf("running %+v", r)
	}
}

// bad takes v2 with a mode over from v1 and wants a verdict within a time; then it
// undoes and wants v1 back, alone.
func bad(t *testing.T, v1, v2, code string, within time.Duration) error {
	t.Helper()
	h := newHost(t)
	h.cfg.Timeout = 3500 * time.Millisecond
	a := h.up("v1", v1)
	h.release("v2", v2)
	h.flip("v2")
	began := time.Now()
	err := a.Reload(t.Context(), "v2")
	took := time.Since(began)
	wantCode(t, err, code)
	if took > within {
		t.Errorf("verdict after %v, want %v", took, within)
	}
	h.flip("v1")
	must(t, a.Restore(t.Context(), "v1"))
	undone := time.Since(began)
	must(t, a.Settled(t.Context(), "v1"))
	t.Logf("verdict after %v, undone after %v, settled after %v", took, undone, time.Since(began))
	if p := h.processes(); h.version() != "v1" || len(p) != 1 {
		t.Errorf("after the undo: version %q, processes %v", h.version(), p)
	}
	return err
}

func TestAReleaseThatDiesAtOnceIsRefused(t *testing.T) {
	t.Parallel()
	err := bad(t, "", "crash", "FD-TAKEOVER-REFUSED", 4500*time.Millisecond)
	wantLine(t, evidenceOf(err), `cannot read \x1b[31mconfig\x1b[0m: no such key`)
}

func TestAReleaseThatDiesAtStartIsRefused(t *testing.T) {
	t.Parallel()
	err := bad(t, "", "crash slowly", "FD-TAKEOVER-REFUSED", 3*time.Second)
	if !strings.HasPrefix(err.Error(), "takeover: the new process (pid ") || !strings.Contains(err.Error(), ") ended before it served; pid ") {
		t.Errorf("error %q", err)
	}
}

func TestAReleaseThatHangsIsEndedByTheUndo(t *testing.T) {
	t.Parallel()
	err := bad(t, "", "hang", "FD-TAKEOVER-HUNG", 6*time.Second)
	wantLine(t, evidenceOf(err), "waiting for the database")
}

func TestAnIgnoredSignalIsNamed(t *testing.T) {
	t.Parallel()
	err := bad(t, "ignore", "", "FD-TAKEOVER-IGNORED", 6*time.Second)
	if !strings.HasSuffix(err.Error(), " still serves and no new process was seen within 3.5s") {
		t.Errorf("error %q", err)
	}
}

func TestASignalThatTheKernelDropsIsNotSent(t *testing.T) {
	t.Parallel()
	err := bad(t, "sigign", "", "FD-TAKEOVER-IGNORED", time.Second)
	if !strings.HasSuffix(err.Error(), " ignores HUP; nothing was sent") {
		t.Errorf("error %q", err)
	}
}

func TestASignalThatKillsIsDead(t *testing.T) {
	t.Parallel()
	err := bad(t, "unhandled", "", "FD-TAKEOVER-DEAD", 3*time.Second)
	if !strings.Contains(err.Error(), " ended and nothing listens on port ") {
		t.Errorf("error %q", err)
	}
}

func TestAProgramOfAnotherReleaseIsWrong(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	a := h.up("v1", "")
	h.release("v2", "") // current was not flipped: v1 is executed again
	err := a.Reload(t.Context(), "v2")
	wantCode(t, err, "FD-TAKEOVER-WRONG-RELEASE")
	if got, want := err.Error(), "takeover: the new process runs v1, not v2"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	must(t, a.Restore(t.Context(), "v1"))
}

func TestALateDeathIsSeenWhileSettling(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Settle = 3 * time.Second
	a := h.up("v1", "")
	h.release("v2", "late")
	h.flip("v2")
	must(t, a.Reload(t.Context(), "v2"))
	err := a.Settled(t.Context(), "v2")
	wantCode(t, err, "FD-LATE-DEATH")
	wantLine(t, evidenceOf(err), "out of memory")
	wantCode(t, a.Alive(t.Context(), "v2"), "FD-LATE-DEATH")
	h.flip("v1")
	must(t, a.Restore(t.Context(), "v1"))
	if h.version() != "v1" {
		t.Errorf("version %q", h.version())
	}
}

func TestABadReleaseThatServesIsReloadedBack(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	a := h.up("v1", "")
	h.release("v2", "")
	h.flip("v2")
	must(t, a.Reload(t.Context(), "v2"))
	h.flip("v1")
	must(t, a.Restore(t.Context(), "v1")) // while the old process may still drain
	must(t, a.Settled(t.Context(), "v1"))
	if p := h.processes(); h.version() != "v1" || len(p) != 1 {
		t.Errorf("version %q, processes %v", h.version(), p)
	}
}

func TestRestoreToNothingStopsTheApp(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	a := h.up("v1", "hang-not")
	must(t, a.Restore(t.Context(), ""))
	if p := h.processes(); len(p) != 0 {
		t.Errorf("still there: %v", p)
	}
	must(t, a.Restore(t.Context(), ""))
}

func TestAStartThatFailsTellsItsWords(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Start = []string{"sh", "-c", "echo no such user >&2; exit 3"}
	err := h.app().Reload(t.Context(), "v1")
	wantCode(t, err, "FD-TAKEOVER-DEAD")
	want := fmt.Sprintf("takeover: nothing listens on port %d; the start command ended with 3", h.port)
	if err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	wantLine(t, evidenceOf(err), "no such user")
}

func TestAReleaseThatNeverListensIsHungAndStopped(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.cfg.Timeout = 2 * time.Second
	h.cfg.Start = []string{h.path("current/app"), "-addr", fmt.Sprintf("127.0.0.1:%d", freePort(t))}
	h.release("v1", "")
	h.flip("v1")
	a := h.app()
	wantCode(t, a.Reload(t.Context(), "v1"), "FD-TAKEOVER-HUNG")
	must(t, a.Restore(t.Context(), ""))
	if p := h.processes(); len(p) != 0 {
		t.Errorf("still there: %v", p)
	}
}

func TestTheSignalIsNotSentToAnotherProcess(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	a := h.up("v1", "")
	s, err := a.steady(t.Context(), "v2")
	must(t, err)
	for _, moved := range []struct {
		what   string
		change func(p *process)
	}{
		{"start time", func(p *process) { p.start-- }},
		{"executable", func(p *process) { p.ino = "1:1" }},
		{"user", func(p *process) { p.uid++ }},
	} {
		p := *s.main
		moved.change(&p)
		err := a.handOver(t.Context(), "v1", spot{main: &p})
		want := fmt.Sprintf("reload: pid %d is not the process any more that was looked at (moved %s); nothing was sent", p.pid, moved.what)
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if p := h.processes(); len(p) != 1 {
		t.Errorf("processes %v", p)
	}
}

// lossy loses the answer of the first script that changes something, before or
// after it ran.
type lossy struct {
	local
	ran  bool
	lost int
}

type unknownError struct{}

func (unknownError) Error() string        { return "connection lost" }
func (unknownError) OutcomeUnknown() bool { return true }

func (l *lossy) Run(ctx context.Context, script string) ([]byte, error) {
	if !strings.HasPrefix(script, "{") {
		return l.local.Run(ctx, script)
	}
	if l.lost++; l.ran {
		if _, err := l.local.Run(ctx, script); err != nil {
			return nil, err
		}
	}
	return nil, unknownError{}
}

func TestAnUnknownEndingIsAskedForAndNeverSentAgain(t *testing.T) {
	t.Parallel()
	for _, ran := range []bool{true, false} {
		h := newHost(t)
		h.cfg.Timeout = time.Second
		h.up("v1", "")
		h.release("v2", "")
		h.flip("v2")
		r := &lossy{ran: ran}
		err := New(h.cfg, r).Reload(t.Context(), "v2")
		if ran {
			must(t, err)
		} else {
			wantCode(t, err, "FD-TAKEOVER-IGNORED")
		}
		if r.lost != 1 {
			t.Errorf("sent %d times", r.lost)
		}
	}
}

func TestAPortThatOnlyAStrangerHoldsIsNotSignalled(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	a := h.up("v1", "")
	elsewhere := newHost(t)
	elsewhere.cfg.Port, elsewhere.cfg.PIDFile = h.port, ""
	b := elsewhere.app()
	r, err := b.Running(t.Context())
	must(t, err)
	if r.Release != "?" {
		t.Errorf("running %+v", r)
	}
	err = b.Reload(t.Context(), "v1")
	wantCode(t, err, "FD-PID-AMBIGUOUS")
	if !strings.HasPrefix(err.Error(), "nothing but the port says that this is the app: port ") {
		t.Errorf("error %q", err)
	}
	must(t, b.Restore(t.Context(), ""))
	must(t, a.Alive(t.Context(), "v1"))
}

func TestTwoRootsAreRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	a := h.up("v1", "")
	h.cfg.Start = append([]string{h.path("current/app"), "-addr", fmt.Sprintf("127.0.0.2:%d", h.port)}, "-exec", "/x")
	must(t, h.app().command(t.Context(), h.cfg.Start, "start"))
	for len(h.processes()) < 2 {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	_, err := a.Running(t.Context())
	wantCode(t, err, "FD-PID-AMBIGUOUS")
	if !strings.HasPrefix(err.Error(), "2 processes listen side by side: port ") {
		t.Errorf("error %q", err)
	}
	h.cfg.Address = "127.0.0.1"
	r, err := h.app().Running(t.Context())
	must(t, err)
	if r.PID != h.pid() {
		t.Errorf("running %+v, want pid %d", r, h.pid())
	}
}

func TestAStalePIDFileIsRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	a := h.up("v1", "")
	must(t, os.WriteFile(h.path("pid"), []byte("1\n"), 0o644))
	_, err := a.Running(t.Context())
	wantCode(t, err, "FD-PID-AMBIGUOUS")
	if !strings.HasPrefix(err.Error(), "the pid file names another process than the one that listens: ") &&
		!strings.HasPrefix(err.Error(), "the pid file names no living process: ") {
		t.Errorf("error %q", err)
	}
}

func TestAHungAppIsReplaced(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.up("v1", "")
	must(t, syscall.Kill(h.pid(), syscall.SIGSTOP))
	h.release("v2", "")
	h.flip("v2")
	h.cfg.Timeout = 2 * time.Second
	a := h.app()
	wantCode(t, a.Reload(t.Context(), "v2"), "FD-TAKEOVER-IGNORED")
	must(t, a.replace(t.Context(), "v2"))
	if h.version() != "v2" {
		t.Errorf("version %q", h.version())
	}
}

func wantLine(t *testing.T, lines []string, want string) {
	t.Helper()
	if !slices.Contains(lines, want) {
		t.Errorf("evidence %q\nlacks %q", lines, want)
	}
}
