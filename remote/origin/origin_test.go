package origin

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// The tests' own authority is the machine's trust store.
var authority = httptest.NewUnstartedServer(nil)

func TestMain(m *testing.M) {
	authority.StartTLS()
	file := filepath.Join(os.TempDir(), fmt.Sprintf("flipdeploy-ca-%d.pem", os.Getpid()))
	_ = os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority.Certificate().Raw}), 0o600)
	_ = os.Setenv("SSL_CERT_FILE", file)
	_, _ = x509.SystemCertPool()
	authority.Close()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { _ = os.Remove(file); os.Exit(code) }))
}

func env(pairs ...string) func(string) string {
	m := map[string]string{}
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		m[k] = v
	}
	return func(name string) string { return m[name] }
}

func parse(t *testing.T, text string, pairs ...string) *Origin {
	t.Helper()
	o, err := Parse(text, env(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// The example of AWS's own documentation (sigv4-query-string-auth).
func TestAnAddressIsSignedAsAWSHasIt(t *testing.T) {
	o := parse(t, "s3://examplebucket/test.txt", "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "AWS_REGION=us-east-1")
	o.store.now = func() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC) }
	got, err := o.store.sign(t.Context(), &url.URL{Scheme: "https", Host: "examplebucket.s3.amazonaws.com", Path: "/test.txt"}, 24*time.Hour)
	want := "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
		"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
	if err != nil || got != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

func TestAddressesOfObjects(t *testing.T) {
	keys := []string{"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b"}
	for _, c := range []struct{ text, want string }{
		{"s3://dist/shop", "https://dist.s3.us-east-1.amazonaws.com/shop?"},
		{"s3://dist.example.org/a b/shop+1", "https://s3.us-east-1.amazonaws.com/dist.example.org/a%20b/shop%2B1?"},
		{"s3://dist/100%25/a%2520b//shop", "https://dist.s3.us-east-1.amazonaws.com/100%25/a%2520b//shop?"},
		{"s3://dist/shop AWS_REGION=eu-west-3", "https://dist.s3.eu-west-3.amazonaws.com/shop?"},
		{"s3://dist/x/shop AWS_ENDPOINT_URL=http://10.0.0.1:9000", "http://10.0.0.1:9000/dist/x/shop?"},
		{"s3://dist/shop AWS_ENDPOINT_URL=http://no AWS_ENDPOINT_URL_S3=https://s3.example.org/", "https://s3.example.org/dist/shop?"},
	} {
		fields := strings.Split(c.text, " AWS")
		pairs := keys
		for _, f := range fields[1:] {
			pairs = append(pairs, "AWS"+f)
		}
		o := parse(t, fields[0], pairs...)
		got, err := o.Address(t.Context())
		text, _ := url.PathUnescape(fields[0])
		if err != nil || !strings.HasPrefix(got, c.want) || !strings.Contains(got, "X-Amz-Expires=900&") || o.String() != text || o.Redirects() != 0 {
			t.Errorf("%s: %s, %v", c.text, got, err)
		}
	}
}

func TestWhereNothingCanBeFetchedIsSaid(t *testing.T) {
	home := t.TempDir()
	_ = os.Mkdir(filepath.Join(home, ".aws"), 0o700)
	file := filepath.Join(home, ".aws", "credentials")
	_ = os.WriteFile(file, []byte("# mine\n[default]\naws_access_key_id = a\n\n[ci]\naws_access_key_id=c\naws_secret_access_key = d=\naws_session_token=e\n"), 0o600)
	for _, c := range []struct{ text, code, want string }{
		{"ftp://x/y", "FD-ARTIFACT", "app.artifact: it is no address of https:// or s3://"},
		{"https://", "FD-ARTIFACT", "app.artifact: it names no file: https://HOST/FILE or s3://BUCKET/KEY"},
		{"https://x/y/", "FD-ARTIFACT", "app.artifact: it names no file: https://HOST/FILE or s3://BUCKET/KEY"},
		{"https://x/y#z", "FD-ARTIFACT", "app.artifact: it names no file: https://HOST/FILE or s3://BUCKET/KEY"},
		{"https://x/\x1b", "FD-ARTIFACT", "app.artifact: it is no address of https:// or s3://"},
		{"s3://Dist_/shop", "FD-ARTIFACT", `app.artifact: "Dist_" is no name of a bucket`},
		{"s3://dist/shop?versionId=1", "FD-ARTIFACT", "app.artifact: nothing but s3://BUCKET/KEY can be said of an object"},
		{"s3://dist/shop", "FD-S3-CREDENTIALS", "artifact s3://dist/shop: there are no credentials, neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY nor ~/.aws/credentials"},
		{"s3://dist/shop HOME=" + home, "FD-S3-CREDENTIALS", "artifact s3://dist/shop: " + file + ` has no key in its profile "default"`},
		{"s3://dist/shop AWS_ENDPOINT_URL=s3.example.org", "FD-S3-ENDPOINT", "artifact s3://dist/shop: AWS_ENDPOINT_URL is no address of a server"},
	} {
		text, pairs, _ := strings.Cut(c.text, " ")
		_, err := Parse(text, env(strings.Fields(pairs)...))
		var e *Error
		if !errors.As(err, &e) || err.Error() != c.want || e.Code() != c.code || e.Hint() == "" {
			t.Errorf("%s: got %v, want %s", c.text, err, c.want)
		}
	}
	if o := parse(t, "s3://dist/shop", "HOME="+home, "AWS_PROFILE=ci"); o.store.who.AccessKeyID != "c" || o.store.who.SecretAccessKey != "d=" || o.store.who.SessionToken != "e" {
		t.Errorf("%+v", o.store.who)
	}
}

func TestWhatIsSecretIsNotShown(t *testing.T) {
	o := parse(t, "https://me:secret@example.org/dist/shop%201.tar.gz?token=secret")
	if o.String() != "https://example.org/dist/shop%201.tar.gz" || o.Name() != "shop 1.tar.gz" {
		t.Errorf("%s, %s", o, o.Name())
	}
	if got, _ := o.Beside(".sig").Address(t.Context()); got != "https://me:secret@example.org/dist/shop%201.tar.gz.sig?token=secret" {
		t.Error(got)
	}
}

// A server is a real one of https that answers as it is told.
func server(t *testing.T, answer http.HandlerFunc) *httptest.Server {
	s := httptest.NewUnstartedServer(answer)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestFetchGivesTheBytesAsTheyAre(t *testing.T) {
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		if user, word, _ := r.BasicAuth(); r.URL.Path == "/here" && (user != "me" || word != "secret") {
			w.WriteHeader(401)
			return
		}
		if r.URL.Path == "/here" {
			http.Redirect(w, r, "/there", http.StatusFound)
			return
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write([]byte("\x1f\x8bpacked"))
	})
	var b bytes.Buffer
	if err := parse(t, strings.Replace(s.URL, "//", "//me:secret@", 1)+"/here").Fetch(t.Context(), &b); err != nil || b.String() != "\x1f\x8bpacked" {
		t.Errorf("%q, %v", &b, err)
	}
}

func TestWhyAFileCannotBeFetched(t *testing.T) {
	leads := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", to); w.WriteHeader(302) }
	}
	says := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = io.WriteString(w, text) }
	}
	for _, c := range []struct {
		answer     http.HandlerFunc
		code, want string
	}{
		{says(403, "<Error><Code>ExpiredToken</Code>"), "FD-FETCH-DENIED", "the server answers 403 Forbidden (ExpiredToken)"},
		{says(401, "\x1b[2J<Code>\x1b[2J</Code>"), "FD-FETCH-DENIED", "the server answers 401 Unauthorized"},
		{says(404, ""), "FD-FETCH-MISSING", "the server answers 404 Not Found"},
		{says(500, ""), "FD-FETCH", "the server answers 500 Internal Server Error"},
		{leads("http://127.0.0.1:1/x"), "FD-FETCH", `it leads to "http", away from https`},
		{leads("file:///etc/passwd"), "FD-FETCH", `it leads to "file", away from https`},
		{leads("/again"), "FD-FETCH", "it leads on more than 5 times"},
		{leads("https://127.0.0.1:x/?X-Amz-Signature=secret"), "FD-FETCH", "it leads to what is no address"},
		{func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write(make([]byte, 1<<20))
			}
		}, "FD-FETCH", "it is larger than 3000000 bytes"},
		{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("half"))
		}, "FD-FETCH", "unexpected EOF"},
	} {
		at := server(t, c.answer).URL + "/shop"
		wrong(t, at, c.code, c.want)
	}
	large := parse(t, server(t, says(200, "abcd")).URL+"/shop").FetchSmall(t.Context(), io.Discard, 3)
	if large == nil || !strings.HasSuffix(large.Error(), "/shop: it is larger than 3 bytes") {
		t.Error(large)
	}
	dead := server(t, nil)
	dead.Close()
	wrong(t, dead.URL+"/shop", "FD-FETCH-UNREACHABLE", "dial tcp "+dead.Listener.Addr().String()+": connect: connection refused")
	named := strings.Replace(server(t, nil).URL, "127.0.0.1", "localhost", 1)
	wrong(t, named+"/shop", "FD-FETCH-TLS", "tls: failed to verify certificate: x509: certificate is valid for example.com, *.example.com, not localhost")
}

func wrong(t *testing.T, at, code, want string) {
	t.Helper()
	err := parse(t, at+"?token=secret").FetchSmall(t.Context(), io.Discard, 3e6)
	e := new(Error)
	if !errors.As(err, &e) || e.Code() != code || err.Error() != "artifact "+at+": "+want || e.Hint() == "" {
		t.Errorf("got %v [%s]\nwant artifact %s: %s [%s]", err, e.Code(), at, want, code)
	}
}

func TestNobodyWaitsForAServerThatSaysNothing(t *testing.T) {
	s := server(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	quiet(t, 200*time.Millisecond)
	wrong(t, s.URL+"/shop", "FD-FETCH", "nothing came for 200ms")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := parse(t, s.URL+"/shop").Fetch(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func quiet(t *testing.T, d time.Duration) {
	was := silence
	silence = d
	t.Cleanup(func() { silence = was })
}

// Who is led elsewhere does not say there where it came from: that has the token.
func TestWhereItIsLedToIsNotToldTheToken(t *testing.T) {
	other := server(t, func(w http.ResponseWriter, r *http.Request) {
		if all := fmt.Sprint(r.URL, r.Header); strings.Contains(all, "secret") || strings.Contains(all, "/shop") {
			t.Errorf("the other server is told %s", all)
		}
	})
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/there", http.StatusFound)
	})
	at := strings.Replace(s.URL, "//", "//me:secret@", 1) + "/shop?token=secret"
	if err := parse(t, at).Fetch(t.Context(), io.Discard); err != nil {
		t.Error(err)
	}
}
