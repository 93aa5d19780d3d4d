package sshconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kevinburke/ssh_config"
)

var keywords = []string{
	"HostName", "User", "Port", "HostKeyAlias", "IdentityFile", "CertificateFile", "IdentitiesOnly",
	"IdentityAgent", "UserKnownHostsFile", "GlobalKnownHostsFile", "ProxyJump", "ProxyCommand",
	"RevokedHostKeys",
}

// knownHosts are the files that ssh reads where nothing is said.
var knownHosts = settings{
	"userknownhostsfile":   {"~/.ssh/known_hosts ~/.ssh/known_hosts2"},
	"globalknownhostsfile": {"/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2"},
}

// read is for machines without ssh. "Match" is understood only where it can be
// judged without one.
func (r Reader) read(q Query) (settings, error) {
	files := []string{r.File}
	if r.File == "" {
		files = []string{filepath.Join(home(), ".ssh", "config"), "/etc/ssh/ssh_config"}
	}
	all := settings{}
	for _, f := range files {
		if err := all.add(f, q); err != nil {
			return nil, err
		}
	}
	for key, files := range knownHosts {
		if all[key] == nil {
			all[key] = files
		}
	}
	return all, nil
}

// add puts what one file says behind what is known already.
func (s settings) add(file string, q Query) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	conf, err := ssh_config.Decode(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, word := range keywords {
		values, err := conf.GetAll(q.Destination, word)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		key := strings.ToLower(word)
		for _, v := range values {
			if v = unquote(word, v); v != "" {
				s[key] = append(s[key], v)
			}
		}
	}
	return nil
}

// unquote takes quotes away, but for a command, in which the shell wants them.
func unquote(word, v string) string {
	if word == "ProxyCommand" {
		return v
	}
	return strings.ReplaceAll(v, `"`, "")
}
