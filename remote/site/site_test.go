package site_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

func TestMain(m *testing.M) {
	for _, name := range []string{"SSH_AUTH_SOCK", "FLIPDEPLOY_SSH_KEY", "FLIPDEPLOY_SSH_PASSPHRASE"} {
		_ = os.Unsetenv(name)
	}
	if os.Getenv("SITE_TEST_UPLOAD") != "" {
		uploadUntilKilled()
	}
	goleak.VerifyTestMain(m)
}

// A bench is one host with an app directory.
type bench struct {
	t    *testing.T
	sshd *remotetest.SSHD
	m    *remote.Machine
	dir  string
	site *site.Site
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, sshd: remotetest.Start(t)}
	b.m = b.sshd.Machine(t)
	b.dir = filepath.Join(b.sshd.Dir, "srv", "shop")
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.site = b.at(site.Config{})
	return b
}

func (b *bench) at(c site.Config) *site.Site {
	c.Path, c.Entry, c.User = b.dir, "shop", "deploy"
	if c.Keep == 0 {
		c.Keep = 2
	}
	return site.New(c, b.m)
}

// artifact is a single file of random bytes.
func artifact(t *testing.T, size int) *site.Artifact {
	t.Helper()
	p := filepath.Join(t.TempDir(), "shop")
	text := append([]byte("#!/bin/sh\nexit 0\n"), randomBytes(size)...)
	if err := os.WriteFile(p, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return open(t, p, "")
}

func open(t *testing.T, p, entry string) *site.Artifact {
	t.Helper()
	a, err := site.OpenArtifact(p, entry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return a
}

func randomBytes(n int) []byte {
	text := make([]byte, n)
	rand.New(rand.NewSource(1)).Read(text)
	return text
}

func (b *bench) stage(id string, a *site.Artifact) int64 {
	b.t.Helper()
	sent, err := b.site.Stage(b.t.Context(), id, a, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return sent
}

func code(err error) string {
	var c interface{ Code() string }
	if errors.As(err, &c) {
		return c.Code()
	}
	return fmt.Sprint(err)
}

func (b *bench) left() string {
	entries, _ := os.ReadDir(filepath.Join(b.dir, "releases"))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestStageSendsAReleaseOnce(t *testing.T) {
	b, a := newBench(t), artifact(t, 3<<20)
	var told int64
	sent, err := b.site.Stage(t.Context(), "v1-abc", a, func(n int64) { told += n })
	if err != nil || sent != a.Size || told != a.Size {
		t.Fatalf("sent %d, told %d of %d: %v", sent, told, a.Size, err)
	}
	got, _ := os.ReadFile(b.site.EntryPath("v1-abc"))
	info, _ := os.Stat(b.site.EntryPath("v1-abc"))
	if int64(len(got)) != a.Size || info.Mode() != 0o755 {
		t.Errorf("%d bytes, mode %s", len(got), info.Mode())
	}
	if sent := b.stage("v1-abc", a); sent != 0 {
		t.Errorf("sent again: %d", sent)
	}
	if b.left() != "v1-abc" {
		t.Errorf("left: %s", b.left())
	}
}

func TestStageSendsAgainWhatWasDamaged(t *testing.T) {
	b, a := newBench(t), artifact(t, 100)
	b.stage("v1-abc", a)
	if err := os.WriteFile(b.site.EntryPath("v1-abc"), []byte("damaged"), 0o755); err != nil {
		t.Fatal(err)
	}
	if sent := b.stage("v1-abc", a); sent != a.Size || b.left() != "v1-abc" {
		t.Errorf("sent %d; left %s", sent, b.left())
	}
	if err := b.site.Flip(t.Context(), "v1-abc"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.site.EntryPath("v1-abc"), []byte("damaged"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := b.site.Stage(t.Context(), "v1-abc", a, nil)
	if code(err) != "FD-STAGE-DAMAGED" {
		t.Errorf("below current: %v", err)
	}
}

// flips hands every byte on with one bit changed.
type flips struct{ *remote.Machine }

func (f flips) Stream(ctx context.Context, script string, r io.Reader) ([]byte, error) {
	return f.Machine.Stream(ctx, script, flipped{r})
}

type flipped struct{ r io.Reader }

func (f flipped) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if n > 0 {
		p[n-1] ^= 1
	}
	return n, err
}

func TestStageRefusesOtherBytes(t *testing.T) {
	b, a := newBench(t), artifact(t, 1000)
	_, err := site.New(site.Config{Path: b.dir, Entry: "shop"}, flips{b.m}).Stage(t.Context(), "v1-abc", a, nil)
	if code(err) != "FD-STAGE-SHA" || !strings.HasPrefix(err.Error(), "the host received other bytes: its sha256 is ") {
		t.Fatalf("got %v", err)
	}
	if b.left() != "" {
		t.Errorf("left: %s", b.left())
	}
}

func TestStageRefusesAnArtifactThatChanged(t *testing.T) {
	b := newBench(t)
	p := filepath.Join(t.TempDir(), "shop")
	_ = os.WriteFile(p, []byte("one"), 0o755)
	a := open(t, p, "")
	_ = os.WriteFile(p, []byte("another"), 0o755)
	_, err := b.site.Stage(t.Context(), "v1-abc", a, nil)
	if code(err) != "FD-ARTIFACT-CHANGED" {
		t.Fatalf("got %v", err)
	}
}

func TestKilledClientPromotesNothing(t *testing.T) {
	b := newBench(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SITE_TEST_UPLOAD=1", "PORT="+fmt.Sprint(b.sshd.Port), "DIR="+b.dir,
		"KEY="+b.sshd.KeyFile, "KNOWN="+b.sshd.KnownHosts, "LOGIN="+b.sshd.User)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "bytes on the host", func() bool {
		found, _ := filepath.Glob(filepath.Join(b.dir, "releases", ".stage-*", "release", "shop"))
		if len(found) == 0 {
			return false
		}
		info, err := os.Stat(found[0])
		return err == nil && info.Size() > 1<<20
	})
	_ = cmd.Process.Signal(syscall.SIGKILL)
	_ = cmd.Wait()
	await(t, "the temp to be removed", func() bool { return b.left() == "" })
}

// uploadUntilKilled is the child of TestKilledClientPromotesNothing.
func uploadUntilKilled() {
	p := filepath.Join(os.Getenv("DIR"), "..", "blob")
	_ = os.WriteFile(p, randomBytes(64<<20), 0o755)
	a, err := site.OpenArtifact(p, "shop")
	if err != nil {
		panic(err)
	}
	var port int
	_, _ = fmt.Sscan(os.Getenv("PORT"), &port)
	m := remote.New(remote.Config{Address: "127.0.0.1", Port: port, User: os.Getenv("LOGIN"),
		IdentityFiles: []string{os.Getenv("KEY")}, KnownHosts: []string{os.Getenv("KNOWN")}})
	s := site.New(site.Config{Path: os.Getenv("DIR"), Entry: "shop"}, m)
	_, err = s.Stage(context.Background(), "v1-abc", a, func(int64) { time.Sleep(20 * time.Millisecond) })
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 1000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain for %s", what)
}

func TestCutCablePromotesNothing(t *testing.T) {
	b, a := newBench(t), artifact(t, 8<<20)
	cable := remotetest.Plug(t, b.sshd.HostPort())
	b.sshd.TrustAt(t, cable.Addr)
	c := b.sshd.Config()
	c.Port = cable.Port()
	m := remotetest.Machine(t, c)
	s := site.New(site.Config{Path: b.dir, Entry: "shop"}, m)
	if _, err := s.Observe(t.Context()); err != nil {
		t.Fatal(err)
	}
	cable.CutAfter(4 << 20)
	_, err := s.Stage(t.Context(), "v1-abc", a, nil)
	var unknown *remote.UnknownError
	if !errors.As(err, &unknown) {
		t.Fatalf("got %v, want an UnknownError", err)
	}
	await(t, "the temp to be removed", func() bool { return b.left() == "" })
	if sent, err := s.Stage(t.Context(), "v1-abc", a, nil); err != nil || sent != a.Size {
		t.Errorf("over a new connection: %d, %v", sent, err)
	}
}

func TestFullDiskIsNamed(t *testing.T) {
	b := newBench(t)
	if os.Getuid() != 0 || exec.Command("mount", "-t", "tmpfs", "-o", "size=1m,mode=0755", "none", b.dir).Run() != nil {
		remotetest.Lacking(t, "right to mount a tmpfs")
	}
	t.Cleanup(func() { _ = exec.Command("umount", b.dir).Run() })
	a := artifact(t, 3<<20)
	_, err := b.site.Stage(t.Context(), "v1-abc", a, nil)
	if got, want := err.Error(), "no room under "+b.dir+": 1 MiB are free, 11 MiB are needed"; got != want && code(err) != "FD-NO-SPACE" {
		t.Errorf("got %q, want %q", got, want)
	}
	_, err = site.New(site.Config{Path: b.dir, Entry: "shop"}, blind{b.m}).Stage(t.Context(), "v1-abc", a, nil)
	if code(err) != "FD-NO-SPACE" || !strings.Contains(err.Error(), "No space left on device") {
		t.Errorf("when it fills up meanwhile: %v", err)
	}
	if b.left() != "" {
		t.Errorf("left: %s", b.left())
	}
}

// blind never hears how much room there is.
type blind struct{ *remote.Machine }

func (b blind) Run(ctx context.Context, script string) ([]byte, error) {
	out, err := b.Machine.Run(ctx, script)
	if bytes.HasPrefix(out, []byte("free")) {
		out = []byte("free\n")
	}
	return out, err
}

func TestNoexecIsNamed(t *testing.T) {
	b := newBench(t)
	if os.Getuid() != 0 || exec.Command("mount", "-t", "tmpfs", "-o", "size=30m,noexec,mode=0755", "none", b.dir).Run() != nil {
		remotetest.Lacking(t, "right to mount a tmpfs")
	}
	t.Cleanup(func() { _ = exec.Command("umount", b.dir).Run() })
	f, err := b.site.Observe(t.Context())
	if err != nil || !f.NoExec {
		t.Errorf("observed %+v, %v", f, err)
	}
	if _, err := b.site.Stage(t.Context(), "v1-abc", artifact(t, 100), nil); code(err) != "FD-NOEXEC" {
		t.Errorf("staged: %v", err)
	}
}

func TestPlantedLinksAreNotFollowed(t *testing.T) {
	for _, name := range []string{"releases", ".flipdeploy", "releases/v1-abc", ".flipdeploy/act.lock"} {
		b, a := newBench(t), artifact(t, 100)
		victim := t.TempDir()
		p := filepath.Join(b.dir, name)
		_ = os.MkdirAll(filepath.Dir(p), 0o755)
		if err := os.Symlink(victim, p); err != nil {
			t.Fatal(err)
		}
		_, err := b.site.Stage(t.Context(), "v1-abc", a, nil)
		if code(err) != "FD-PLANTED" {
			t.Errorf("%s: got %v", name, err)
		}
		if entries, _ := os.ReadDir(victim); len(entries) > 0 {
			t.Errorf("%s: it was followed", name)
		}
	}
}

func TestDirectoriesOthersMayWriteAreRefused(t *testing.T) {
	for _, name := range []string{".", "..", "releases", ".flipdeploy"} {
		b := newBench(t)
		p := filepath.Join(b.dir, name)
		_ = os.MkdirAll(p, 0o755)
		if err := os.Chmod(p, 0o775); err != nil {
			t.Fatal(err)
		}
		err := b.site.Fence(t.Context(), 1)
		if want := "others may write to " + p; code(err) != "FD-DIR-WRITABLE" || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestMissingPathComesWithItsCommand(t *testing.T) {
	b := newBench(t)
	_ = os.Remove(b.dir)
	_, err := b.site.Stage(t.Context(), "v1-abc", artifact(t, 10), nil)
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) || code(err) != "FD-APP-PATH" || err.Error() != b.dir+" does not exist" {
		t.Fatalf("got %v", err)
	}
	if got, want := hinted.Hint(), "sudo install -d -o deploy -m 0755 "+b.dir; got != want {
		t.Errorf("hint %q, want %q", got, want)
	}
	f, err := b.site.Observe(t.Context())
	if err != nil || f.Exists || f.FreeBytes <= 0 {
		t.Errorf("observed %+v, %v", f, err)
	}
}

func TestOlderRunIsFenced(t *testing.T) {
	b, a := newBench(t), artifact(t, 10)
	b.stage("v1-abc", a)
	for _, epoch := range []int64{3, 7, 7} {
		if err := b.site.Fence(t.Context(), epoch); err != nil {
			t.Fatal(err)
		}
	}
	old := b.site.WithEpoch(6)
	_, staged := old.Stage(t.Context(), "v2-abc", a, nil)
	for name, err := range map[string]error{
		"fence": b.site.Fence(t.Context(), 5),
		"stage": staged,
		"flip":  old.Flip(t.Context(), "v1-abc"),
		"prune": old.Prune(t.Context(), nil),
	} {
		var fenced *site.FencedError
		if !errors.As(err, &fenced) || fenced.Fence != "7" || code(err) != "FD-FENCED" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := b.site.WithEpoch(7).Flip(t.Context(), "v1-abc"); err != nil {
		t.Errorf("the newer run: %v", err)
	}
}

func TestFlipPointsCurrentAtTheRelease(t *testing.T) {
	b, a := newBench(t), artifact(t, 10)
	b.stage("v1-abc", a)
	b.stage("v2-abc", a)
	for _, id := range []string{"v1-abc", "v2-abc", "v2-abc", "v1-abc", "", ""} {
		if err := b.site.Flip(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		got, err := b.site.Current(t.Context())
		if err != nil || got != id {
			t.Errorf("current %q, want %q: %v", got, id, err)
		}
	}
	err := b.site.Flip(t.Context(), "v9-abc")
	if code(err) != "FD-RELEASE-MISSING" || err.Error() != "release v9-abc is not on the host" {
		t.Errorf("got %v", err)
	}
	if err := b.site.Flip(t.Context(), "../../etc"); code(err) != "FD-RELEASE-ID" {
		t.Errorf("got %v", err)
	}
	_ = os.Mkdir(filepath.Join(b.dir, "current"), 0o755)
	if err := b.site.Flip(t.Context(), "v1-abc"); code(err) != "FD-CURRENT" {
		t.Errorf("got %v", err)
	}
	if entries, _ := os.ReadDir(filepath.Join(b.dir, ".flipdeploy")); len(entries) != 1 {
		t.Errorf("left in .flipdeploy: %v", entries)
	}
}

func TestFlipReplacesTheBinary(t *testing.T) {
	b := newBench(t)
	s := b.at(site.Config{Install: site.Replace, Binary: "bin/shop"})
	_ = os.Mkdir(filepath.Join(b.dir, "bin"), 0o755)
	binary := filepath.Join(b.dir, "bin/shop")
	_ = os.WriteFile(binary, []byte("found"), 0o755)
	b.stage("v1-abc", artifact(t, 10))
	b.stage("v2-abc", artifact(t, 20))
	for _, id := range []string{"v1-abc", "v2-abc", "v2-abc", "v1-abc"} {
		if err := s.Flip(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		x, _ := os.Stat(binary)
		y, _ := os.Stat(s.EntryPath(id))
		if !os.SameFile(x, y) {
			t.Errorf("%s: the binary is another file", id)
		}
	}
	if err := s.Flip(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(binary); !os.IsNotExist(err) {
		t.Errorf("the binary is still there")
	}
}

func TestPruneKeepsTheNewestAndTheProtected(t *testing.T) {
	b, a := newBench(t), artifact(t, 10)
	for i := range 6 {
		b.stage(fmt.Sprintf("v%d-abc", i), a)
	}
	if err := b.site.Flip(t.Context(), "v0-abc"); err != nil {
		t.Fatal(err)
	}
	if err := b.site.Prune(t.Context(), []string{"v2-abc"}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.left(), "v0-abc v2-abc v4-abc v5-abc"; got != want {
		t.Errorf("left %s, want %s", got, want)
	}
}

func TestTempsOfDeadRunsAreRemovedAfterADay(t *testing.T) {
	b, a := newBench(t), artifact(t, 10)
	for name, age := range map[string]time.Duration{".stage-old": 49 * time.Hour, ".stage-new": time.Hour} {
		p := filepath.Join(b.dir, "releases", name)
		_ = os.MkdirAll(filepath.Join(p, "x"), 0o755)
		_ = os.Chtimes(p, time.Now(), time.Now().Add(-age))
	}
	b.stage("v1-abc", a)
	if got, want := b.left(), ".stage-new v1-abc"; got != want {
		t.Errorf("left %s, want %s", got, want)
	}
}

func TestObserveTellsWhatIsThere(t *testing.T) {
	b, a := newBench(t), artifact(t, 10)
	b.stage("v1-abc", a)
	_ = b.site.Flip(t.Context(), "v1-abc")
	_ = b.site.Fence(t.Context(), 4)
	f, err := b.site.Observe(t.Context())
	if err != nil || !f.Exists || !f.Writable || f.Current != "v1-abc" || f.User != b.sshd.User {
		t.Errorf("observed %+v, %v", f, err)
	}
	if f.Fence != 4 || f.Releases["v1-abc"] != a.SHA256 || f.FreeBytes <= 0 || f.NoExec {
		t.Errorf("observed %+v", f)
	}
	if problems := b.site.Preflight(f, "v2-abc", a); problems != nil {
		t.Errorf("preflight: %v", problems)
	}
	f.Arch, f.FreeBytes, a.Machine = "aarch64", 1<<20, "x86_64"
	want := "[no room under " + b.dir + ": 1 MiB are free, 9 MiB are needed the artifact is for x86_64, the host is aarch64]"
	if got := fmt.Sprint(b.site.Preflight(f, "v2-abc", a)); got != want {
		t.Errorf("preflight %s, want %s", got, want)
	}
}

func tree(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "dist")
	_ = os.MkdirAll(filepath.Join(dir, "static"), 0o755)
	_ = os.WriteFile(filepath.Join(dir, "shop"), []byte("#!/bin/sh\n"), 0o755)
	_ = os.WriteFile(filepath.Join(dir, "static", "a.css"), []byte("a"), 0o640)
	_ = os.Symlink("static/a.css", filepath.Join(dir, "link"))
	return dir
}

func TestStageUnpacksADirectory(t *testing.T) {
	b, dir := newBench(t), tree(t)
	a := open(t, dir, "shop")
	time.Sleep(10 * time.Millisecond)
	if again := open(t, tree(t), "shop"); again.SHA256 != a.SHA256 {
		t.Error("the same files have another sha256")
	}
	b.stage("v1-abc", a)
	got, err := os.ReadFile(filepath.Join(b.dir, "releases/v1-abc/link"))
	info, _ := os.Stat(filepath.Join(b.dir, "releases/v1-abc/static/a.css"))
	if err != nil || string(got) != "a" || info.Mode() != 0o640 {
		t.Errorf("got %q, %v, mode %s", got, err, info.Mode())
	}
	if sent := b.stage("v1-abc", a); sent != 0 {
		t.Errorf("sent again: %d", sent)
	}
}

func TestStageUnpacksAnArchive(t *testing.T) {
	b := newBench(t)
	a := open(t, archive(t, &tar.Header{Name: "shop", Mode: 0o755, Typeflag: tar.TypeReg, Size: 3}), "shop")
	b.stage("v1-abc", a)
	if got, _ := os.ReadFile(b.site.EntryPath("v1-abc")); string(got) != "abc" {
		t.Errorf("got %q", got)
	}
}

func archive(t *testing.T, headers ...*tar.Header) string {
	t.Helper()
	var text bytes.Buffer
	z := gzip.NewWriter(&text)
	w := tar.NewWriter(z)
	for _, h := range headers {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("abc")[:h.Size])
	}
	_, _ = w.Close(), z.Close()
	p := filepath.Join(t.TempDir(), "shop.tar.gz")
	_ = os.WriteFile(p, text.Bytes(), 0o644)
	return p
}

func TestArtifactsThatCannotBeReleasedAreRefused(t *testing.T) {
	escaping, entryless := tree(t), tree(t)
	_ = os.Symlink("../../etc/passwd", filepath.Join(escaping, "evil"))
	_ = os.Chmod(filepath.Join(entryless, "shop"), 0o644)
	empty := filepath.Join(t.TempDir(), "empty")
	_ = os.WriteFile(empty, nil, 0o755)
	for _, c := range []struct{ path, entry, want string }{
		{escaping, "shop", "the link evil leads out of the release, to ../../etc/passwd"},
		{entryless, "shop", "the entry shop is no executable file"},
		{entryless, "", "which program in it is to run? set app.entry"},
		{entryless, "../shop", `the entry "../shop" is no path inside the release`},
		{"/nowhere/shop", "", "no such file or directory"},
		{empty, "", "it is empty"},
		{archive(t, &tar.Header{Name: "../shop", Typeflag: tar.TypeReg, Size: 3}), "shop", "../shop is outside of the release"},
		{archive(t, &tar.Header{Name: "a", Linkname: "/etc", Typeflag: tar.TypeSymlink}), "shop", "the link a leads out of the release, to /etc"},
		{archive(t), "shop", "it has no file shop; archives are not stripped"},
	} {
		_, err := site.OpenArtifact(c.path, c.entry)
		if want := "artifact " + c.path + ": " + c.want; err == nil || err.Error() != want || code(err) != "FD-ARTIFACT" {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestArtifactKnowsItsProgram(t *testing.T) {
	a := open(t, os.Args[0], "")
	if a.Machine == "" || a.RunsOn("vax") || !a.RunsOn(a.Machine) || a.Entry != filepath.Base(os.Args[0]) {
		t.Errorf("got %+v", a)
	}
	if b := artifact(t, 1); b.Machine != "" || b.Revision != b.SHA256[:12] || b.ID("v1") != "v1-"+b.SHA256[:8] {
		t.Errorf("got %+v", b)
	}
}
