package remote

import (
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// addCertified offers s under its certificates first, those of the configuration and
// the one that lies beside the key, and then as it is.
func (o *offer) addCertified(s ssh.Signer, from string) {
	s = modern(s)
	files := slices.Clone(o.certs)
	if from != envKey {
		files = append(files, strings.TrimSuffix(from, ".pub")+"-cert.pub")
	}
	for _, file := range files {
		if certified := certify(s, expandHome(file)); certified != nil {
			o.add(certified, file)
		}
	}
	o.add(s, from)
}

// certify is s under the certificate in file, nil where that is none for it.
func certify(s ssh.Signer, file string) ssh.Signer {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	cert, ok := asPublic(text).(*ssh.Certificate)
	if !ok || cert.CertType != ssh.UserCert || !same(cert.Key, s.PublicKey()) {
		return nil
	}
	certified, err := ssh.NewCertSigner(cert, s)
	if err != nil {
		return nil
	}
	return certified
}

// asPublic is the key in text as authorized_keys has it, nil without one.
func asPublic(text []byte) ssh.PublicKey {
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return key
}

// publicHalf is the key in path.pub, nil without one.
func publicHalf(path string) ssh.PublicKey {
	text, err := os.ReadFile(path + ".pub")
	if err != nil {
		return nil
	}
	return asPublic(text)
}

// expired tells of a certificate that is no longer, or not yet, good.
func expired(key ssh.PublicKey) string {
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return ""
	}
	switch now := uint64(time.Now().Unix()); {
	case now < cert.ValidAfter:
		return ", not valid before " + stamp(cert.ValidAfter)
	case cert.ValidBefore != ssh.CertTimeInfinity && now >= cert.ValidBefore:
		return ", expired " + stamp(cert.ValidBefore)
	}
	return ""
}

// unnamed tells of a certificate that is for others: sshd may know better, where it maps
// names.
func (o *offer) unnamed(key ssh.PublicKey) string {
	cert, ok := key.(*ssh.Certificate)
	if !ok || slices.Contains(cert.ValidPrincipals, o.user) {
		return ""
	}
	return ", for " + or(Clean(strings.Join(cert.ValidPrincipals, ", ")), "nobody")
}

func stamp(seconds uint64) string {
	const last = 1 << 40
	return time.Unix(int64(min(seconds, last)), 0).UTC().Format(time.DateTime)
}
