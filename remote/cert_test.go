package remote_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// sign has an authority certify the public half of a key, beside it.
func sign(t *testing.T, ca, key string, args ...string) {
	t.Helper()
	args = append([]string{"-q", "-s", ca, "-I", "test"}, append(args, key+".pub")...)
	if out, err := exec.Command(remotetest.Need(t, "ssh-keygen"), args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func authority(t *testing.T) string {
	t.Helper()
	return remotetest.WriteKey(t, filepath.Join(t.TempDir(), "ca"))
}

func TestACertificateBesideTheKeyOpensAnSSHDThatKnowsNoKeys(t *testing.T) {
	ca := authority(t)
	s := remotetest.Start(t, "TrustedUserCAKeys "+ca+".pub", "AuthorizedKeysFile none")
	key := remotetest.WriteKey(t, filepath.Join(t.TempDir(), "id"))
	c := s.Config()
	c.IdentityFiles = []string{key}
	refused(t, c, "FD-SSH-AUTH", "no key was accepted; offered: "+key+" ("+fingerprint(t, key)+")")
	sign(t, ca, key, "-n", s.User, "-V", "-1d:+1d")
	if err := remotetest.Machine(t, c).Connect(t.Context()); err != nil {
		t.Error(err)
	}
	anAgent(t, key) // which has the key and not the certificate
	_ = os.Remove(key)
	if err := remotetest.Machine(t, c).Connect(t.Context()); err != nil {
		t.Errorf("with an agent and the public half: %v", err)
	}
}

func TestAnExpiredCertificateIsTold(t *testing.T) {
	ca := authority(t)
	s := remotetest.Start(t, "TrustedUserCAKeys "+ca+".pub", "AuthorizedKeysFile none")
	key := remotetest.WriteKey(t, filepath.Join(t.TempDir(), "id"))
	sign(t, ca, key, "-n", s.User, "-V", "20200101000000Z:20200102000000Z")
	c := s.Config()
	c.IdentityFiles = []string{key}
	print := strings.Fields(fingerprint(t, key))[1]
	refused(t, c, "FD-SSH-AUTH", fmt.Sprintf("no key was accepted; offered: %s-cert.pub (ssh-ed25519-cert-v01@openssh.com %s, expired 2020-01-02 00:00:00), %s (ssh-ed25519 %s)",
		key, print, key, print))
}

func TestACertificateForOthersIsTold(t *testing.T) {
	ca := authority(t)
	s := remotetest.Start(t, "TrustedUserCAKeys "+ca+".pub", "AuthorizedKeysFile none")
	key := remotetest.WriteKey(t, filepath.Join(t.TempDir(), "id"))
	c := s.Config()
	c.IdentityFiles = []string{key}
	print := strings.Fields(fingerprint(t, key))[1]
	for args, who := range map[string]string{"-n ci,\x1b[31mops": "ci, \\x1b[31mops", "": "nobody"} {
		_ = os.Remove(key + "-cert.pub")
		sign(t, ca, key, strings.Fields(args)...)
		refused(t, c, "FD-SSH-AUTH", fmt.Sprintf("no key was accepted; offered: %s-cert.pub (ssh-ed25519-cert-v01@openssh.com %s, for %s), %s (ssh-ed25519 %s)",
			key, print, who, key, print))
	}
	want := "put one of these keys into ~" + s.User + "/.ssh/authorized_keys there, or beside it here (…-cert.pub) a certificate for " + s.User + " by an authority of its TrustedUserCAKeys"
	if s.User == "root" {
		want += ", and have sshd_config there say PermitRootLogin prohibit-password"
	}
	if h := hint(remotetest.Machine(t, c).Connect(t.Context())); h != want+fmt.Sprintf(", then try: ssh -p %d %s@127.0.0.1 true", s.Port, s.User) {
		t.Errorf("hint %q", h)
	}
}

func TestAHostCertificateByAKnownAuthorityIsTrusted(t *testing.T) {
	for _, kind := range []string{"ed25519", "rsa"} { // the authority's own type says nothing of what it signs
		ca, host := authority(t), filepath.Join(t.TempDir(), "host")
		keygen(t, "-t", kind, "-f", host)
		sign(t, ca, host, "-h", "-n", "127.0.0.1")
		s := remotetest.Start(t, "HostKey "+host, "HostCertificate "+host+"-cert.pub")
		public, _ := os.ReadFile(ca + ".pub")
		c := s.Config()
		for _, pattern := range []string{"127.0.0.1", "*", fmt.Sprintf("[127.0.0.1]:%d", s.Port)} {
			_ = os.WriteFile(s.KnownHosts, []byte("@cert-authority "+pattern+" "+string(public)), 0o600)
			if err := remotetest.Machine(t, c).Connect(t.Context()); err != nil {
				t.Errorf("%s, for %s: %v", kind, pattern, err)
			}
		}
		_ = os.WriteFile(s.KnownHosts, append([]byte("@cert-authority * "+string(public)), "@revoked * "+string(public)...), 0o600)
		if err := remotetest.Machine(t, c).Connect(t.Context()); code(err) != "FD-HOSTKEY-REVOKED" {
			t.Errorf("%s, by a revoked authority: %v", kind, err)
		}
	}
}

func TestHostCertificatesThatAreNotGoodAreRefused(t *testing.T) {
	ca, host := authority(t), remotetest.WriteKey(t, filepath.Join(t.TempDir(), "host"))
	for _, r := range []struct{ args, text string }{
		{"-h -n web9", `principal "127.0.0.1" not in the set of valid principals for given certificate: ["web9"]`},
		{"-h -n 127.0.0.1 -V 20200101000000Z:20200102000000Z", "expired 2020-01-02 00:00:00"},
	} {
		sign(t, ca, host, strings.Fields(r.args)...)
		s := remotetest.Start(t, "HostKey "+host, "HostCertificate "+host+"-cert.pub")
		public, _ := os.ReadFile(ca + ".pub")
		_ = os.WriteFile(s.KnownHosts, []byte("@cert-authority * "+string(public)), 0o600)
		print := strings.Fields(fingerprint(t, host))[1]
		refused(t, s.Config(), "FD-HOSTKEY-CERT", "the host certificate ssh-ed25519-cert-v01@openssh.com "+print+" is not good: "+r.text)

		other := authority(t) // one that we do not know: as ssh, we then go by the key in it
		public, _ = os.ReadFile(other + ".pub")
		_ = os.WriteFile(s.KnownHosts, []byte("@cert-authority * "+string(public)), 0o600)
		refused(t, s.Config(), "FD-HOSTKEY-UNKNOWN", "the host key ssh-ed25519 "+print+" is unknown: no line for it in "+s.KnownHosts)
	}
}

func TestHashedLinesAndLinesWithoutThePortAreKnown(t *testing.T) {
	s := remotetest.Start(t)
	hash := func() {
		if out, err := exec.Command("ssh-keygen", "-H", "-f", s.KnownHosts).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	hash()
	if text, _ := os.ReadFile(s.KnownHosts); !strings.HasPrefix(string(text), "|1|") {
		t.Fatalf("not hashed: %s", text)
	}
	if err := s.Machine(t).Connect(t.Context()); err != nil {
		t.Errorf("hashed: %v", err)
	}
	public, _ := os.ReadFile(filepath.Join(s.Dir, "host_ed25519.pub"))
	_ = os.WriteFile(s.KnownHosts, append([]byte("127.0.0.1 "), public...), 0o600)
	for range 2 {
		if err := s.Machine(t).Connect(t.Context()); err != nil {
			t.Errorf("without the port: %v", err)
		}
		hash()
	}
	other, _ := os.ReadFile(authority(t) + ".pub")
	_ = os.WriteFile(s.KnownHosts, fmt.Appendf(nil, "127.0.0.1 %s[127.0.0.1]:%d %s", public, s.Port, other), 0o600)
	if err := s.Machine(t).Connect(t.Context()); code(err) != "FD-HOSTKEY-CHANGED" {
		t.Errorf("with another key at the port: %v", err)
	}
}

func TestAPersonIsAskedOnceForAPassphrase(t *testing.T) {
	s := remotetest.Start(t)
	key := filepath.Join(t.TempDir(), "locked")
	keygen(t, "-t", "ed25519", "-f", key)
	if out, err := exec.Command("ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", "secret", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	public, _ := os.ReadFile(key + ".pub")
	_ = os.WriteFile(filepath.Join(s.Dir, "authorized_keys"), public, 0o600)
	typed := []string{"wrong", "secret", "never"}
	c := s.Config()
	c.IdentityFiles = []string{key}
	c.Passphrase = func(_ context.Context, from string) (string, error) {
		if from != key {
			t.Errorf("asked for %s", from)
		}
		phrase := typed[0]
		typed = typed[1:]
		return phrase, nil
	}
	for range 3 {
		if err := remotetest.Machine(t, c).Connect(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if len(typed) != 1 {
		t.Errorf("asked %d times, want 2", 3-len(typed))
	}
	other := filepath.Join(t.TempDir(), "other")
	keygen(t, "-t", "ed25519", "-f", other, "-C", "other")
	if out, err := exec.Command("ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", "secret", "-f", other).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.IdentityFiles = []string{other}
	c.Passphrase = func(context.Context, string) (string, error) { return "", errors.New("it is empty") }
	refused(t, c, "FD-SSH-KEY", "key "+other+": it is encrypted and no passphrase was given: it is empty")
}
