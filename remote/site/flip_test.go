package site_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/site"
)

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

// What a run has given up may be under way for as long as the host is frozen.
func TestWhatWasGivenUpTakesNoEffect(t *testing.T) {
	b, a := newBench(t), artifact(t, 10)
	b.stage("v1-abc", a)
	for _, err := range []error{b.site.Fence(t.Context(), 7), b.site.Turn(t.Context(), 7, 1), b.site.Turn(t.Context(), 7, 2), b.site.Turn(t.Context(), 7, 2)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	us := b.site.WithEpoch(7)
	for name, err := range map[string]error{
		"turn":  b.site.Turn(t.Context(), 7, 1),
		"flip":  us.Flip(t.Context(), "v1-abc"),
		"prune": us.Prune(t.Context(), nil),
	} {
		if code(err) != "FD-GIVEN-UP" || err.Error() != "the run went on without this call, and it did nothing" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := b.site.Fence(t.Context(), 8); err != nil {
		t.Fatal(err)
	}
	if err := b.site.WithEpoch(8).Flip(t.Context(), "v1-abc"); err != nil {
		t.Errorf("the next run: %v", err)
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
