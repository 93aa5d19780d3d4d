package site_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

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
		_, rest, _ := bytes.Cut(out, []byte("\n"))
		out = append([]byte("free\n"), rest...)
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
