//go:build bench

package hosts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/origin"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

const secret = "canary-secret"

// fetched is the object as an artifact, through the runner's own way.
func (s *store) fetched(o *origin.Origin) *site.Artifact {
	f, err := os.CreateTemp(s.t.TempDir(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := o.Fetch(s.t.Context(), f); err != nil {
		s.t.Fatal(err)
	}
	a, err := site.OpenFetched(f, o, "shop")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = a.Close() })
	return a
}

func (s *store) put(name string, size int) {
	data := make([]byte, size)
	_, _ = rand.Read(data)
	copy(data, "#!/bin/sh\nexit 0\n")
	if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *store) trusting(n int) *fleet {
	return open(s.t, n, "SetEnv SHLVL=5 CURL_CA_BUNDLE="+s.ca)
}

func (f *fleet) site(i int, m *remote.Machine) *site.Site {
	dir := filepath.Join(f.dir, "app", fmt.Sprint(i))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		f.Fatal(err)
	}
	return site.New(site.Config{Path: dir, Entry: "shop", Keep: 3}, m)
}

// TestPullIsWhatAStoreAllows: what a real store refuses is told, on the runner by its code,
// on a host as why it got the release from the runner.
func TestPullIsWhatAStoreAllows(t *testing.T) {
	s := newStore(t)
	s.put("shop+1 ä", 3e6)
	for want, o := range map[string]*origin.Origin{
		"FD-FETCH-DENIED SignatureDoesNotMatch": s.origin("shop+1 ä", "wrong"), "FD-FETCH-MISSING NoSuchKey": s.origin("none", secret),
	} {
		err := o.Fetch(t.Context(), io.Discard)
		code, word, _ := strings.Cut(want, " ")
		var e *origin.Error
		if !errors.As(err, &e) || e.Code() != code || !strings.HasSuffix(err.Error(), "("+word+")") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	a := s.fetched(s.origin("shop+1 ä", secret))
	f := s.trusting(1)
	at := f.site(0, f.machines()[0])
	c := site.NewCargo(a, site.CargoOptions{Hosts: 1})
	if done, err := at.Ship(t.Context(), "v1-abc", c, nil); err != nil || done.How != "fetched by the host" {
		t.Fatalf("%+v, %v", done, err)
	}
	a.From = expired{s, a.From}
	done, err := f.site(1, f.machines()[0]).Ship(t.Context(), "v1-abc", site.NewCargo(a, site.CargoOptions{Hosts: 1}), nil)
	if err != nil || done.NoPull == nil || done.NoPull.Error() != "curl: (22) The requested URL returned error: 403" || done.Sent < a.Size {
		t.Errorf("%+v, %v", done, err)
	}
}

// An expired origin signs as it would have an hour ago.
type expired struct {
	s *store
	site.Origin
}

func (e expired) Address(ctx context.Context) (string, error) {
	u := url.URL{Scheme: "https", Host: e.s.addr, Path: "/dist/" + e.Name(), RawPath: "/dist/shop%2B1%20%C3%A4", RawQuery: "X-Amz-Expires=900"}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	who := aws.Credentials{AccessKeyID: "bench", SecretAccessKey: secret}
	signed, _, err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
		PresignHTTP(ctx, who, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now().Add(-time.Hour))
	return signed, err
}

// TestPullByMany has 200 hosts fetch 60 MB, and counts what the runner sends, in the kernel.
func TestPullByMany(t *testing.T) {
	const hosts, size = 200, 60_000_000
	s := newStore(t)
	s.put("shop", size)
	a := s.fetched(s.origin("shop", secret))
	f := s.trusting(hosts)
	machines := f.machines()
	var own, passed atomic.Int64
	began, cpu := time.Now(), used()
	cargo := site.NewCargo(a, site.CargoOptions{Hosts: hosts})
	f.each(machines, func(i int, m *remote.Machine) error {
		at := f.site(i, m)
		if err := at.Fence(t.Context(), 1); err != nil {
			return err
		}
		done, err := at.WithEpoch(1).Ship(t.Context(), "v1-abc", cargo, func(n, _ int64) { passed.Add(n) })
		own.Add(done.Sent)
		if err == nil && (done.How != "fetched by the host" || done.NoPull != nil) {
			err = fmt.Errorf("%+v", done)
		}
		return err
	})
	took, worked := time.Since(began), used()-cpu
	sum, most, n := f.sent()
	fmt.Printf("\n%d hosts that have no release, 60 MB from object storage, from connecting until it is compared and synced: %.0f s, "+
		"%.1f CPU seconds of the runner. It sent %.1f kB a host, %.1f kB at most, %.2f MB in all, as the kernel counts what was acknowledged on its %d connections "+
		"(key exchange, scripts, addresses; %.0f B a host by flipdeploy's own count, which is of the release). %.1f GB were fetched.\n",
		hosts, took.Seconds(), worked.Seconds(), float64(sum)/1e3/hosts, float64(most)/1e3, float64(sum)/1e6, n, float64(own.Load())/hosts, float64(hosts*size)/1e9)
	if n != hosts || most >= 1e6 || passed.Load() > hosts*size {
		t.Errorf("%d connections, %d bytes at most, told of %d", n, most, passed.Load())
	}
	f.each(machines, func(i int, m *remote.Machine) error {
		got, err := f.site(i, m).Observe(t.Context())
		if err == nil && got.Releases["v1-abc"] != a.SHA256 {
			err = fmt.Errorf("%s has %v", m.Name(), got.Releases)
		}
		return errors.Join(err, m.Close())
	})
	log, _ := os.ReadFile(s.log)
	if strings.Contains(string(log), secret) {
		t.Error("the store saw the secret")
	}
}

var acked = regexp.MustCompile(`bytes_acked:(\d+)`)

// sent is what went to the hosts on connections that are open, as the kernel has it.
func (f *fleet) sent() (sum, most int64, n int) {
	out, err := exec.Command("ss", "-tinH", "dport", "=", fmt.Sprintf(":%d", f.sshd.Port)).Output()
	if err != nil {
		f.Fatal(err)
	}
	for _, m := range acked.FindAllSubmatch(out, -1) {
		bytes, _ := strconv.ParseInt(string(m[1]), 10, 64)
		sum, most, n = sum+bytes, max(most, bytes), n+1
	}
	return sum, most, n
}

// used is the processor time of this process.
func used() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
