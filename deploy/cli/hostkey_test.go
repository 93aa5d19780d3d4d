package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// An unknown key stops everything, with the fingerprint to compare; nothing is
// written to known_hosts.
func TestAnUnknownHostKeyIsRefused(t *testing.T) {
	sshd := remotetest.Start(t)
	dir := t.TempDir()
	known, inv := filepath.Join(dir, "known_hosts"), filepath.Join(dir, "inventory.toml")
	write(t, known, "")
	write(t, filepath.Join(dir, "shop"), "#!/bin/sh\n")
	write(t, inv, inventoryAt(sshd))
	print, err := exec.Command("ssh-keygen", "-lf", filepath.Join(sshd.Dir, "host_ed25519.pub")).Output()
	if err != nil {
		remotetest.Lacking(t, "ssh-keygen")
	}
	fingerprint := strings.Fields(string(print))[1]

	got := flipdeploy(t, "rollout", "-i", inv)
	if got.code != 1 || got.stdout != "" {
		t.Errorf("code %d, stdout %q", got.code, got.stdout)
	}
	for _, want := range []string{
		"the host key ssh-ed25519 " + fingerprint + " is unknown: no line for it in " + known + " [FD-HOSTKEY-UNKNOWN]\n",
		"\nflipdeploy: hint: compare the fingerprint with the one on the machine",
	} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("stderr is\n%swant in it\n%s", got.stderr, want)
		}
	}
	if text := read(t, known); text != "" {
		t.Errorf("known_hosts was written: %q", text)
	}
}

func inventoryAt(s *remotetest.SSHD) string {
	return fmt.Sprintf(`
[app]
name = "shop"
artifact = "shop"
path = "/srv/shop"
port = 8080
[reload]
preset = "tableflip"
unit = "shop.service"
[ssh]
user = %[1]q
port = %[2]d
identity_file = %[3]q
known_hosts = "known_hosts"
[[lb]]
name = "edge1"
kind = "haproxy"
address = %[4]q
upstream = "shop"
socket = "/run/haproxy/admin.sock"
[[host]]
name = "web1"
address = %[4]q
`, s.User, s.Port, s.KeyFile, s.Address)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
