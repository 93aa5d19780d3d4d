package etcd

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// An authority signs certificates into a directory.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.sign(t, "ca", true)
	return a
}

// sign makes NAME.pem and NAME.key, for 127.0.0.1.
func (a *authority) sign(t *testing.T, name string, ca bool, usage ...x509.ExtKeyUsage) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: strings.TrimPrefix(name, "us")}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: usage, IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	if ca {
		a.cert, a.key = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &key.PublicKey, a.key)
	ok(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	ok(t, err)
	write := func(file, kind string, data []byte) {
		ok(t, os.WriteFile(filepath.Join(a.dir, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600))
	}
	write(name+".pem", "CERTIFICATE", der)
	write(name+".key", "PRIVATE KEY", secret)
}

func (a *authority) trusted(t *testing.T, cert string) *tls.Config {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(a.dir, "ca.pem"))
	ok(t, err)
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	c.RootCAs.AppendCertsFromPEM(data)
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(filepath.Join(a.dir, cert+".pem"), filepath.Join(a.dir, cert+".key"))
		ok(t, err)
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// One member that speaks TLS only, wants a certificate of ours, and a user.
func TestTLSAndUsers(t *testing.T) {
	need(t)
	a := newAuthority(t)
	a.sign(t, "member", false, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
	a.sign(t, "us", false, x509.ExtKeyUsageClientAuth)    // without a CommonName
	a.sign(t, "named", false, x509.ExtKeyUsageClientAuth) // with
	file := func(name string) string { return filepath.Join(a.dir, name) }
	m := cluster(t, t.TempDir(), 1, "https", "--cert-file", file("member.pem"), "--key-file", file("member.key"),
		"--trusted-ca-file", file("ca.pem"), "--client-cert-auth", "--bcrypt-cost", "4")[0]
	t.Cleanup(m.end)
	at := func(c *tls.Config, user, password string) *Store {
		s := New("shop", Config{Endpoints: []string{m.client}, Prefix: "/flipdeploy", TLS: c, User: user, Password: password, Try: time.Second, Wait: 2 * time.Second})
		t.Cleanup(s.Close)
		return s
	}
	root := at(a.trusted(t, "us"), "", "")
	for range 100 {
		if root.Prepare(t.Context()) == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	ok(t, root.Prepare(t.Context()))

	t.Run("NotAsTheyWant", func(t *testing.T) {
		stranger := newAuthority(t)
		says(t, at(stranger.trusted(t, ""), "", "").Prepare(t.Context()), "etcd: reach it: no member and we agree on TLS", "FD-STORE-TLS", hintSecure)
		says(t, at(a.trusted(t, ""), "", "").Prepare(t.Context()), "etcd: reach it: no member and we agree on TLS", "FD-STORE-TLS", hintSecure)
		says(t, at(nil, "", "").Prepare(t.Context()), "etcd: reach it: every member that was reached ended the connection", "FD-STORE-TLS", hintEnded)
		plain := three(t)
		s := New("shop", Config{Endpoints: endpoints(plain), Prefix: "/x", TLS: a.trusted(t, "us")})
		defer s.Close()
		says(t, s.Prepare(t.Context()), "etcd: reach it: every member that was reached ended the connection", "FD-STORE-TLS", hintEnded)
	})

	do := func(method string, in any) {
		t.Helper()
		ok(t, root.client.ask(t.Context(), "set up", method, in, &struct{}{}))
	}
	do("auth/user/add", map[string]string{"name": "root", "password": "r"})
	do("auth/user/add", map[string]string{"name": "fd", "password": "secret"})
	do("auth/user/add", map[string]string{"name": "nobody", "password": "n"})
	do("auth/role/add", map[string]string{"name": "root"})
	do("auth/role/add", map[string]string{"name": "fd"})
	do("auth/role/grant", map[string]any{"name": "fd", "perm": map[string]any{"permType": "READWRITE", "key": []byte("/flipdeploy/"), "range_end": []byte("/flipdeploy0")}})
	do("auth/user/grant", map[string]string{"user": "root", "role": "root"})
	do("auth/user/grant", map[string]string{"user": "fd", "role": "fd"})
	do("auth/enable", struct{}{})

	us := at(a.trusted(t, "us"), "fd", "secret")
	ctx, l := acquire(t, us, ana, state.Terms{Beat: 50 * time.Millisecond})
	epoch, err := state.Raise(ctx, []*Store{us})
	ok(t, err)
	us.client.mu.Lock()
	us.client.token = "forgotten" // as after a member's restart
	us.client.mu.Unlock()
	ok(t, us.Write(ctx, epoch, "r1", []string{`{"kind":"note","rollout":"r1"}`}))
	l.Release()
	ok(t, us.Prepare(t.Context()))

	const correct = "correct state.store_user and state.store_password, or what they are taken from"
	says(t, at(a.trusted(t, "us"), "fd", "wrong").Prepare(t.Context()), "etcd: reach it: etcdserver: authentication failed, invalid user ID or password", "FD-STORE-AUTH", correct)
	says(t, at(a.trusted(t, "us"), "", "").Prepare(t.Context()), "etcd: reach it: etcdserver: permission denied", "FD-STORE-AUTH", correct)
	err = at(a.trusted(t, "named"), "fd", "secret").Prepare(t.Context())
	equal(t, deploy.CodeOf(err), "FD-STORE-AUTH")
	equal(t, deploy.HintOf(err), "with users, etcd takes from us no certificate with a CommonName: give state.store_cert one without")
	err = at(a.trusted(t, "us"), "nobody", "n").Prepare(t.Context())
	equal(t, err.Error(), "etcd: reach it: etcdserver: permission denied")
	equal(t, deploy.CodeOf(err), "FD-STORE-AUTH")
	m.end()
	if bytes.Contains(m.said.Bytes(), []byte("secret")) {
		t.Error("the password is in etcd's log")
	}
}
