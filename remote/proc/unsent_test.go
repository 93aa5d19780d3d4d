package proc

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

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
