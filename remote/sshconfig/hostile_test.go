package sshconfig

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// What a configuration would run when it connects is not run when it is read.
func TestReadingRunsNothing(t *testing.T) {
	trap := filepath.Join(t.TempDir(), "trap")
	touch := "touch " + trap
	text := "Host *\n  ProxyCommand " + touch + "\n  PermitLocalCommand yes\n  LocalCommand " + touch + "\n  KnownHostsCommand /bin/sh -c '" + touch + "'\n"
	for by, read := range readers(text, Query{Destination: "web1"}) {
		t.Run(by, func(t *testing.T) {
			if h, err := read(t); err != nil || h.Proxy != touch {
				t.Errorf("got %+v, %v", h, err)
			}
			if _, err := os.Stat(trap); err == nil {
				t.Error("it was run")
			}
		})
	}
}

// Match exec is ssh's to run, by the user's own file; without ssh it is refused.
func TestMatchExecIsNotRunByUs(t *testing.T) {
	trap := filepath.Join(t.TempDir(), "trap")
	r := config(t, "Match exec \"touch "+trap+"\"\n  User root\n")
	t.Setenv("PATH", "/nowhere")
	_, err := r.Host(Query{Destination: "web1"})
	if want := fmt.Sprintf("~/.ssh/config for web1: %s: (1, 7): ssh_config: Match Exec is not supported", r.File); err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if _, err := os.Stat(trap); err == nil {
		t.Error("it was run")
	}
}

func TestAFileThatIncludesItselfIsAnError(t *testing.T) {
	for by, want := range map[string]string{"ssh": "Too many recursive configuration includes", "file": "max recurse depth exceeded"} {
		t.Run(by, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(file, []byte("Include "+file+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if by == "ssh" {
				remotetest.Need(t, "ssh")
			} else {
				t.Setenv("PATH", "/nowhere")
			}
			if _, err := (Reader{File: file}).Host(Query{Destination: "web1"}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A list of revoked keys that nobody reads would let in whom it is to keep out.
func TestRevokedHostKeysAreNotOverlooked(t *testing.T) {
	for by, read := range readers("Host *\n  RevokedHostKeys /etc/ssh/revoked\n", Query{Destination: "web1"}) {
		t.Run(by, func(t *testing.T) {
			_, err := read(t)
			if want := `~/.ssh/config for web1: RevokedHostKeys is not read here: write those of /etc/ssh/revoked to known_hosts, as "@revoked * KEY"`; err == nil || err.Error() != want {
				t.Errorf("got %v\nwant %s", err, want)
			}
		})
	}
	for by, read := range readers("Host *\n  RevokedHostKeys none\n", Query{Destination: "web1"}) {
		t.Run(by+", none", func(t *testing.T) {
			if _, err := read(t); err != nil {
				t.Error(err)
			}
		})
	}
}

// Where the configuration knows no hosts at all, the usual file is not asked instead.
func TestNoKnownHostsAreNone(t *testing.T) {
	for by, read := range readers("Host *\n  UserKnownHostsFile none\n  GlobalKnownHostsFile none\n", Query{Destination: "web1"}) {
		t.Run(by, func(t *testing.T) {
			if h, err := read(t); err != nil || len(h.KnownHosts) != 1 || h.KnownHosts[0] != os.DevNull {
				t.Errorf("got %q, %v", h.KnownHosts, err)
			}
		})
	}
}

// Our keys are for us, not for what ssh or a ProxyCommand starts.
func TestSecretsAreNotHandedOn(t *testing.T) {
	t.Setenv("FLIPDEPLOY_SSH_KEY", "canary")
	t.Setenv("FLIPDEPLOY_SSH_PASSPHRASE", "canary")
	seen := filepath.Join(t.TempDir(), "seen")
	remotetest.Need(t, "ssh")
	if _, err := config(t, "Match exec \"env | grep FLIPDEPLOY_SSH >"+seen+" || true\"\n  User root\n").Host(Query{Destination: "web1"}); err != nil {
		t.Fatal(err)
	}
	c, err := Dial("sh -c 'env | grep FLIPDEPLOY_SSH >>" + seen + "; echo done'")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, _ = c.Read(make([]byte, 10))
	text, err := os.ReadFile(seen)
	if err != nil || len(text) > 0 {
		t.Errorf("handed on: %q, %v", text, err)
	}
}
