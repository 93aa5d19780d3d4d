package remote_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

func scanned(t *testing.T, m *remote.Machine) string {
	t.Helper()
	keys, err := m.HostKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, k := range keys {
		if !strings.HasPrefix(k.Fingerprint(), "SHA256:") || k.Machine != "web1" {
			t.Errorf("%+v has fingerprint %s", k, k.Fingerprint())
		}
		all = append(all, k.Type()+" "+string(k.Trust))
	}
	return strings.Join(all, ", ")
}

func twoKeys(t *testing.T) *remotetest.SSHD {
	t.Helper()
	ecdsa := filepath.Join(t.TempDir(), "host_ecdsa")
	keygen(t, "-t", "ecdsa", "-f", ecdsa)
	return remotetest.Start(t, "HostKey "+ecdsa)
}

func TestHostKeysAreShownAndWrittenOnlyWhenAskedTo(t *testing.T) {
	sshd := twoKeys(t)
	file := filepath.Join(t.TempDir(), "new", "known_hosts")
	m := remote.New(remote.Config{Name: "web1", Address: sshd.Address, Port: sshd.Port, User: sshd.User, IdentityFiles: []string{sshd.KeyFile}, KnownHosts: []string{file}})
	defer m.Close()
	if got := scanned(t, m); got != "ssh-ed25519 unknown, ecdsa-sha2-nistp256 unknown" {
		t.Fatalf("offers %s", got)
	}
	if _, err := os.Stat(filepath.Dir(file)); err == nil {
		t.Fatal("the look left something behind")
	}
	keys, _ := m.HostKeys(t.Context())
	for _, want := range []int{2, 0} { // the second time all is there
		if n, err := remote.WriteKnownHosts(file, append(keys, keys...)); n != want || err != nil {
			t.Errorf("wrote %d, want %d: %v", n, want, err)
		}
	}
	if got := scanned(t, m); got != "ssh-ed25519 known, ecdsa-sha2-nistp256 known" {
		t.Errorf("afterwards offers %s", got)
	}
	if err := m.Connect(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAMachineWithAKnownKeyMayHaveMore(t *testing.T) {
	sshd := twoKeys(t)
	m := remote.New(remote.Config{Name: "web1", Address: sshd.Address, Port: sshd.Port, KnownHosts: []string{sshd.KnownHosts}})
	defer m.Close()
	if got := scanned(t, m); got != "ssh-ed25519 known, ecdsa-sha2-nistp256 more" {
		t.Errorf("offers %s", got)
	}
}

func TestAChangedHostKeyIsShownWithFileAndLine(t *testing.T) {
	sshd, other := remotetest.Start(t), remotetest.Start(t)
	theirs, err := remote.New(remote.Config{Name: "other", Address: other.Address, Port: other.Port, KnownHosts: []string{other.KnownHosts}}).HostKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "known_hosts")
	theirs[0].Addr = fmt.Sprintf("%s:%d", sshd.Address, sshd.Port)
	if err := os.WriteFile(file, []byte("# ours"), 0o600); err != nil { // without a line's end
		t.Fatal(err)
	}
	if n, err := remote.WriteKnownHosts(file, theirs); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	m := remote.New(remote.Config{Name: "web1", Address: sshd.Address, Port: sshd.Port, KnownHosts: []string{file}})
	keys, err := m.HostKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := "the host key has changed: it is ssh-ed25519 " + keys[0].Fingerprint() + ", known is ssh-ed25519 " + theirs[0].Fingerprint() + " (" + file + ":2)"
	if keys[0].Trust != remote.TrustChanged || keys[0].Err.Error() != want {
		t.Errorf("%s: %v\nwant %s", keys[0].Trust, keys[0].Err, want)
	}
}

func TestNoHostKeysOfAMachineThatDoesNotAnswer(t *testing.T) {
	m := remote.New(remote.Config{Name: "web1", Address: "127.0.0.1", Port: 1, KnownHosts: []string{"none"}})
	_, err := m.HostKeys(t.Context())
	if err == nil || err.Error() != "connect to 127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused" {
		t.Errorf("says %v", err)
	}
}
