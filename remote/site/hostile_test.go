package site_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

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
	const group, sticky = 0o775, 0o777 | os.ModeSticky
	for _, r := range []struct {
		name string
		mode os.FileMode
	}{{".", group}, {"..", group}, {"releases", group}, {".flipdeploy", group}, {".", sticky}, {"releases", sticky}} {
		b := newBench(t)
		p := filepath.Join(b.dir, r.name)
		_ = os.MkdirAll(p, 0o755)
		if err := os.Chmod(p, r.mode); err != nil {
			t.Fatal(err)
		}
		err := b.site.Fence(t.Context(), 1)
		if want := "others may write to " + p; code(err) != "FD-DIR-WRITABLE" || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if f, err := b.site.Observe(t.Context()); err != nil || len(f.Loose) != 1 || f.Loose[0] != p {
			t.Errorf("observed %s, %v", f.Loose, err)
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
