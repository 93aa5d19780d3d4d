package site_test

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// A disk takes what is written, and may fail when it is told to keep it.
func TestADiskThatFailsIsSaid(t *testing.T) {
	words, bare := filepath.Join(t.TempDir(), "words"), filepath.Join(t.TempDir(), "bare")
	b := benchOn(t, remotetest.Start(t, with(t, "sync",
		"[ $# -gt 0 ] || : >"+bare+"\n[ $# = 0 ] || [ ! -e "+words+" ] || { cat "+words+" >&2; exit 1; }")))
	file, dir := artifact(t, 10), open(t, archive(t, &tar.Header{Name: "shop", Mode: 0o755}), "shop")
	b.stage("v1-abc", file)
	here := b.put("found", "#!/bin/sh\nexit 0\n")
	acts := map[string]func() error{
		"stage a file":       func() error { _, err := b.site.Stage(t.Context(), "v2-abc", file, nil); return err },
		"stage an archive":   func() error { _, err := b.site.Stage(t.Context(), "v3-abc", dir, nil); return err },
		"fence":              func() error { return b.site.Fence(t.Context(), 5) },
		"turn":               func() error { return b.site.Turn(t.Context(), 5, 1) },
		"flip":               func() error { return b.site.Flip(t.Context(), "v1-abc") },
		"keep what is found": func() error { f, _ := b.site.Find(t.Context(), runs(t, here)); return b.site.Adopt(t.Context(), f) },
	}
	for said, want := range map[string][2]string{
		"sync: error syncing 'x': Input/output error":      {"FD-DISK", "the host's disk did not take what was written: "},
		"sync: error opening 'x': Read-only file system":   {"FD-DISK", "the host's disk did not take what was written: "},
		"sync: error syncing 'x': No space left on device": {"FD-NO-SPACE", "no room under " + b.dir + ": "},
		"sync: error syncing 'x': Disk quota exceeded":     {"FD-NO-SPACE", "no room under " + b.dir + ": "},
	} {
		if err := os.WriteFile(words, []byte(said+"\nand more\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for name, act := range acts {
			if err := act(); code(err) != want[0] || err.Error() != want[1]+said {
				t.Errorf("%s: %s: got %v", said, name, err)
			}
		}
	}
	if b.left() != "v1-abc" {
		t.Errorf("left %s", b.left())
	}
	if _, err := os.Stat(bare); err == nil {
		t.Error("a sync of all hid what one of the files said")
	}

	// One that knows no names, or not that option.
	if err := os.WriteFile(words, []byte("sync: invalid option -- 'f'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"stage a file", "stage an archive", "flip", "fence", "turn"} {
		if err := acts[name](); err != nil {
			t.Errorf("an old sync: %s: %v", name, err)
		}
		if err := os.Remove(bare); err != nil {
			t.Errorf("an old sync: %s: nothing was synced", name)
		}
	}
}

func TestALockThatCannotBeWrittenIsSaid(t *testing.T) {
	b := newBench(t)
	if err := os.MkdirAll(filepath.Join(b.dir, ".flipdeploy", "act.lock"), 0o755); err != nil {
		t.Fatal(err)
	}
	err := b.site.Fence(t.Context(), 5)
	if want := b.dir + "/.flipdeploy/act.lock cannot be written by "; code(err) != "FD-APP-PATH" || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
}
