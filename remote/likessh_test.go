package remote_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

func TestKeysAreOfferedAsSSHDoes(t *testing.T) {
	s := remotetest.Start(t)
	_ = os.WriteFile(filepath.Join(s.Dir, "authorized_keys"), nil, 0o600)
	dir := t.TempDir()
	var keys, prints []string
	for i := range 3 {
		keys = append(keys, remotetest.WriteKey(t, filepath.Join(dir, fmt.Sprint("key", i))))
		prints = append(prints, " ("+fingerprint(t, keys[i])+")")
	}
	anAgent(t, keys[0], keys[1])
	missing := filepath.Join(dir, "missing")
	for _, r := range []struct {
		files       []string
		only, usual bool
		agent       string
		offered     []string
	}{
		{files: []string{keys[2], missing}, offered: []string{keys[2] + prints[2], "agent" + prints[0], "agent" + prints[1]}},
		{files: []string{keys[2]}, usual: true, offered: []string{"agent" + prints[0], "agent" + prints[1], keys[2] + prints[2]}},
		{files: []string{keys[1], missing}, only: true, offered: []string{keys[1] + prints[1]}},
		{files: []string{keys[1]}, agent: "none", offered: []string{keys[1] + prints[1]}},
		{files: []string{keys[1] + ".pub"}, only: true, offered: []string{keys[1] + ".pub" + prints[1]}},
	} {
		c := s.Config()
		c.LikeSSH, c.IdentityFiles, c.IdentitiesOnly, c.UsualFiles, c.Agent = true, r.files, r.only, r.usual, r.agent
		refused(t, c, "FD-SSH-AUTH", "no key was accepted; offered: "+strings.Join(r.offered, ", "))
	}
	c := s.Config()
	c.LikeSSH, c.IdentityFiles, c.Agent = true, []string{missing}, "none"
	if err := refused(t, c, "FD-SSH-AUTH", "no key to offer"); !strings.Contains(hint(err), "ssh-add") {
		t.Errorf("hint %q", hint(err))
	}
}

func TestAnSSHDThatHangsUpOnTooManyKeysIsToldApart(t *testing.T) {
	s := remotetest.Start(t, "MaxAuthTries 2")
	c := s.Config()
	var names []string
	c.IdentityFiles = nil
	for i := range 3 {
		key := remotetest.WriteKey(t, filepath.Join(t.TempDir(), fmt.Sprint(i)))
		c.IdentityFiles = append(c.IdentityFiles, key)
		names = append(names, key+" ("+fingerprint(t, key)+")")
	}
	err := refused(t, c, "FD-SSH-TOO-MANY", "too many keys for this sshd, it hung up; offered: "+strings.Join(names, ", "))
	if want := fmt.Sprintf("name the right key as ssh.identity_file, so that it is the first, then try: ssh -p %d %s@127.0.0.1 true", s.Port, s.User); hint(err) != want {
		t.Errorf("hint %q, want %q", hint(err), want)
	}
}
