package sshsig

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// An Allowed is one line of a file of allowed signers.
type Allowed struct {
	Principals    string // patterns with commas between them
	Key           ssh.PublicKey
	Authority     bool     // Key signs certificates
	Namespaces    []string // patterns; nil: any
	After, Before time.Time
	Line          int
}

// A LineError tells which line of a file of allowed signers cannot be read. All of the
// file then counts for nothing: the line may have been there to forbid something.
type LineError struct {
	Line int
	Text string
}

func (e *LineError) Error() string {
	return fmt.Sprintf("allowed signers, line %d: %s", e.Line, e.Text)
}

// ParseAllowed reads a file of allowed signers.
func ParseAllowed(text []byte) ([]Allowed, error) {
	var all []Allowed
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		a, err := parseLine(line)
		if err != nil {
			return nil, &LineError{n, err.Error()}
		}
		a.Line = n
		all = append(all, a)
	}
	return all, nil
}

// parseLine reads principals, options, key. The library reads options and key as those of
// authorized_keys, which they are.
func parseLine(line []byte) (Allowed, error) {
	i := bytes.IndexAny(line, " \t")
	if i < 0 || line[0] == '"' {
		return Allowed{}, errors.New("there are no principals and no key")
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey(bytes.TrimSpace(line[i:]))
	if err != nil {
		return Allowed{}, errors.New("there is no key")
	}
	a := Allowed{Principals: string(line[:i]), Key: key}
	for _, o := range options {
		if err := a.option(o); err != nil {
			return a, err
		}
	}
	return a, nil
}

func (a *Allowed) option(o string) (err error) {
	name, value, _ := strings.Cut(o, "=")
	value = strings.Trim(value, `"`)
	switch strings.ToLower(name) {
	case "cert-authority":
		a.Authority = true
	case "namespaces":
		a.Namespaces = strings.Split(value, ",")
	case "valid-after":
		a.After, err = when(value)
	case "valid-before":
		a.Before, err = when(value)
	default:
		err = fmt.Errorf("the option %q is unknown", name)
	}
	return err
}

// when reads YYYYMMDD[Z] and YYYYMMDDHHMM[SS][Z]; without the Z the time is local.
func when(v string) (time.Time, error) {
	place := time.Local
	digits, utc := strings.CutSuffix(v, "Z")
	if utc {
		place = time.UTC
	}
	for _, layout := range []string{"20060102", "200601021504", "20060102150405"} {
		if t, err := time.ParseInLocation(layout, digits, place); err == nil && len(layout) == len(digits) {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time like 20260131 or 202601311200Z", v)
}

// find is the line by which the signature is allowed.
func find(all []Allowed, s *Signature, now time.Time) (string, error) {
	why := errors.New("its key is not one of the allowed signers': " + ssh.FingerprintSHA256(s.plain()))
	for _, a := range all {
		if !a.made(s) {
			continue
		}
		err := a.refuses(s, now)
		if err == nil {
			return a.Principals, nil
		}
		why = fmt.Errorf("allowed signers, line %d: %w", a.Line, err)
	}
	return "", why
}

// made tells whether the line is about this signature's key.
func (a Allowed) made(s *Signature) bool {
	cert, certified := s.Key.(*ssh.Certificate)
	if a.Authority {
		return certified && same(cert.SignatureKey, a.Key)
	}
	return !certified && same(s.Key, a.Key)
}

func (a Allowed) refuses(s *Signature, now time.Time) error {
	switch {
	case a.Namespaces != nil && !matches(strings.Join(a.Namespaces, ","), s.Namespace):
		return fmt.Errorf("the key is not allowed for %q", s.Namespace)
	case !a.After.IsZero() && now.Before(a.After):
		return errors.New("the key is not valid yet")
	case !a.Before.IsZero() && !now.Before(a.Before):
		return errors.New("the key is no longer valid")
	}
	if cert, ok := s.Key.(*ssh.Certificate); ok {
		return a.certified(cert, now)
	}
	return nil
}

// certified checks a certificate by the line's authority: one of its principals has to
// be one of the line's.
func (a Allowed) certified(cert *ssh.Certificate, now time.Time) error {
	switch {
	case cert.CertType != ssh.UserCert:
		return errors.New("the certificate is a host's")
	case weak(cert.Signature):
		return errors.New("the certificate is not good: it " + withSHA1)
	}
	i := slices.IndexFunc(cert.ValidPrincipals, func(p string) bool { return matches(a.Principals, p) })
	if i < 0 {
		return fmt.Errorf("the certificate is for none of %s", a.Principals)
	}
	check := ssh.CertChecker{Clock: func() time.Time { return now }}
	if err := check.CheckCert(cert.ValidPrincipals[i], cert); err != nil {
		return errors.New("the certificate is not good: " + strings.TrimPrefix(err.Error(), "ssh: "))
	}
	return nil
}

// matches is ssh's: any of the patterns, none of those with a ! before them.
func matches(patterns, v string) (yes bool) {
	for _, p := range strings.Split(patterns, ",") {
		pattern, not := strings.CutPrefix(p, "!")
		if ok, err := path.Match(strings.ReplaceAll(pattern, "[", `\[`), v); err != nil || !ok {
			continue
		}
		if not {
			return false
		}
		yes = true
	}
	return yes
}
