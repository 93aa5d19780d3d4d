// Package sshsig checks signatures that "ssh-keygen -Y sign" made against a file of
// allowed signers, as "ssh-keygen -Y verify" does.
package sshsig

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"golang.org/x/crypto/ssh"
)

// A Signature is one over some message, read and not yet checked.
type Signature struct {
	Key       ssh.PublicKey // or a certificate
	Namespace string
	reserved  []byte
	hash      string
	sig       *ssh.Signature
}

// magic begins both the signature and what is signed.
const magic = "SSHSIG"

// maxSize is far above what the largest key makes.
const maxSize = 64 << 10

// Parse reads what stands in a .sig file.
func Parse(armored []byte) (*Signature, error) {
	if len(armored) > maxSize {
		return nil, errors.New("it is too large for a signature")
	}
	block, _ := pem.Decode(armored)
	if block == nil || block.Type != "SSH SIGNATURE" || len(block.Headers) > 0 {
		return nil, errors.New("it does not hold an SSH signature")
	}
	var w struct {
		Magic     [len(magic)]byte
		Version   uint32
		Key       []byte
		Namespace string
		Reserved  []byte
		Hash      string
		Sig       []byte
	}
	if err := ssh.Unmarshal(block.Bytes, &w); err != nil || string(w.Magic[:]) != magic {
		return nil, errors.New("it does not hold an SSH signature")
	}
	if w.Version != 1 {
		return nil, fmt.Errorf("it has version %d, known is 1", w.Version)
	}
	key, err := ssh.ParsePublicKey(w.Key)
	if err != nil {
		return nil, errors.New("its key cannot be read")
	}
	s := &Signature{Key: key, Namespace: w.Namespace, reserved: w.Reserved, hash: w.Hash, sig: new(ssh.Signature)}
	if err := ssh.Unmarshal(w.Sig, s.sig); err != nil {
		return nil, errors.New("it cannot be read")
	}
	return s, nil
}

// over returns nil once the signature is seen to be over all of message.
func (s *Signature) over(message io.Reader) error {
	h, err := s.newHash()
	if err != nil {
		return err
	}
	if weak(s.sig) {
		return errors.New("it " + withSHA1)
	}
	if _, err := io.Copy(h, message); err != nil {
		return err
	}
	signed := append([]byte(magic), ssh.Marshal(struct {
		Namespace string
		Reserved  []byte
		Hash      string
		Sum       []byte
	}{s.Namespace, s.reserved, s.hash, h.Sum(nil)})...)
	if s.plain().Verify(signed, s.sig) != nil {
		return errors.New("it is over other bytes")
	}
	return nil
}

const withSHA1 = "was made with SHA-1, which is no longer safe"

// weak tells of SHA-1, in which two texts can be found that have one sum.
func weak(s *ssh.Signature) bool { return s.Format == ssh.KeyAlgoRSA || s.Format == "ssh-dss" }

func (s *Signature) newHash() (hash.Hash, error) {
	switch s.hash {
	case "sha512":
		return sha512.New(), nil
	case "sha256":
		return sha256.New(), nil
	}
	return nil, fmt.Errorf("it has the unknown hash %q", s.hash)
}

// plain is the key that signs, also under a certificate.
func (s *Signature) plain() ssh.PublicKey {
	if cert, ok := s.Key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return s.Key
}

// Verify returns who of the allowed signers made the signature over message in the
// namespace, as the file of allowed signers calls them.
func Verify(message io.Reader, armored, allowed []byte, namespace string, now time.Time) (string, error) {
	s, err := Parse(armored)
	if err != nil {
		return "", err
	}
	if s.Namespace != namespace {
		return "", fmt.Errorf("it is for %q and not for %q", s.Namespace, namespace)
	}
	signers, err := ParseAllowed(allowed)
	if err != nil {
		return "", err
	}
	who, err := find(signers, s, now)
	if err != nil {
		return "", err
	}
	return who, s.over(message)
}

func same(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }
