package remote

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// The environment's names for secrets: they come by no flag.
const (
	envKey        = "FLIPDEPLOY_SSH_KEY"
	envPassphrase = "FLIPDEPLOY_SSH_PASSPHRASE"
)

// Environ is the environment for other programs: without the secrets that are for us.
func Environ() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, envKey+"=") || strings.HasPrefix(v, envPassphrase+"=")
	})
}

// maxKeys is how many keys are offered: sshd ends the connection at the sixth
// that it does not know (MaxAuthTries 6).
const maxKeys = 5

var usualKeys = []string{"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"}

// An offer is the keys that a handshake may use, and what people call them.
type offer struct {
	signers []ssh.Signer
	names   []string
	user    string // to log in as
	more    int    // keys that there was no room for
	agent   *keyAgent
	certs   []string // files
	ask     func(ctx context.Context, key string) (string, error)
}

// add offers s unless enough are, or it is already.
func (o *offer) add(s ssh.Signer, from string) {
	if o.has(s.PublicKey()) {
		return
	}
	if len(o.signers) == maxKeys {
		o.more++
		return
	}
	o.signers = append(o.signers, modern(s))
	o.names = append(o.names, from+" ("+fingerprint(s.PublicKey())+expired(s.PublicKey())+o.unnamed(s.PublicKey())+")")
}

func (o *offer) has(key ssh.PublicKey) bool {
	return slices.ContainsFunc(o.signers, func(s ssh.Signer) bool { return same(s.PublicKey(), key) })
}

func same(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }

// modern keeps RSA keys from signing with SHA-1.
func modern(s ssh.Signer) ssh.Signer {
	as, ok := s.(ssh.AlgorithmSigner)
	if !ok || s.PublicKey().Type() != ssh.KeyAlgoRSA {
		return s
	}
	limited, err := ssh.NewSignerWithAlgorithms(as, []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256})
	if err != nil {
		return s
	}
	return limited
}

// A keyError tells that a key cannot be used, and never what is in it.
type keyError struct {
	from      string
	err       error
	encrypted bool
}

func (e *keyError) Error() string { return "key " + e.from + ": " + e.err.Error() }
func (e *keyError) Unwrap() error { return e.err }
func (e *keyError) Code() string  { return "FD-SSH-KEY" }

// Hint is the next step for a person.
func (e *keyError) Hint() string {
	switch {
	case e.encrypted:
		return "set " + envPassphrase + ", or add the key to an agent: ssh-add " + e.from
	case errors.Is(e.err, fs.ErrNotExist):
		return "check ssh.identity_file, or give the key's text in " + envKey
	}
	return "give a private key in OpenSSH or PEM form"
}

var errEncrypted = errors.New("it is encrypted")

// keys is what to offer: the environment's key alone, else the configured files,
// else the agent's, else the usual files.
func (c Config) keys(ctx context.Context) (*offer, error) {
	o := &offer{user: c.User, certs: c.CertificateFiles, ask: c.Passphrase}
	if text := os.Getenv(envKey); text != "" {
		return o, o.addText(ctx, envKey, pemText(text))
	}
	o.agent = dialAgent(ctx, c.Agent)
	if c.LikeSSH {
		return o.closeOn(o.likeSSH(ctx, c))
	}
	if len(c.IdentityFiles) > 0 {
		return o.closeOn(o.addFiles(ctx, c.IdentityFiles, true))
	}
	if o.agent.addAll(o); len(o.signers) > 0 {
		return o, nil
	}
	return o.closeOn(o.addFiles(ctx, usualKeys, false))
}

// likeSSH has the keys that somebody named go first: the agent may hold more than may
// be offered. With IdentitiesOnly it signs for those files alone.
func (o *offer) likeSSH(ctx context.Context, c Config) error {
	if c.UsualFiles && !c.IdentitiesOnly {
		o.agent.addAll(o)
	}
	err := o.addFiles(ctx, c.IdentityFiles, false)
	if !c.IdentitiesOnly {
		o.agent.addAll(o)
	}
	if len(o.signers) > 0 {
		return nil
	}
	return err
}

func (o *offer) closeOn(err error) (*offer, error) {
	if err != nil {
		o.agent.close()
		return nil, err
	}
	return o, nil
}

// addFiles offers the keys in files. Those that must be there are errors when
// they are not; of the others the first error counts only if none is usable.
func (o *offer) addFiles(ctx context.Context, files []string, must bool) error {
	var first error
	for _, f := range files {
		err := o.addFile(ctx, expandHome(f))
		switch {
		case err == nil:
		case must:
			return err
		case first == nil && !errors.Is(err, fs.ErrNotExist):
			first = err
		}
	}
	if len(o.signers) > 0 {
		return nil
	}
	return first
}

// addFile offers the key in a file, through the agent where only the public half is
// there.
func (o *offer) addFile(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		if s := o.agent.find(publicHalf(path)); s != nil {
			o.addCertified(s, path)
			return nil
		}
		return &keyError{from: path, err: bare(err)}
	}
	if s := o.agent.find(asPublic(text)); s != nil {
		o.addCertified(s, path)
		return nil
	}
	return o.addText(ctx, path, text)
}

// bare drops the path that the caller names already.
func bare(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// addText offers the key in text; an encrypted one with the passphrase of the
// environment, through the agent that holds it, or with what a person types.
func (o *offer) addText(ctx context.Context, from string, text []byte) error {
	s, err := unlocked.parse(text, "")
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		s, err = o.unlock(ctx, from, text, locked.PublicKey)
	}
	if err != nil {
		return &keyError{from: from, err: err, encrypted: errors.Is(err, errEncrypted)}
	}
	o.addCertified(s, from)
	return nil
}

func (o *offer) unlock(ctx context.Context, from string, text []byte, public ssh.PublicKey) (ssh.Signer, error) {
	if phrase := os.Getenv(envPassphrase); phrase != "" {
		s, err := unlocked.parse(text, phrase)
		if err != nil {
			return nil, fmt.Errorf("%w and %s does not open it", errEncrypted, envPassphrase)
		}
		return s, nil
	}
	if public == nil && from != envKey {
		public = publicHalf(from)
	}
	if s := o.agent.find(public); s != nil {
		return s, nil
	}
	if o.ask != nil {
		return asked.open(ctx, from, text, o.ask)
	}
	return nil, fmt.Errorf("%w, %s is not set and no agent holds it", errEncrypted, envPassphrase)
}

// pemText forgives what CI systems do to a key: base64 around it, CRLF, spaces,
// a missing last newline.
func pemText(text string) []byte {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r", ""))
	if !strings.HasPrefix(text, "-----") {
		flat := strings.Join(strings.Fields(text), "")
		if raw, err := base64.StdEncoding.DecodeString(flat); err == nil {
			return append(bytes.ReplaceAll(bytes.TrimSpace(raw), []byte("\r"), nil), '\n')
		}
	}
	return []byte(text + "\n")
}

func localUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "root"
}
