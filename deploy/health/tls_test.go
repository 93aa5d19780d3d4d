package health

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestProbeOverTLS(t *testing.T) {
	names := make(chan string, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		names <- hello.ServerName
		return nil, nil
	}}
	server.StartTLS() // its certificate is for example.com and 127.0.0.1
	defer server.Close()
	addr := server.Listener.Addr().String()
	file := filepath.Join(t.TempDir(), "ca.pem")
	os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600)
	ca, err := LoadCA(file)
	if err != nil {
		t.Fatal(err)
	}
	run := func(c Check, want, sni string) {
		t.Helper()
		c.Scheme, c.Timeout = "https", 2*time.Second
		wantError(t, probe(t, c, addr), want)
		if got := <-names; got != sni {
			t.Errorf("server name %q, want %q", got, sni)
		}
	}
	run(Check{CA: ca, Host: "example.com", Body: "example.com"}, "<nil>", "example.com")
	run(Check{CA: ca, Host: "example.com:8443", Body: "example.com:8443"}, "<nil>", "example.com")
	run(Check{CA: ca, Body: addr}, "<nil>", "")
	run(Check{CA: ca, Host: "shop.test"}, "tls: failed to verify certificate: x509: certificate is valid for example.com, *.example.com, not shop.test", "shop.test")
	run(Check{Host: "example.com"}, "tls: failed to verify certificate: x509: certificate signed by unknown authority", "example.com")
	wantError(t, probe(t, Check{Scheme: "http"}, addr), `/health answered 400 Bad Request: "Client sent an HTTP request to an HTTPS server."`)
}

func TestProbeOverTLSOfAPeerThatHasNone(t *testing.T) {
	wantError(t, probe(t, Check{Scheme: "https"}, listen(t, says("HTTP/1.1 200 OK\r\n\r\n"))), "no answer within 300ms")
}

func TestLoadCAWantsACertificate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	_, err := LoadCA(file)
	wantError(t, err, "health.ca: open "+file+": no such file or directory")
	os.WriteFile(file, []byte("no"), 0o600)
	_, err = LoadCA(file)
	wantError(t, err, "health.ca: "+file+": no PEM certificate in it")
}
