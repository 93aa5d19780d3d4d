package cli

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

const vouched = `
[app]
name = "shop"
artifact = "shop"
%s
path = "/srv/shop"
port = 8080
[reload]
method = "restart"
unit = "shop.service"
[ssh]
identity_file = "key"
known_hosts = "known_hosts"
[[lb]]
name = "edge1"
kind = "nginx"
address = "127.0.0.1"
ssh_port = 1
upstream = "shop"
[[host]]
name = "web1"
address = "127.0.0.2"
ssh_port = 1
`

// Whatever an artifact lacks is told before a connection is tried: none of these
// machines could be reached.
func TestAnArtifactIsVouchedForBeforeAnythingElse(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	key := remotetest.WriteKey(t, at("key"))
	public := strings.TrimSpace(read(t, key+".pub"))
	write(t, at("shop"), "#!/bin/sh\necho one\n")
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("#!/bin/sh\necho one\n")))
	other := strings.Repeat("0", 64)
	says := func(line, code, text string) {
		t.Helper()
		write(t, at("inventory.toml"), fmt.Sprintf(vouched, line))
		for _, command := range []string{"rollout", "plan", "doctor"} {
			e := flipdeploy(t, command, "-i", at("inventory.toml"))
			all := e.stdout + e.stderr
			if e.code != 1 || text != "" && (!strings.Contains(all, text) || !strings.Contains(all, code)) {
				t.Errorf("%s with %s: %d %s, want %s %s", command, line, e.code, all, text, code)
			}
			if reached := strings.Contains(all, "FD-SSH-REFUSED"); command != "doctor" && reached != (text == "") {
				t.Errorf("%s with %s: connected is %v: %s", command, line, reached, all)
			}
		}
	}
	says("sha256 = \""+other+"\"", "FD-ARTIFACT-SHA256", "artifact "+at("shop")+": its sha256 is "+sum+", app.sha256 says "+other)
	says("sha256 = \""+strings.ToUpper(sum)+"\"", "", "")

	signers := `allowed_signers = "signers"`
	bad := "artifact " + at("shop") + ": its signature is not good: "
	says(signers, "FD-SIGNATURE", bad+"app.allowed_signers: open "+at("signers")+": no such file or directory")
	write(t, at("signers"), "ci@example.org "+public+"\n")
	says(signers, "FD-SIGNATURE", bad+"there is none at "+at("shop")+".sig")
	sign := func() {
		_ = os.Remove(at("shop.sig"))
		if out, err := exec.Command(remotetest.Need(t, "ssh-keygen"), "-q", "-Y", "sign", "-n", "flipdeploy", "-f", key, at("shop")).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	sign()
	says(signers, "", "")
	write(t, at("shop"), "#!/bin/sh\necho two\n")
	says(signers, "FD-SIGNATURE", bad+"it is over other bytes")
	_ = os.Remove(at("shop"))
	_ = os.MkdirAll(at("shop"), 0o755)
	write(t, at("shop/shop"), "#!/bin/sh\n")
	says("entry = \"shop\"\n"+signers, "FD-SIGNATURE", bad+"a directory cannot be signed: pack it as a .tar.gz")
}

// A passphrase and a key as text are in no output, no file, no process list and no log
// of sshd.
func TestSecretsAreFoundNowhere(t *testing.T) {
	const canary = "canary-7f3a91"
	s := remotetest.Start(t, "LogLevel DEBUG3")
	dir := t.TempDir()
	key := filepath.Join(dir, "locked")
	if out, err := exec.Command(remotetest.Need(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", canary, "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	write(t, filepath.Join(s.Dir, "authorized_keys"), read(t, key+".pub"))
	write(t, filepath.Join(dir, "known_hosts"), read(t, s.KnownHosts))
	write(t, filepath.Join(dir, "shop"), "#!/bin/sh\nexit 0\n")
	inv := filepath.Join(dir, "inventory.toml")
	write(t, inv, inventoryAt(s))
	secrets := []string{canary}
	for line := range strings.Lines(read(t, key)) {
		if !strings.HasPrefix(line, "-----") {
			secrets = append(secrets, strings.TrimSpace(line))
		}
	}
	look := func(where, text string) {
		t.Helper()
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("%s has %q", where, secret)
			}
		}
	}
	t.Setenv("FLIPDEPLOY_SSH_KEY", read(t, key))
	for _, phrase := range []string{canary, "wrong-" + canary} {
		t.Setenv("FLIPDEPLOY_SSH_PASSPHRASE", phrase)
		for _, args := range [][]string{{"doctor", "-v"}, {"doctor", "--json"}, {"rollout", "-v"}, {"status", "--json"}, {"plan"}} {
			e := flipdeploy(t, append(args, "-i", inv)...)
			look(strings.Join(args, " "), e.stdout+e.stderr)
		}
	}
	look("sshd's log", s.Log())
	lists, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		look(list, string(text))
	}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && path != key {
			look(path, read(t, path))
		}
		return err
	})
}
