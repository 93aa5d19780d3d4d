package remote_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// anAgent holds the private keys in files until the test ends.
func anAgent(t *testing.T, files ...string) {
	t.Helper()
	keys := agent.NewKeyring()
	for _, f := range files {
		text, _ := os.ReadFile(f)
		key, err := ssh.ParseRawPrivateKey(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := keys.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "agent"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	t.Setenv("SSH_AUTH_SOCK", l.Addr().String())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(keys, c); _ = c.Close() }()
		}
	}()
}

func TestTheAgentSignsAndIsNeverForwarded(t *testing.T) {
	s := remotetest.Start(t)
	c := s.Config()
	c.IdentityFiles = nil
	anAgent(t, s.KeyFile)
	if out, err := remotetest.Machine(t, c).Run(t.Context(), `echo "agent: $SSH_AUTH_SOCK"`); err != nil || string(out) != "agent: \n" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestAnAgentWithManyKeysOffersFive(t *testing.T) {
	s := remotetest.Start(t)
	c := s.Config()
	c.IdentityFiles = nil
	var keys []string
	for i := range 10 {
		keys = append(keys, remotetest.WriteKey(t, filepath.Join(t.TempDir(), fmt.Sprint(i))))
	}
	anAgent(t, keys...)
	err := remotetest.Machine(t, c).Connect(t.Context())
	if code(err) != "FD-SSH-AUTH" || strings.Count(err.Error(), "agent (ssh-ed25519 SHA256:") != 5 {
		t.Errorf("got %v", err)
	}
}
