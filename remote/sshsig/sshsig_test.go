package sshsig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

var now = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(remotetest.Need(t, args[0]), args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// signed is a message with its signature by key in the namespace.
func signed(t *testing.T, key, namespace string) (message, signature []byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app")
	if err := os.WriteFile(file, []byte("the program"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", key, file)
	signature, err := os.ReadFile(file + ".sig")
	if err != nil {
		t.Fatal(err)
	}
	return []byte("the program"), signature
}

func newKey(t *testing.T, kind string) (path, public string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "key")
	run(t, "ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", path)
	text, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return path, strings.TrimSpace(string(text))
}

func TestWhatSSHKeygenSignsIsVerified(t *testing.T) {
	for _, kind := range []string{"ed25519", "ecdsa", "rsa"} {
		key, public := newKey(t, kind)
		message, signature := signed(t, key, "flipdeploy")
		who, err := Verify(bytes.NewReader(message), signature, []byte("# ours\n\nci@example.org,ops "+public+"\n"), "flipdeploy", now)
		if err != nil || who != "ci@example.org,ops" {
			t.Errorf("%s: %q, %v", kind, who, err)
		}
	}
}

func TestWhyASignatureIsNotGood(t *testing.T) {
	key, public := newKey(t, "ed25519")
	_, other := newKey(t, "ed25519")
	message, signature := signed(t, key, "flipdeploy")
	_, elsewhere := signed(t, key, "file")
	print := fingerprint(t, key)
	for _, r := range []struct {
		message   string
		signature []byte
		allowed   string
		want      string
	}{
		{"the progrAm", signature, "ci " + public, "it is over other bytes"},
		{"", signature, "ci " + public, "it is over other bytes"},
		{string(message), elsewhere, "ci " + public, `it is for "file" and not for "flipdeploy"`},
		{string(message), signature, "ci " + other, "its key is not one of the allowed signers': " + print},
		{string(message), signature, "", "its key is not one of the allowed signers': " + print},
		{string(message), signature, `ci namespaces="git,file" ` + public, `allowed signers, line 1: the key is not allowed for "flipdeploy"`},
		{string(message), signature, `ci namespaces="flip*" ` + public, ""},
		{string(message), signature, `ci valid-before="20260601Z" ` + public, "allowed signers, line 1: the key is no longer valid"},
		{string(message), signature, `ci valid-after="202606011300Z" ` + public, "allowed signers, line 1: the key is not valid yet"},
		{string(message), signature, `ci valid-after="20260531",valid-before="20260701" ` + public, ""},
		{string(message), signature, `ci cert-authority ` + public, "its key is not one of the allowed signers': " + print},
		{string(message), signature, `ci valid-before="soon" ` + public, `allowed signers, line 1: "soon" is not a time like 20260131 or 202601311200Z`},
		{string(message), signature, "ci " + public + "\nops no-pty " + other, `allowed signers, line 2: the option "no-pty" is unknown`},
		{string(message), signature, "ci " + public + "\nops ssh-ed25519 AAAA", "allowed signers, line 2: there is no key"},
		{string(message), signature, public, "allowed signers, line 1: there is no key"},
		{string(message), []byte("hello"), "ci " + public, "it does not hold an SSH signature"},
		{string(message), signature[:len(signature)/2], "ci " + public, "it does not hold an SSH signature"},
		{string(message), bytes.Repeat([]byte("x"), maxSize+1), "ci " + public, "it is too large for a signature"},
	} {
		_, err := Verify(strings.NewReader(r.message), r.signature, []byte(r.allowed), "flipdeploy", now)
		if got := fmt.Sprint(err); got != r.want && (err != nil || r.want != "") {
			t.Errorf("%q: says %s, want %s", r.allowed, got, r.want)
		}
	}
}

func TestACertificateSignsForItsAuthority(t *testing.T) {
	ca, authority := newKey(t, "ed25519")
	key, _ := newKey(t, "ed25519")
	run(t, "ssh-keygen", "-q", "-s", ca, "-I", "test", "-n", "ci@example.org", "-V", "20260101000000Z:20261231000000Z", key+".pub")
	message, signature := signed(t, key+"-cert.pub", "flipdeploy")
	for _, r := range []struct {
		allowed string
		at      time.Time
		want    string
	}{
		{"*@example.org cert-authority " + authority, now, ""},
		{"*@example.com cert-authority " + authority, now, "allowed signers, line 1: the certificate is for none of *@example.com"},
		{"*@example.org,!ci@* cert-authority " + authority, now, "allowed signers, line 1: the certificate is for none of *@example.org,!ci@*"},
		{"*@example.org cert-authority " + authority, now.AddDate(1, 0, 0), "allowed signers, line 1: the certificate is not good: cert has expired"},
		{"*@example.org " + authority, now, "its key is not one of the allowed signers': " + fingerprint(t, key)},
	} {
		_, err := Verify(bytes.NewReader(message), signature, []byte(r.allowed), "flipdeploy", r.at)
		if got := fmt.Sprint(err); got != r.want && (err != nil || r.want != "") {
			t.Errorf("%q: says %s, want %s", r.allowed, got, r.want)
		}
	}
}

func TestACertificateMadeWithSHA1IsRefused(t *testing.T) {
	ca, authority := newKey(t, "rsa")
	key, _ := newKey(t, "ed25519")
	run(t, "ssh-keygen", "-q", "-s", ca, "-t", "ssh-rsa", "-I", "test", "-n", "ci", key+".pub")
	message, signature := signed(t, key+"-cert.pub", "flipdeploy")
	_, err := Verify(bytes.NewReader(message), signature, []byte("ci cert-authority "+authority), "flipdeploy", now)
	if want := "allowed signers, line 1: the certificate is not good: it was made with SHA-1, which is no longer safe"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func fingerprint(t *testing.T, key string) string {
	t.Helper()
	out, err := exec.Command(remotetest.Need(t, "ssh-keygen"), "-lf", key+".pub").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))[1]
}

// Nothing that is not a signature is taken for one, and nothing ends the program.
func FuzzVerify(f *testing.F) {
	f.Add([]byte(sample), []byte(sampleSigner))
	f.Add([]byte("-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQ==\n-----END SSH SIGNATURE-----\n"), []byte("ci cert-authority "+sampleSigner[3:]))
	f.Add([]byte{}, []byte("* namespaces=\"a,!b\",valid-after=\"20260101\" "+sampleSigner[3:]))
	f.Fuzz(func(t *testing.T, signature, allowed []byte) {
		if who, err := Verify(strings.NewReader("another program"), signature, allowed, "flipdeploy", now); err == nil {
			t.Fatalf("taken, by %q: %q", who, signature)
		}
	})
}

func TestTheSeedOfTheFuzzTargetIsGood(t *testing.T) {
	if _, err := Verify(strings.NewReader("the program"), []byte(sample), []byte(sampleSigner), "flipdeploy", now); err != nil {
		t.Error(err)
	}
}

const sample = `-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgyy9SJ3GoD7T7XBWoZanGuVEAaw
jYn0I44y5mKb3UHPAAAAAKZmxpcGRlcGxveQAAAAAAAAAGc2hhNTEyAAAAUwAAAAtzc2gt
ZWQyNTUxOQAAAEDGoBM3+JTVd4aHxcTnGsTPZL+Z9Y93hvgrZKTEaUNIAiBjDMyrBVa04K
DavPEynfOZvD/VOdP+RwzHwU7llwwJ
-----END SSH SIGNATURE-----
`

const sampleSigner = "ci ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMsvUidxqA+0+1wVqGWpxrlRAGsI2J9COOMuZim91Bzw"
