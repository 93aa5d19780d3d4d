package remote_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// A lock is held in one session, and work goes on in the other.
func TestTwoSessionsAreEnoughForAll(t *testing.T) {
	s := remotetest.Start(t, "MaxSessions 2")
	m := s.Machine(t)
	lock, err := m.Open(t.Context(), "cat")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			if out, err := m.Run(t.Context(), fmt.Sprintf("sleep 0.3; echo %d", i)); err != nil || string(out) != fmt.Sprintln(i) {
				t.Errorf("%d: %q, %v", i, out, err)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(s.Log(), "no more sessions"); n > 6*60 {
		t.Errorf("%d sessions were refused", n)
	}
}

func TestOneSessionIsTooFewAndTold(t *testing.T) {
	m := remotetest.Start(t, "MaxSessions 1").Machine(t)
	lock, err := m.Open(t.Context(), "cat")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	began := time.Now()
	_, err = m.Run(t.Context(), "true")
	if want := `open a session: ssh: rejected: connect failed ("open failed")`; err == nil || err.Error() != want || code(err) != "FD-SSH-CHANNEL" {
		t.Errorf("says %v, want %s", err, want)
	}
	if want := "sshd on web1 allows 1 sessions a connection, and all are held: set MaxSessions to 10, as it is without a word, or to 2 at least"; hint(err) != want {
		t.Errorf("hint %q", hint(err))
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("told after %s", d)
	}
}

func TestNoSessionIsTold(t *testing.T) {
	_, err := remotetest.Start(t, "MaxSessions 0").Machine(t).Run(t.Context(), "true")
	if want := `open a session: ssh: rejected: connect failed ("open failed")`; err == nil || err.Error() != want || code(err) != "FD-SSH-CHANNEL" {
		t.Errorf("says %v, want %s", err, want)
	}
	if want := "sshd on web1 allows no session: set MaxSessions to 10, as it is without a word, or to 1 at least, on a balancer to 2"; hint(err) != want {
		t.Errorf("hint %q", hint(err))
	}
}

// Accounts whose login shell is none of sh's kind: all that it is given is one constant
// command.
func TestLoginShellsOfOtherKinds(t *testing.T) {
	for _, shell := range []string{"csh", "tcsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			path := remotetest.Need(t, shell)
			s := remotetest.Start(t, `ForceCommand exec `+path+` -c "$SSH_ORIGINAL_COMMAND"`)
			out, err := s.Machine(t).Run(t.Context(), `x='a "b" $c !d'; printf '%s\n' "$x"; echo "$((1+2))" 2>&1`)
			if err != nil || string(out) != "a \"b\" $c !d\n3\n" {
				t.Errorf("got %q, %v", out, err)
			}
			if n, err := s.Machine(t).Stream(t.Context(), "wc -c", strings.NewReader(strings.Repeat("x", 1<<20))); err != nil || strings.TrimSpace(string(n)) != "1048576" {
				t.Errorf("streamed %q, %v", n, err)
			}
		})
	}
}

func TestNoForwardingIsTold(t *testing.T) {
	for _, r := range []struct{ config, network, addr, text, code, hint string }{
		{"AllowTcpForwarding no", "tcp", "127.0.0.1:1", "administratively prohibited: open failed", "FD-SSH-FORWARD",
			`in sshd_config on web1: AllowTcpForwarding local, without DisableForwarding, no PermitOpen that leaves out 127.0.0.1:1, and no "restrict" before the key`},
		{"AllowStreamLocalForwarding no", "unix", "/run/socket", "connect failed: open failed", "FD-DIAL",
			"nothing answers at /run/socket when asked from web1, or its sshd forwards no sockets (AllowStreamLocalForwarding)"},
	} {
		m := remotetest.Start(t, r.config).Machine(t)
		_, err := m.DialContext(t.Context(), r.network, r.addr)
		if want := "dial " + r.addr + ": " + r.text; err == nil || err.Error() != want || code(err) != r.code || hint(err) != r.hint {
			t.Errorf("%s: says %v, want %s; hint %q", r.config, err, want, hint(err))
		}
		if out, err := m.Run(t.Context(), "echo well"); err != nil || string(out) != "well\n" {
			t.Errorf("%s: nothing else is touched by it: %q, %v", r.config, out, err)
		}
	}
}
