package remote_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// logins is how many connections sshd let in, once it has written all of them.
func logins(s *remotetest.SSHD, want int) int {
	count := func() int { return strings.Count(s.Log(), "Accepted publickey") }
	for end := time.Now().Add(2 * time.Second); count() < want && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	return count()
}

func TestTwoBastionsInARowCarryManyMachinesInOneConnectionEach(t *testing.T) {
	outer, inner, end := remotetest.Start(t, "PermitTTY no", "ForceCommand /bin/false"), remotetest.Start(t, "MaxSessions 0"), remotetest.Start(t)
	first := outer.Machine(t)
	c := inner.Config()
	c.Via = first
	second := remotetest.Machine(t, c)
	var wg sync.WaitGroup
	for i := range 12 {
		c := end.Config()
		c.Via = second
		m := remotetest.Machine(t, c)
		wg.Go(func() {
			if out, err := m.Run(t.Context(), fmt.Sprint("echo ", i)); err != nil || string(out) != fmt.Sprintln(i) {
				t.Errorf("%d: %q, %v", i, out, err)
			}
		})
	}
	wg.Wait()
	if a, b, c := logins(outer, 1), logins(inner, 1), logins(end, 12); a != 1 || b != 1 || c != 12 {
		t.Errorf("%d, %d and %d logins, want 1, 1 and 12", a, b, c)
	}
}

func TestABastionThatCannotBeReachedIsAskedOnceForAll(t *testing.T) {
	bastion := remotetest.Start(t)
	_ = os.WriteFile(filepath.Join(bastion.Dir, "authorized_keys"), nil, 0o600)
	via := bastion.Machine(t)
	var wg sync.WaitGroup
	for range 12 {
		m := remotetest.Machine(t, remote.Config{Name: "web1", Address: "10.255.255.1", Via: via, KnownHosts: []string{bastion.KnownHosts}})
		wg.Go(func() {
			err := m.Connect(t.Context())
			if code(err) != "FD-SSH-AUTH" || !strings.HasPrefix(err.Error(), "connect to "+bastion.HostPort()+": no key was accepted; offered: ") {
				t.Errorf("got %v", err)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(bastion.Log(), "Connection from"); n > 4 { // the first asked only whether sshd listens
		t.Errorf("%d connections", n-1)
	}
}

func TestABastionThatForwardsNothingIsTold(t *testing.T) {
	bastion, end := remotetest.Start(t, "AllowTcpForwarding no"), remotetest.Start(t)
	c := end.Config()
	c.Via = bastion.Machine(t)
	err := remotetest.Machine(t, c).Connect(t.Context())
	if want := "dial " + end.HostPort() + " through web1: administratively prohibited: open failed"; err == nil || err.Error() != want || code(err) != "FD-SSH-FORWARD" {
		t.Errorf("got %v, want %s", err, want)
	}
	if want := `in sshd_config on web1: AllowTcpForwarding local, without DisableForwarding, no PermitOpen that leaves out ` + end.HostPort() + `, and no "restrict" before the key`; hint(err) != want {
		t.Errorf("hint %q", hint(err))
	}
}

func TestMachinesBehindABastionAreLostWithItAndFoundAgain(t *testing.T) {
	bastion, end := remotetest.Start(t), remotetest.Start(t)
	cable := remotetest.Plug(t, bastion.HostPort())
	bastion.TrustAt(t, fmt.Sprint("127.0.0.1:", cable.Port()))
	b := bastion.Config()
	b.Port = cable.Port()
	c := end.Config()
	c.Via = remotetest.Machine(t, b)
	m := remotetest.Machine(t, c)
	if _, err := m.Run(t.Context(), ":"); err != nil {
		t.Fatal(err)
	}
	cable.Cut()
	for end := time.Now().Add(3 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, err := m.Run(t.Context(), ":")
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("afterwards: %v", err)
		}
	}
}

func TestManyMachinesBehindOneSSHDNeverMeetItsLimits(t *testing.T) {
	s := remotetest.Start(t, "MaxStartups 10:30:100", "MaxSessions 10")
	var wg sync.WaitGroup
	for range 40 {
		m := s.Machine(t)
		wg.Go(func() {
			if _, err := m.Run(t.Context(), "true"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if log := s.Log(); strings.Contains(log, "MaxStartups") || strings.Contains(log, "no more sessions") {
		t.Errorf("sshd's limits were met:\n%s", log)
	}
}

func TestIPv6(t *testing.T) {
	s := remotetest.StartAt(t, "::1")
	if out, err := s.Machine(t).Run(t.Context(), "echo ${SSH_CONNECTION%% *}"); err != nil || string(out) != "::1\n" {
		t.Errorf("got %q, %v", out, err)
	}
}
