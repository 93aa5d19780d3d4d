package proc

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

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
	h.cfg.Settle = 4 * time.Second
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
