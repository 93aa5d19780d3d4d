package remote_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// slowShell is an account whose shell takes a while to start, and the shells it had.
func slowShell(t *testing.T) (*remotetest.SSHD, func() (pids []int)) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "shells")
	s := remotetest.Start(t, "ForceCommand sleep 0.3; echo $$ >>"+log+"; exec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"")
	return s, func() (pids []int) {
		text, _ := os.ReadFile(log)
		for _, word := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
		return pids
	}
}

// What a script does to its shell ends with it; how it ended is its own.
func TestOneShellRunsOneScriptAfterAnother(t *testing.T) {
	s, shells := slowShell(t)
	m := s.Machine(t)
	for _, r := range []struct {
		script, out, stderr string
		code                int
	}{
		{"x=1; cd /; umask 077; trap 'echo bye' EXIT; exec 9>/dev/null; PATH=/none; echo one; exit 3", "one\nbye\n", "", 3},
		{`echo "$x,$(umask)" && { true >&9; } 2>/dev/null || echo "closed"; pwd >&2; exit 4`, ",0022\nclosed\n", "/", 4},
		{"printf 'no end of line'", "no end of line", "", 0},
		{"set -eu; false; echo not reached", "", "", 1},
		{"cat; kill -9 $(sh -c 'echo $PPID')", "", "Killed", 137},
		{"exit 300", "", "", 300 & 255},
		{"nosuchprogram", "", "not found", 127},
		{"echo '}'; (", "", "", -1}, // cannot be parsed: the shell ends, and nothing ran
		{"echo well", "well\n", "", 0},
	} {
		out, err := m.Run(t.Context(), r.script)
		var exit *remote.ExitError
		var not *remote.NotStartedError
		switch {
		case string(out) != r.out:
			t.Errorf("%s: %q, want %q", r.script, out, r.out)
		case r.code < 0 && errors.As(err, &not), r.code == 0 && err == nil:
		case r.code > 0 && errors.As(err, &exit) && exit.Status == r.code && exit.Signal == "" && (r.stderr == "/" || strings.Contains(err.Error(), r.stderr)):
		default:
			t.Errorf("%s: %v, want exit %d", r.script, err, r.code)
		}
	}
	if n := len(shells()); n != 3 {
		t.Errorf("%d shells, want one, which the script that no shell reads ends, as it does the next, and one more", n)
	}
	if out, err := m.Stream(t.Context(), "cat", strings.NewReader("payload")); err != nil || string(out) != "payload" {
		t.Errorf("streamed %q, %v", out, err)
	}
	if out, err := m.Run(t.Context(), "echo well"); err != nil || string(out) != "well\n" || len(shells()) != 4 {
		t.Errorf("after a script with stdin to itself: %q, %v, %d shells, want a new one", out, err, len(shells()))
	}
}

// What still runs is not to be read by the next script, and takes no other with it.
func TestAScriptThatIsGivenUpTakesItsShell(t *testing.T) {
	s, shells := slowShell(t)
	m := s.Machine(t)
	if _, err := m.Run(t.Context(), "true"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var unknown *remote.UnknownError
	if _, err := m.Run(ctx, "sleep 1; echo late"); !errors.As(err, &unknown) {
		t.Errorf("given up: %v", err)
	}
	if out, err := m.Run(t.Context(), "sleep 1; echo well"); err != nil || string(out) != "well\n" || len(shells()) != 2 {
		t.Errorf("%q, %v, %d shells", out, err, len(shells()))
	}
}

// What a script leaves behind may speak between two others.
func TestWhatIsLeftBehindIsNotTheNextScripts(t *testing.T) {
	m := remotetest.Start(t).Machine(t)
	if out, err := m.Run(t.Context(), "(sleep 0.3; echo late; echo late >&2) & echo well"); err != nil || string(out) != "well\n" {
		t.Errorf("%q, %v", out, err)
	}
	time.Sleep(500 * time.Millisecond)
	var exit *remote.ExitError
	if out, err := m.Run(t.Context(), "echo better; exit 1"); !errors.As(err, &exit) || string(out) != "better\n" || strings.Contains(err.Error(), "late") {
		t.Errorf("%q, %v", out, err)
	}
}

// A shell that waits must not keep out those that want its session.
func TestShellsThatWaitKeepNobodyOut(t *testing.T) {
	m := remotetest.Start(t, "MaxSessions 2").Machine(t)
	lock, err := m.Open(t.Context(), "cat")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	began := time.Now()
	for range 4 {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				for range 3 {
					if out, err := m.Run(t.Context(), "echo well"); err != nil || string(out) != "well\n" {
						t.Errorf("%q, %v", out, err)
					}
				}
			})
		}
		wg.Wait()
	}
	if d := time.Since(began); d > 30*time.Second {
		t.Errorf("36 scripts took %s: one waited for a shell that waited", d)
	}
}

// Whatever ends a shell that waits, before or after it was sent a script: that runs, and
// once.
func TestAShellThatEndsWhileItWaitsIsReplaced(t *testing.T) {
	for name, end := range map[string]func(pid int){
		"before": func(pid int) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			time.Sleep(200 * time.Millisecond)
		},
		"after": func(pid int) {
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			time.AfterFunc(500*time.Millisecond, func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, shells := slowShell(t)
			m := s.Machine(t)
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					if _, err := m.Run(t.Context(), "sleep 1"); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			for _, pid := range shells() {
				end(pid)
			}
			ran := filepath.Join(t.TempDir(), "ran")
			if _, err := m.Run(t.Context(), "echo x >>"+ran); err != nil {
				t.Fatal(err)
			}
			if text, _ := os.ReadFile(ran); string(text) != "x\n" {
				t.Errorf("ran %q", text)
			}
			for range 2 {
				if out, err := m.Run(t.Context(), "echo well"); err != nil || string(out) != "well\n" {
					t.Errorf("%q, %v", out, err)
				}
			}
			if n := len(shells()); n != 3 {
				t.Errorf("%d shells, want the two that were ended and one for all that came after", n)
			}
		})
	}
}
