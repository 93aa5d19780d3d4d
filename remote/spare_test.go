package remote_test

import (
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

// ahead is the machine of s as if it were far away.
func ahead(t *testing.T, s *remotetest.SSHD) *remote.Machine {
	c := s.Config()
	c.Ahead = 1
	return remotetest.Machine(t, c)
}

func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for range 500 {
		if so() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal(what)
}

func TestTheNextShellStartsWhileThisOneWorks(t *testing.T) {
	s, shells := slowShell(t)
	m := ahead(t, s)
	for _, n := range []int{1, 2, 3, 6, 7} { // a few scripts alone need no shell beside
		began := time.Now()
		if out, err := m.Run(t.Context(), "echo well"); err != nil || string(out) != "well\n" {
			t.Fatalf("%q, %v", out, err)
		}
		if d := time.Since(began); n == 7 && d > 250*time.Millisecond {
			t.Errorf("it waited for a shell: %s", d)
		}
		await(t, "no shell waits", func() bool { return len(shells()) == n })
		time.Sleep(50 * time.Millisecond)
	}
	if out, err := m.Stream(t.Context(), "cat", strings.NewReader("payload")); err != nil || string(out) != "payload" {
		t.Errorf("streamed %q, %v", out, err)
	}
}

// A shell that waits must not keep out those that want its session.
func TestShellsThatWaitKeepNobodyOut(t *testing.T) {
	m := ahead(t, remotetest.Start(t, "MaxSessions 2"))
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

func TestNoShellWaitsNearby(t *testing.T) {
	s, shells := slowShell(t)
	c := s.Config()
	c.Ahead = time.Hour
	m := remotetest.Machine(t, c)
	for range 5 {
		if _, err := m.Run(t.Context(), "true"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(shells()); n != 5 {
		t.Errorf("%d shells for 5 scripts", n)
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
			m := ahead(t, s)
			for range 5 {
				if _, err := m.Run(t.Context(), "true"); err != nil {
					t.Fatal(err)
				}
				time.Sleep(450 * time.Millisecond)
			}
			await(t, "no shells wait", func() bool { return len(shells()) == 7 })
			for _, pid := range shells()[1:] { // of which two live
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
			if n := len(shells()); n != 10 {
				t.Errorf("%d shells: where one does not wait, no other is to", n)
			}
		})
	}
}
