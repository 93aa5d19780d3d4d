//go:build bench

package hosts

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/origin"
)

// A store is a running versitygw with the bucket "dist".
type store struct {
	t    *testing.T
	dir  string // of the bucket
	ca   string // file of its authority
	addr string
	log  string
}

func newStore(t *testing.T) *store {
	s := &store{t: t, dir: filepath.Join(t.TempDir(), "dist"), addr: freeAddr(t)}
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	at := filepath.Dir(s.dir)
	s.log, s.ca = filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "ca.pem")
	key := s.certificate()
	_ = os.Setenv("SSL_CERT_FILE", s.ca) // read once, at the first connection
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(os.Getenv("BENCH_STORE"), "--port", s.addr, "--cert", s.ca, "--key", key, "posix", at)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY=bench", "ROOT_SECRET_KEY=canary-secret")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 200 {
		if c, err := net.Dial("tcp", s.addr); err == nil {
			_ = c.Close()
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the store does not listen")
	return nil
}

// certificate writes that of httptest, which is its own authority, for 127.0.0.1.
func (s *store) certificate() (key string) {
	h := httptest.NewUnstartedServer(nil)
	h.StartTLS()
	defer h.Close()
	der, err := x509.MarshalPKCS8PrivateKey(h.TLS.Certificates[0].PrivateKey)
	if err != nil {
		s.t.Fatal(err)
	}
	key = filepath.Join(s.t.TempDir(), "key.pem")
	for name, block := range map[string]*pem.Block{s.ca: {Type: "CERTIFICATE", Bytes: h.Certificate().Raw}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return key
}

// origin is the object of the bucket, for who has that key.
func (s *store) origin(object, secret string) *origin.Origin {
	env := map[string]string{"AWS_ENDPOINT_URL_S3": "https://" + s.addr, "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": secret}
	o, err := origin.Parse("s3://dist/"+object, func(name string) string { return env[name] })
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func freeAddr(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
