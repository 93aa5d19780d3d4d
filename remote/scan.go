package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// Trust is what the known_hosts files say of a key that a machine offers.
type Trust string

const (
	TrustKnown   Trust = "known"
	TrustUnknown Trust = "unknown" // the files have no line for the address
	TrustMore    Trust = "more"    // another type than the known ones, by a machine that has those too
	TrustChanged Trust = "changed"
	TrustRevoked Trust = "revoked"
)

// An OfferedKey is a host key of a machine, seen and not yet believed.
type OfferedKey struct {
	Machine, Addr string
	Key           ssh.PublicKey
	Trust         Trust
	Err           *HostKeyError // of a changed or revoked key: file and line
}

// Type is the key's, as known_hosts has it.
func (k OfferedKey) Type() string { return k.Key.Type() }

// Fingerprint is SHA256:…, as ssh shows it.
func (k OfferedKey) Fingerprint() string { return ssh.FingerprintSHA256(k.Key) }

// Line is the known_hosts line that trusts the key.
func (k OfferedKey) Line() string { return knownhosts.Line([]string{k.Addr}, k.Key) }

// Field is what stands first in the known_hosts lines of the machine.
func (k OfferedKey) Field() string { return knownhosts.Normalize(k.Addr) }

// KnownHosts is the file in which a new key of the machine belongs.
func (m *Machine) KnownHosts() string { return expandHome(m.cfg.KnownHosts[0]) }

// keyTypes are those that sshd makes keys of by itself, the best first.
var keyTypes = [][]string{
	{ssh.KeyAlgoED25519},
	{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
	{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
}

// HostKeys asks the machine for its host keys, one of each type, and compares them
// with the known_hosts files. Nobody logs in, nothing is written. Every error is a
// *NotStartedError.
func (m *Machine) HostKeys(ctx context.Context) ([]OfferedKey, error) {
	trust, err := readHostKeys(m.cfg.KnownHosts)
	if err != nil {
		return nil, m.notConnected(err)
	}
	var keys []OfferedKey
	for _, types := range keyTypes {
		key, from, err := m.hostKey(ctx, types)
		if err != nil {
			return nil, m.notConnected(err)
		}
		if key == nil {
			continue
		}
		offered := OfferedKey{Machine: m.cfg.Name, Addr: m.cfg.known(), Key: key}
		if err := offered.judge(trust, from); err != nil {
			return nil, m.notConnected(err)
		}
		keys = append(keys, offered)
	}
	if len(keys) == 0 {
		return nil, m.notConnected(errors.New("it offers no host key of a type that is safe"))
	}
	return together(keys), nil
}

// judge compares one key with the files, by itself.
func (k *OfferedKey) judge(trust *hostKeys, from net.Addr) error {
	err := trust.check(k.Addr, from, k.Key)
	if err == nil {
		k.Trust = TrustKnown
		return nil
	}
	if !errors.As(err, &k.Err) {
		return err
	}
	switch {
	case k.Err.Revoked != nil:
		k.Trust = TrustRevoked
	case len(k.Err.Known) == 0:
		k.Trust = TrustUnknown
	default:
		k.Trust = TrustChanged
	}
	return nil
}

// together: a machine that has proved to own a known key may have more of other
// types; the library calls those changed.
func together(keys []OfferedKey) []OfferedKey {
	if !slices.ContainsFunc(keys, func(k OfferedKey) bool { return k.Trust == TrustKnown }) {
		return keys
	}
	for i, k := range keys {
		same := func(known KnownKey) bool { return known.Key.Type() == k.Key.Type() }
		if k.Trust == TrustChanged && !slices.ContainsFunc(k.Err.Known, same) {
			keys[i].Trust, keys[i].Err = TrustMore, nil
		}
	}
	return keys
}

var errSeen = errors.New("the host key was seen")

// hostKey is the machine's key of one of the types, nil when it has none: the
// handshake ends as soon as the machine has proved to own it.
func (m *Machine) hostKey(ctx context.Context, types []string) (ssh.PublicKey, net.Addr, error) {
	if m.cfg.Via != nil {
		if err := m.cfg.Via.Connect(ctx); err != nil {
			return nil, nil, err
		}
	}
	leave, err := m.cfg.Gate.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(ctx, m.cfg.ConnectTimeout, errConnectTimeout)
	defer cancel()
	conn, err := m.reach(ctx)
	if err != nil {
		return nil, nil, withCause(ctx, err)
	}
	w := &wire{Conn: conn}
	defer func() { _ = w.Close() }() // nothing was sent that could be lost
	stop := context.AfterFunc(ctx, func() { _ = w.Close() })
	defer stop()
	var key ssh.PublicKey
	known := ssh.SupportedAlgorithms()
	_, _, _, err = ssh.NewClientConn(w, m.cfg.known(), &ssh.ClientConfig{
		Config:            ssh.Config{KeyExchanges: known.KeyExchanges, Ciphers: known.Ciphers, MACs: known.MACs},
		User:              m.cfg.User,
		HostKeyAlgorithms: types,
		HostKeyCallback:   func(_ string, _ net.Addr, k ssh.PublicKey) error { key = k; return errSeen },
		ClientVersion:     "SSH-2.0-flipdeploy",
	})
	var none *ssh.AlgorithmNegotiationError
	switch {
	case key != nil:
		return key, conn.RemoteAddr(), nil
	case errors.As(err, &none):
		return nil, nil, nil
	case ctx.Err() != nil:
		return nil, nil, context.Cause(ctx)
	}
	return nil, nil, explainHandshake(ctx, err, w.greeting(), &offer{})
}

// WriteKnownHosts appends the keys that have no line yet to a known_hosts file, and
// returns how many those are, once they are on disk. The file, and its directory,
// are made where they are missing; what stands in it is not touched.
func WriteKnownHosts(file string, keys []OfferedKey) (int, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return 0, notWritten(err)
	}
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, notWritten(err)
	}
	have := strings.Split(string(old), "\n")
	var add []string
	for _, k := range keys {
		if line := k.Line(); !slices.Contains(have, line) && !slices.Contains(add, line) {
			add = append(add, line)
		}
	}
	if len(add) == 0 {
		return 0, nil
	}
	text := strings.Join(add, "\n") + "\n"
	if len(old) > 0 && old[len(old)-1] != '\n' {
		text = "\n" + text
	}
	if err := appendTo(file, text); err != nil {
		return 0, notWritten(err)
	}
	return len(add), nil
}

func appendTo(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

func notWritten(err error) error {
	return &trustError{text: fmt.Sprintf("known_hosts cannot be written: %s", err), hint: "make the file writable for you, or name another as ssh.known_hosts"}
}
