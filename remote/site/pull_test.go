package site_test

import (
	"archive/tar"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

const token = "secret-5f3a91"

// A depot is a server of https that hosts trust, and the artifact's origin.
type depot struct {
	*httptest.Server
	t     *testing.T
	ca    string // file
	asked atomic.Int64
	to    string // where Address leads; "": to the file
	hops  int
	name  string

	mu  sync.Mutex
	how http.HandlerFunc
	art *site.Artifact
}

func newDepot(t *testing.T) *depot {
	d := &depot{t: t, ca: filepath.Join(t.TempDir(), "ca.pem"), hops: 5, name: "shop"}
	d.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.asked.Add(1)
		d.mu.Lock()
		how := d.how
		d.mu.Unlock()
		if how == nil {
			how = d.whole
		}
		how(w, r)
	}))
	t.Cleanup(d.Close)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: d.Certificate().Raw})
	if err := os.WriteFile(d.ca, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return d
}

// answer is how it answers from now on, nil with the artifact.
func (d *depot) answer(how http.HandlerFunc) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.how = how
}

// file is all of the artifact.
func (d *depot) file() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	text, _ := io.ReadAll(d.art.File())
	return text
}

func (d *depot) whole(w http.ResponseWriter, _ *http.Request) {
	text := d.file()
	w.Header().Set("Content-Length", fmt.Sprint(len(text)))
	_, _ = w.Write(text)
}

func (d *depot) Name() string   { return d.name }
func (d *depot) String() string { return d.URL + "/" + d.name }
func (d *depot) Redirects() int { return d.hops }
func (d *depot) Address(context.Context) (string, error) {
	if d.to != "" {
		return d.to, nil
	}
	return d.URL + "/shop?token=" + token, nil
}

// trusting is a host whose own programs trust the depot.
func (d *depot) trusting(config ...string) *bench {
	d.t.Helper()
	for _, tool := range []string{"curl", "wget"} {
		remotetest.Need(d.t, tool)
	}
	return benchOn(d.t, remotetest.Start(d.t, append(config, "SetEnv SHLVL=5 CURL_CA_BUNDLE="+d.ca+" SSL_CERT_FILE="+d.ca)...))
}

// without is sshd's line for a host that lacks programs.
func without(t *testing.T, programs ...string) string {
	dir := t.TempDir()
	all, _ := filepath.Glob("/usr/bin/*")
	for _, name := range all {
		_ = os.Symlink(name, filepath.Join(dir, filepath.Base(name)))
	}
	for _, name := range programs {
		_ = os.Remove(filepath.Join(dir, name))
	}
	return "ForceCommand exec env PATH=" + dir + " /bin/sh -s"
}

// with is sshd's line for a host that has another program of that name.
func with(t *testing.T, name, script string, lacks ...string) string {
	line := without(t, append(lacks, name)...)
	dir, _, _ := strings.Cut(strings.TrimPrefix(line, "ForceCommand exec env PATH="), " ")
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return line
}

// fetched is a as if it had come from there.
func (d *depot) fetched(a *site.Artifact) *site.Artifact {
	d.t.Helper()
	p := filepath.Join(d.t.TempDir(), "shop")
	text, _ := io.ReadAll(a.File())
	if err := os.WriteFile(p, text, 0o600); err != nil {
		d.t.Fatal(err)
	}
	f, err := os.Open(p)
	if err != nil {
		d.t.Fatal(err)
	}
	got, err := site.OpenFetched(f, d, a.Entry)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = got.Close() })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.art = got
	return got
}

func TestAHostFetchesItsReleaseByItself(t *testing.T) {
	d := newDepot(t)
	b, y := d.trusting(), newYard(t)
	a := d.fetched(artifact(t, 6<<20))
	d.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("token") != token {
			t.Errorf("asked for %s", r.URL)
		}
		nobodyListsTheToken(t)
		d.whole(w, r)
	})
	var passed, of int64
	done, err := b.site.Ship(t.Context(), "v1-abc", y.cargo(a), func(n, all int64) { passed, of = passed+n, all })
	if err != nil || done.How != "fetched by the host" || done.Sent > 200 || done.NoPull != nil || of != a.Size || passed > a.Size {
		t.Errorf("%+v, told %d of %d: %v", done, passed, of, err)
	}
	got, _ := os.ReadFile(b.site.EntryPath("v1-abc"))
	if info, _ := os.Stat(b.site.EntryPath("v1-abc")); int64(len(got)) != a.Size || info.Mode() != 0o755 || b.left() != "v1-abc" {
		t.Errorf("%d bytes, mode %s; left %s", len(got), info.Mode(), b.left())
	}
	if done := b.ship("v1-abc", y.cargo(a)); done != (site.Shipped{}) || d.asked.Load() != 1 {
		t.Errorf("again: %+v, asked %d times", done, d.asked.Load())
	}
	if done := b.ship("v2-abc", y.cargo(a)); done.How != "a copy of v1-abc" || d.asked.Load() != 1 {
		t.Errorf("under another name: %+v, asked %d times", done, d.asked.Load())
	}
}

func nobodyListsTheToken(t *testing.T) {
	for _, kind := range []string{"cmdline", "environ"} {
		lists, _ := filepath.Glob("/proc/[0-9]*/" + kind)
		for _, name := range lists {
			if text, _ := os.ReadFile(name); strings.Contains(string(text), token) {
				t.Errorf("%s has the token: %q", name, text)
			}
		}
	}
}

func TestArchivesAreFetchedByTheHostToo(t *testing.T) {
	remotetest.Need(t, "zstd")
	d := newDepot(t)
	b, lacks, y := d.trusting(), d.trusting(without(t, "zstd")), newYard(t)
	entry := &tar.Header{Name: "shop", Mode: 0o755, Typeflag: tar.TypeReg, Size: 3}
	for name, a := range map[string]*site.Artifact{"shop.tar.gz": open(t, archive(t, entry), "shop"), "shop.tar.zst": open(t, archiveZst(t, entry), "shop")} {
		d.name = name
		a = d.fetched(a)
		for _, b := range []*bench{b, lacks} {
			done, err := b.site.Ship(t.Context(), d.name, y.cargo(a), nil)
			got, _ := os.ReadFile(b.site.EntryPath(d.name))
			f, _ := b.site.Observe(t.Context())
			if by := done.NoPull == nil; err != nil || string(got) != "abc" || f.Releases[d.name] != a.SHA256 || by != a.CanPull(f.Tools) || by == (b == lacks && a.Kind == site.TarZst) {
				t.Errorf("%s: %+v, %q, %v: %v", d.name, done, got, f.Releases, err)
			}
		}
	}
}

// What a host cannot fetch comes from the runner; another file than the one that was
// named never does.
func TestWhatAHostileOriginDoes(t *testing.T) {
	d := newDepot(t)
	b, y := d.trusting(), newYard(t)
	a := d.fetched(artifact(t, 2<<20))
	leads := func(to string) func(w http.ResponseWriter, r *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Location", to); w.WriteHeader(302) }
	}
	status := func(n int, body string) func(w http.ResponseWriter, r *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n); _, _ = io.WriteString(w, body) }
	}
	for name, c := range map[string]struct {
		answer     func(w http.ResponseWriter, r *http.Request)
		to         string
		code, text string // of what kept the host from it, or of the error
	}{
		"gone":    {status(404, ""), "", "FD-PULL", "curl: (22) The requested URL returned error: 404"},
		"expired": {status(403, "\x1b[2J<Code>ExpiredToken</Code>"), "", "FD-PULL", "curl: (22) The requested URL returned error: 403"},
		"away from https": {leads("http://127.0.0.1:1/shop"), "", "FD-PULL",
			`curl: (1) Protocol "http" not supported or disabled in libcurl`},
		"to a file":  {leads("file:///etc/passwd"), "", "FD-PULL", `curl: (1) Protocol "file" not supported or disabled in libcurl`},
		"in circles": {leads("/again"), "", "FD-PULL", "curl: (47) Maximum (5) redirects followed"},
		"to nowhere, with a sequence for the terminal": {leads("https://\x1b[2Jevil.invalid/"), "", "FD-PULL", "curl: ("},
		"nobody there":            {nil, "https://127.0.0.1:1/shop?token=" + token, "FD-PULL", "curl: (7) Failed to connect to 127.0.0.1 port 1 "},
		"no such name":            {nil, "https://nowhere.invalid/shop?token=" + token, "FD-PULL", "curl: (6) Could not resolve host: nowhere.invalid"},
		"a certificate of others": {nil, strings.Replace(d.URL, "127.0.0.1", "localhost", 1), "FD-PULL", "curl: (60) SSL"},
		"fewer bytes than it says": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte("half"))
		}, "", "FD-PULL", "curl: (18) transfer closed with 96 bytes remaining to read"},
		"another length": {status(200, "<html>sorry</html>"), "", "FD-PULL-OTHER", "the host fetched another file than app.sha256 names: 18 bytes came, not 2097169"},
		"endless":        {endless, "", "FD-PULL-OTHER", "the host fetched another file than app.sha256 names: more than its 2097169 bytes came"},
		"other bytes": {status(200, strings.Repeat("x", 2097169)), "", "FD-PULL-OTHER",
			"the host fetched another file than app.sha256 names: its sha256 is "},
	} {
		d.answer(c.answer)
		d.to = c.to
		done, err := b.site.Ship(t.Context(), "v1-abc", y.cargo(a), nil)
		why := done.NoPull
		if c.code == "FD-PULL-OTHER" {
			why = err
		}
		if code(why) != c.code || !strings.HasPrefix(why.Error(), c.text) || strings.ContainsAny(why.Error(), "\x1b\n") || strings.Contains(why.Error(), token) {
			t.Errorf("%s: got %v, want %s", name, why, c.text)
		}
		left, n := "v1-abc", a.Size
		if c.code == "FD-PULL-OTHER" {
			left, n = "", 0
		}
		if (err == nil) != (n > 0) || b.left() != left || done.Sent < n || done.Sent > n+1000 {
			t.Errorf("%s: %+v, left %q: %v", name, done, b.left(), err)
		}
		_ = os.RemoveAll(filepath.Join(b.dir, "releases", "v1-abc"))
	}
}

func endless(w http.ResponseWriter, r *http.Request) {
	for r.Context().Err() == nil {
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			return
		}
	}
}

func TestAHostThatCannotFetchGetsItFromTheRunner(t *testing.T) {
	d := newDepot(t)
	a := d.fetched(artifact(t, 1<<20))
	b, y := d.trusting(without(t, "curl", "wget")), newYard(t)
	done := b.ship("v1-abc", y.cargo(a))
	if code(done.NoPull) != "FD-PULL" || done.NoPull.Error() != "it has neither curl nor GNU wget" || done.Sent != a.Size || d.asked.Load() != 0 {
		t.Errorf("%+v, asked %d times", done, d.asked.Load())
	}
	f, err := b.site.Observe(t.Context())
	if err != nil || a.CanPull(f.Tools) {
		t.Errorf("%s, %v", f.Tools, err)
	}
}

// A depot without TLS stands for a store in the own network, and for wget, whose trust is
// the machine's alone.
func TestWgetWillDo(t *testing.T) {
	d := newDepot(t)
	plain := httptest.NewServer(d.Config.Handler)
	t.Cleanup(plain.Close)
	d.to = plain.URL + "/shop?token=" + token
	a := d.fetched(artifact(t, 3<<20))
	b, y := d.trusting(without(t, "curl")), newYard(t)
	d.answer(func(w http.ResponseWriter, r *http.Request) { nobodyListsTheToken(t); d.whole(w, r) })
	if done := b.ship("v1-abc", y.cargo(a)); done.How != "fetched by the host" || done.Sent > 200 || d.asked.Load() != 1 {
		t.Errorf("%+v, asked %d times", done, d.asked.Load())
	}
	f, err := b.site.Observe(t.Context())
	if err != nil || !a.CanPull(f.Tools) {
		t.Errorf("%s, %v", f.Tools, err)
	}
	for text, answer := range map[string]func(w http.ResponseWriter, r *http.Request){
		"wget: the server refused it, or leads elsewhere": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", 302) },
		"wget: the network failed":                        func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
	} {
		_ = os.RemoveAll(filepath.Join(b.dir, "releases", "v1-abc"))
		d.answer(answer)
		if done := b.ship("v1-abc", y.cargo(a)); done.NoPull == nil || done.NoPull.Error() != text {
			t.Errorf("%+v, want %s", done, text)
		}
	}
	_ = os.RemoveAll(filepath.Join(b.dir, "releases", "v1-abc"))
	d.to = ""
	if done := b.ship("v1-abc", y.cargo(a)); done.NoPull == nil || done.NoPull.Error() != "wget: the server's certificate was not taken" {
		t.Errorf("%+v", done)
	}
}

// Hosts is how many have the artifact under way at once, on machines that do nothing.
type hosts struct {
	site.Machine
	now, most, all atomic.Int64
	script         atomic.Value
}

func (h *hosts) RoundTrip(context.Context) (time.Duration, error) { return 0, errors.New("no answer") }
func (h *hosts) Lag() time.Duration                               { return 0 }
func (h *hosts) Answer() time.Duration                            { return 0 }
func (h *hosts) Connect(context.Context) error                    { return nil }
func (h *hosts) Hold(context.Context) (func(), error)             { return func() {}, nil }

func (h *hosts) Fetch(context.Context, string, io.Writer) error {
	return errors.New("nothing is fetched here")
}
func (h *hosts) Run(context.Context, string) ([]byte, error) {
	return []byte("free 1000000000 1000\nhost Linux x86_64\ntool curl\n"), nil
}

func (h *hosts) Stream(_ context.Context, script string, payload io.Reader) ([]byte, error) {
	h.script.Store(script)
	n := h.now.Add(1)
	for m := h.most.Load(); n > m && !h.most.CompareAndSwap(m, n); m = h.most.Load() {
	}
	for i := 0; h.most.Load() < 64 && i < 1000; i++ { // the first ones wait for each other
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(10 * time.Millisecond)
	h.now.Add(-1)
	h.all.Add(1)
	_, err := io.Copy(io.Discard, payload)
	return []byte("at 5\nstaged\n"), err
}

func TestSixtyFourHostsFetchAtOnceAndShareTheLimit(t *testing.T) {
	d := newDepot(t)
	a := d.fetched(artifact(t, 100))
	c := site.NewCargo(a, site.CargoOptions{Hosts: 200, Limit: site.NewLimit(640_000)})
	var h hosts
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			done, err := site.New(site.Config{Path: "/srv/shop", Entry: "shop"}, &h).Ship(t.Context(), "v1-abc", c, nil)
			if err != nil || done.How != "fetched by the host" {
				t.Errorf("%+v, %v", done, err)
			}
		})
	}
	wg.Wait()
	if h.all.Load() != 200 || h.most.Load() != 64 {
		t.Errorf("%d fetched, %d at once", h.all.Load(), h.most.Load())
	}
	if script := h.script.Load().(string); !strings.Contains(script, "\nrate=10000\n") || !strings.Contains(script, "\nleast=1024\n") || strings.Contains(script, token) {
		t.Error("the script has no share of the limit, or the token")
	}
}

func TestAHostFetchesNoFasterThanItMay(t *testing.T) {
	d := newDepot(t)
	b := d.trusting()
	a := d.fetched(artifact(t, 1<<19))
	var limited atomic.Bool
	d.answer(func(w http.ResponseWriter, r *http.Request) {
		lists, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		for _, name := range lists {
			text, _ := os.ReadFile(name)
			limited.CompareAndSwap(false, strings.Contains(string(text), "--limit-rate\x00524288\x00"))
		}
		d.whole(w, r)
	})
	if done := b.ship("v1-abc", site.NewCargo(a, site.CargoOptions{Hosts: 2, Limit: site.NewLimit(1 << 20)})); done.How != "fetched by the host" || !limited.Load() {
		t.Errorf("%+v, limited: %t", done, limited.Load())
	}
}

// busybox's wget takes any certificate, and so whoever is in between would see the address.
func TestBusyboxsWgetIsNotAskedToFetch(t *testing.T) {
	d := newDepot(t)
	b, y := onBusybox(t), newYard(t)
	a := d.fetched(artifact(t, 1000))
	if done := b.ship("v1-abc", y.cargo(a)); done.NoPull == nil || done.NoPull.Error() != "it has neither curl nor GNU wget" || d.asked.Load() != 0 {
		t.Errorf("%+v, asked %d times", done, d.asked.Load())
	}
}

// An origin that says nothing any more: what a runner that is gone had begun is cleared by
// the next one, and nothing of it becomes a release.
func TestAFetchThatHangsIsClearedByTheNextRun(t *testing.T) {
	d := newDepot(t)
	b, y := d.trusting(), newYard(t)
	a := d.fetched(artifact(t, 1<<20))
	begun, over := make(chan struct{}), make(chan struct{})
	defer close(over)
	d.answer(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(a.Size))
		_, _ = w.Write(make([]byte, 1000))
		w.(http.Flusher).Flush()
		close(begun)
		<-over
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	if _, err := b.site.Ship(ctx, "v1-abc", y.cargo(a), nil); err == nil || strings.Contains(b.left(), "v1-abc") {
		t.Errorf("left %s: %v", b.left(), err)
	}
	d.answer(nil)
	b.site = b.at(site.Config{Epoch: 1})
	if err := b.site.Fence(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if done := b.ship("v1-abc", y.cargo(a)); done.How != "fetched by the host" || b.left() != "v1-abc" {
		t.Errorf("%+v, left %s", done, b.left())
	}
}

func TestADiskThatFillsUpWhileAHostFetchesIsNamed(t *testing.T) {
	d := newDepot(t)
	b, y := d.trusting(), newYard(t)
	if os.Getuid() != 0 || exec.Command("mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "none", b.dir).Run() != nil {
		remotetest.Lacking(t, "right to mount a tmpfs")
	}
	t.Cleanup(func() { _ = exec.Command("umount", b.dir).Run() })
	a := d.fetched(artifact(t, 3<<20))
	done, err := site.New(site.Config{Path: b.dir, Entry: "shop"}, blind{b.m}).Ship(t.Context(), "v1-abc", y.cargo(a), nil)
	for _, err := range []error{err, done.NoPull} {
		if code(err) != "FD-NO-SPACE" || !strings.Contains(err.Error(), "No space left on device") || b.left() != "" {
			t.Errorf("%v, left %s", err, b.left())
		}
	}
}

// A program of that name may be one that tells all it is told, and tells it to its end.
func TestWhatTheHostsCurlSaysHasNoAddress(t *testing.T) {
	d := newDepot(t)
	b, y := d.trusting(with(t, "curl", `echo "curl: bad: $(cat)" >&2; exit 2`)), newYard(t)
	a := d.fetched(artifact(t, 1<<20))
	for id, query := range map[string]string{"v1-abc": "token=" + token, "v2-abc": "token=" + token + strings.Repeat("0", 500)} {
		d.to = d.URL + "/shop?" + query
		done := b.ship(id, y.cargo(a))
		if code(done.NoPull) != "FD-PULL" || done.NoPull.Error() != `curl: bad: url = "…` {
			t.Error(done.NoPull)
		}
		_ = os.RemoveAll(filepath.Join(b.dir, "releases", id))
	}
}

// Another wget than the one that was tried unpacks what a server calls packed.
func TestWget2IsAnotherProgram(t *testing.T) {
	d := newDepot(t)
	b, y := d.trusting(with(t, "wget", `echo "GNU Wget2 2.1.0 - multithreaded metalink/file/website downloader"`, "curl")), newYard(t)
	a := d.fetched(artifact(t, 1000))
	if done := b.ship("v1-abc", y.cargo(a)); done.NoPull == nil || done.NoPull.Error() != "it has neither curl nor GNU wget" {
		t.Errorf("%+v", done)
	}
}

// What is unpacked by a zstd that is killed may end where a file ends, which tar takes for
// the archive's end.
func TestHalfAnArchiveIsNoRelease(t *testing.T) {
	zstd := remotetest.Need(t, "zstd")
	d := newDepot(t)
	d.name = "shop.tar.zst"
	a := d.fetched(open(t, archiveZst(t, &tar.Header{Name: "shop", Mode: 0o755, Typeflag: tar.TypeReg, Size: 3}, &tar.Header{Name: "more", Mode: 0o644, Typeflag: tar.TypeReg, Size: 3}), "shop"))
	for script, why := range map[string]string{
		zstd + ` "$@" | head -c 1024; echo "zstd: killed" >&2; exit 1`:                 "unpack: zstd: killed",
		`case $1 in -dcq) echo "zstd: no memory" >&2; exit 1; esac; ` + zstd + ` "$@"`: "unpack: zstd: no memory",
	} {
		b, y := d.trusting(with(t, "zstd", script)), newYard(t)
		done, err := b.site.Ship(t.Context(), "v1-abc", y.cargo(a), nil)
		more, _ := os.ReadFile(filepath.Join(b.dir, "releases", "v1-abc", "more"))
		if err != nil || code(done.NoPull) != "FD-PULL" || !strings.HasPrefix(done.NoPull.Error(), why) || string(more) != "abc" {
			t.Errorf("%+v, %q: %v", done, more, err)
		}
	}
}
