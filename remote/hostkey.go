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

// fingerprint is type and hash of a key; a certificate's is that of the key in it, as
// ssh shows it.
func fingerprint(k ssh.PublicKey) string {
	if cert, ok := k.(*ssh.Certificate); ok {
		return k.Type() + " " + ssh.FingerprintSHA256(cert.Key)
	}
	return k.Type() + " " + ssh.FingerprintSHA256(k)
}

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
// Certificates are asked for where an authority is known: its own type says nothing
// of those that it signs.
func (h *hostKeys) algorithms(addr string) []string {
	var first, certs, rest []string
	keys := append(h.db.HostKeys(addr), h.db.HostKeys(withoutPort(addr))...)
	for _, a := range ssh.SupportedAlgorithms().HostKeys {
		switch {
		case strings.Contains(a, "-cert-v0"):
			certs = append(certs, a)
		case slices.ContainsFunc(keys, func(k knownhosts.PublicKey) bool { return !k.Cert && signs(k.Type(), a) }):
			first = append(first, a)
		default:
			rest = append(rest, a)
		}
	}
	if !slices.ContainsFunc(keys, func(k knownhosts.PublicKey) bool { return k.Cert }) {
		certs = nil
	}
	return slices.Concat(certs, first, rest)
}

// signs tells whether keys of a type sign by an algorithm: RSA by several.
func signs(keyType, algorithm string) bool {
	return keyType == algorithm || keyType == ssh.KeyAlgoRSA && strings.HasPrefix(algorithm, "rsa-sha2-")
}

// withoutPort is addr at ssh's usual port.
func withoutPort(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return net.JoinHostPort(host, "22")
}

// check is the ssh.HostKeyCallback. As with ssh, a key that is unknown at a port is
// looked for without it, and a certificate by no known authority counts as the key in
// it.
func (h *hostKeys) check(addr string, remote net.Addr, key ssh.PublicKey) error {
	err := h.judge(addr, remote, key)
	var e *HostKeyError
	if usual := withoutPort(addr); errors.As(err, &e) && e.Code() == "FD-HOSTKEY-UNKNOWN" && usual != addr {
		if h.judge(usual, remote, key) == nil {
			return nil
		}
	}
	if cert, ok := key.(*ssh.Certificate); ok && errors.As(err, &e) && e.Code() == "FD-HOSTKEY-UNKNOWN" {
		return h.check(addr, remote, cert.Key)
	}
	return err
}

func (h *hostKeys) judge(addr string, remote net.Addr, key ssh.PublicKey) error {
	err := h.db.HostKeyCallback()(addr, remote, key)
	if err == nil {
		return signedWell(key)
	}
	e := &HostKeyError{Addr: addr, Offered: key, Files: h.files}
	var revoked *xknownhosts.RevokedError
	var other *xknownhosts.KeyError
	switch {
	case errors.As(err, &revoked):
		e.Revoked = h.known(revoked.Revoked)
	case errors.As(err, &other):
		for _, k := range other.Want {
			if !h.authority(addr, k.Key) {
				e.Known = append(e.Known, *h.known(k))
			}
		}
	case strings.Contains(err.Error(), "no authorities for hostname"): // that is: unknown
	default: // a certificate that is expired, for another name, revoked
		return &certError{key: key, err: err}
	}
	return e
}

// signedWell refuses a certificate that anybody could have made who can find two texts of
// one SHA-1, as ssh does.
func signedWell(key ssh.PublicKey) error {
	if cert, ok := key.(*ssh.Certificate); ok && cert.Signature.Format == ssh.KeyAlgoRSA {
		return &certError{key, errors.New("it was signed with SHA-1, which is no longer safe")}
	}
	return nil
}

// authority tells whether the files have the key as one that signs: such a one is never
// the host's own, and another than it is no change.
func (h *hostKeys) authority(addr string, key ssh.PublicKey) bool {
	return slices.ContainsFunc(h.db.HostKeys(addr), func(k knownhosts.PublicKey) bool { return k.Cert && same(k.PublicKey, key) })
}

// A certError tells that a host's certificate is by a known authority and not good.
type certError struct {
	key ssh.PublicKey
	err error
}

func (e *certError) Error() string {
	why := strings.TrimPrefix(expired(e.key), ", ")
	return "the host certificate " + fingerprint(e.key) + " is not good: " + or(why, Clean(strings.TrimPrefix(e.err.Error(), "ssh: ")))
}
func (e *certError) Unwrap() error { return e.err }

// Code tells a revoked one apart.
func (e *certError) Code() string {
	if strings.Contains(e.err.Error(), "revoked") {
		return "FD-HOSTKEY-REVOKED"
	}
	return "FD-HOSTKEY-CERT"
}

// Hint is the next step for a person.
func (*certError) Hint() string {
	return "sign the host's key anew, for the address by which it is reached: ssh-keygen -s CA -h -n ADDRESS /etc/ssh/ssh_host_ed25519_key.pub"
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
