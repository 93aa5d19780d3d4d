package remote

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"
)

func TestKnownHostsAreReadOnceForAllAndAgainWhenTheyChange(t *testing.T) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	host, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	key := string(ssh.MarshalAuthorizedKey(host))
	file := filepath.Join(t.TempDir(), "known_hosts")
	read := func(text string) *hostKeys {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		keys, err := readHostKeys([]string{file})
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	one := read("10.0.0.1 " + key)
	if again := read("10.0.0.1 " + key); again != one {
		t.Error("the same bytes were read twice")
	}
	other := read("10.0.0.2 " + key) // as long, in the same moment
	if len(other.db.HostKeys("10.0.0.1:22")) != 0 || len(other.db.HostKeys("10.0.0.2:22")) != 1 {
		t.Error("another file is taken for the one before")
	}
	_ = os.Remove(file)
	if gone, err := readHostKeys([]string{file}); err != nil || len(gone.db.HostKeys("10.0.0.2:22")) != 0 {
		t.Errorf("a file that is gone is believed: %v", err)
	}
}
