package remote_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// Each hop has to prove who it is, and is named when it does not.
func TestEveryHopsHostKeyIsChecked(t *testing.T) {
	outer, inner, end := remotetest.Start(t), remotetest.Start(t), remotetest.Start(t)
	none := filepath.Join(t.TempDir(), "none")
	for i, bad := range []*remotetest.SSHD{outer, inner, end} {
		var via *remote.Machine
		for j, s := range []*remotetest.SSHD{outer, inner, end} {
			c := s.Config()
			c.Via = via
			if j == i {
				c.KnownHosts = []string{none}
			}
			via = remotetest.Machine(t, c)
		}
		err := via.Connect(t.Context())
		if code(err) != "FD-HOSTKEY-UNKNOWN" || !strings.HasPrefix(err.Error(), "connect to "+bad.HostPort()+": the host key ssh-ed25519 SHA256:") {
			t.Errorf("hop %d: got %v", i, err)
		}
	}
}

func TestAHopThatSaysNothingIsNamedInTime(t *testing.T) {
	mute, end := remotetest.Misbehave(t, remotetest.Manners{Silent: true}), remotetest.Start(t)
	c := mute.Config()
	c.ConnectTimeout = 300 * time.Millisecond
	behind := end.Config()
	behind.Via = remotetest.Machine(t, c)
	began := time.Now()
	err := remotetest.Machine(t, behind).Connect(t.Context())
	if want := "connect to " + mute.Addr + ": no answer in time"; err == nil || err.Error() != want || time.Since(began) > 3*time.Second {
		t.Errorf("got %v after %s, want %s", err, time.Since(began), want)
	}
	c.Via = end.Machine(t)
	began = time.Now()
	err = remotetest.Machine(t, c).Connect(t.Context())
	if want := "connect to " + mute.Addr + ": no answer in time"; err == nil || err.Error() != want || time.Since(began) > 3*time.Second {
		t.Errorf("behind a hop: got %v after %s, want %s", err, time.Since(began), want)
	}
}

// An agent may wait for a person, or hang; the run may end meanwhile.
func TestAnAgentThatHangsEndsWithTheRun(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "agent"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	t.Setenv("SSH_AUTH_SOCK", l.Addr().String())
	c := remotetest.Start(t).Config()
	c.IdentityFiles = nil
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := remotetest.Machine(t, c).Connect(ctx); err == nil || time.Since(began) > 3*time.Second {
		t.Errorf("got %v after %s", err, time.Since(began))
	}
}

// The key in a certificate counts as well: who stole it may have the certificate, too.
func TestACertificateOfARevokedKeyIsRefused(t *testing.T) {
	ca, host := authority(t), remotetest.WriteKey(t, filepath.Join(t.TempDir(), "host"))
	sign(t, ca, host, "-h", "-n", "127.0.0.1")
	s := remotetest.Start(t, "HostKey "+host, "HostCertificate "+host+"-cert.pub")
	trusted, _ := os.ReadFile(ca + ".pub")
	stolen, _ := os.ReadFile(host + ".pub")
	_ = os.WriteFile(s.KnownHosts, []byte("@cert-authority * "+string(trusted)+"@revoked * "+string(stolen)), 0o600)
	if err := remotetest.Machine(t, s.Config()).Connect(t.Context()); code(err) != "FD-HOSTKEY-REVOKED" {
		t.Errorf("got %v", err)
	}
}

func TestACertificateSignedWithSHA1IsRefused(t *testing.T) {
	ca, host := filepath.Join(t.TempDir(), "ca"), remotetest.WriteKey(t, filepath.Join(t.TempDir(), "host"))
	keygen(t, "-t", "rsa", "-f", ca)
	sign(t, ca, host, "-h", "-n", "127.0.0.1", "-t", "ssh-rsa")
	s := remotetest.Start(t, "HostKey "+host, "HostCertificate "+host+"-cert.pub")
	public, _ := os.ReadFile(ca + ".pub")
	_ = os.WriteFile(s.KnownHosts, []byte("@cert-authority * "+string(public)), 0o600)
	print := strings.Fields(fingerprint(t, host))[1]
	refused(t, s.Config(), "FD-HOSTKEY-CERT", "the host certificate ssh-ed25519-cert-v01@openssh.com "+print+" is not good: it was signed with SHA-1, which is no longer safe")
}
