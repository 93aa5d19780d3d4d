package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// A HostKeyError tells that the machine's key is not the one that is trusted.
type HostKeyError struct {
	Addr    string
	Offered ssh.PublicKey
	Known   []KnownKey // empty: the address is unknown
	Revoked *KnownKey
	Files   []string // that were read
}

// A KnownKey is a key that a known_hosts file holds for the address.
type KnownKey struct {
	File string
	Line int
	Key  ssh.PublicKey
}

func (k KnownKey) String() string {
	return fmt.Sprintf("%s (%s:%d)", fingerprint(k.Key), k.File, k.Line)
}

func (e *HostKeyError) Error() string {
	switch {
	case e.Revoked != nil:
		return fmt.Sprintf("the host key %s is revoked at %s:%d", fingerprint(e.Offered), e.Revoked.File, e.Revoked.Line)
	case len(e.Known) == 0:
		return fmt.Sprintf("the host key %s is unknown: no line for it in %s", fingerprint(e.Offered), strings.Join(e.Files, ", "))
	}
	known := make([]string, len(e.Known))
	for i, k := range e.Known {
		known[i] = k.String()
	}
	return fmt.Sprintf("the host key has changed: it is %s, known is %s", fingerprint(e.Offered), strings.Join(known, ", "))
}

// Code tells unknown, changed and revoked keys apart.
func (e *HostKeyError) Code() string {
	switch {
	case e.Revoked != nil:
		return "FD-HOSTKEY-REVOKED"
	case len(e.Known) == 0:
		return "FD-HOSTKEY-UNKNOWN"
	}
	return "FD-HOSTKEY-CHANGED"
}

// Hint is the next step for a person.
func (e *HostKeyError) Hint() string {
	if e.Code() == "FD-HOSTKEY-UNKNOWN" {
		return "compare the fingerprint with the one on the machine (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then run \"flipdeploy trust\", or add to known_hosts: " + e.Line()
	}
	return "somebody may be in between. Only if you know why the key changed, replace the line by: " + e.Line()
}

// Line is the known_hosts line that would trust the offered key.
func (e *HostKeyError) Line() string { return knownhosts.Line([]string{e.Addr}, e.Offered) }

func fingerprint(k ssh.PublicKey) string { return k.Type() + " " + ssh.FingerprintSHA256(k) }

// A trustError tells that a known_hosts file cannot be relied on.
type trustError struct{ text, hint string }

func (e *trustError) Error() string { return e.text }
func (e *trustError) Code() string  { return "FD-KNOWN-HOSTS" }
func (e *trustError) Hint() string {
	if e.hint != "" {
		return e.hint
	}
	return "mend the line or remove it: it may be there to forbid a key"
}

// hostKeys are the keys that may be believed.
type hostKeys struct {
	db    *knownhosts.HostKeyDB
	files []string
	names map[string]string // of the mended copies: the file each stands for
}

// loadHostKeys reads the files that exist. A broken line is left out, as ssh does;
// a broken line that forbids a key, or names an authority, is an error.
func loadHostKeys(files []string) (*hostKeys, error) {
	h := &hostKeys{names: map[string]string{}}
	var there []string
	for _, f := range files {
		f = expandHome(f)
		h.files = append(h.files, f)
		if _, err := os.Stat(f); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		there = append(there, f)
	}
	var err error
	if h.db, err = knownhosts.NewDB(there...); err == nil {
		return h, nil
	}
	return h, h.loadMended(there)
}

// loadMended reads copies of the files in which broken lines are empty, so that
// line numbers stay true.
func (h *hostKeys) loadMended(files []string) error {
	dir, err := os.MkdirTemp("", "flipdeploy-known-hosts-")
	if err != nil {
		return &trustError{text: err.Error()}
	}
	defer func() { _ = os.RemoveAll(dir) }() // copies of public keys
	copies := make([]string, len(files))
	for i, f := range files {
		copies[i] = filepath.Join(dir, strconv.Itoa(i))
		h.names[copies[i]] = f
		if err := mend(f, copies[i]); err != nil {
			return err
		}
	}
	h.db, err = knownhosts.NewDB(copies...)
	if err != nil {
		return &trustError{text: err.Error()}
	}
	return nil
}

var badLine = regexp.MustCompile(`^knownhosts: .*?:(\d+): `)

// mend empties one line after the other until the library is content: only its
// own parser knows what it can read.
func mend(file, clean string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return &trustError{text: err.Error()}
	}
	lines := strings.Split(string(text), "\n")
	for range lines {
		if err := os.WriteFile(clean, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			return &trustError{text: err.Error()}
		}
		_, err := knownhosts.NewDB(clean)
		if err == nil {
			return nil
		}
		if err := blank(lines, file, err); err != nil {
			return err
		}
	}
	return &trustError{text: file + ": no line of it can be read"}
}

func blank(lines []string, file string, cause error) error {
	found := badLine.FindStringSubmatch(cause.Error())
	if found == nil {
		return &trustError{text: file + ": " + cause.Error()}
	}
	n, _ := strconv.Atoi(found[1])
	if n < 1 || n > len(lines) || lines[n-1] == "" {
		return &trustError{text: file + ": " + cause.Error()}
	}
	if strings.HasPrefix(strings.TrimSpace(lines[n-1]), "@") {
		return &trustError{text: fmt.Sprintf("%s:%d: a line that begins with @ cannot be read", file, n)}
	}
	lines[n-1] = ""
	return nil
}

// algorithms asks for the key types that the files hold first: a machine has
// several keys, and any other than the known one looks like an attack. The other
// types follow, so that a machine that has only those is told apart as changed.
func (h *hostKeys) algorithms(addr string) []string {
	safe := ssh.SupportedAlgorithms().HostKeys
	first := slices.DeleteFunc(h.db.HostKeyAlgorithms(addr), func(a string) bool { return !slices.Contains(safe, a) })
	rest := slices.DeleteFunc(safe, func(a string) bool { return slices.Contains(first, a) })
	return append(first, rest...)
}

// check is the ssh.HostKeyCallback.
func (h *hostKeys) check(addr string, remote net.Addr, key ssh.PublicKey) error {
	err := h.db.HostKeyCallback()(addr, remote, key)
	if err == nil {
		return nil
	}
	e := &HostKeyError{Addr: addr, Offered: key, Files: h.files}
	var revoked *xknownhosts.RevokedError
	var other *xknownhosts.KeyError
	switch {
	case errors.As(err, &revoked):
		e.Revoked = h.known(revoked.Revoked)
	case errors.As(err, &other):
		for _, k := range other.Want {
			e.Known = append(e.Known, *h.known(k))
		}
	default: // a certificate that is expired, for another name, by no known authority
		return &trustError{text: err.Error()}
	}
	return e
}

func (h *hostKeys) known(k xknownhosts.KnownKey) *KnownKey {
	return &KnownKey{File: or(h.names[k.Filename], k.Filename), Line: k.Line, Key: k.Key}
}

func expandHome(path string) string {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, rest)
}
