package site_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/site"
)

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

// What an interpreter or a proxy reads: app.py, config.ru, nginx.conf.
func TestStageTakesAnEntryThatIsOnlyRead(t *testing.T) {
	b, dir := newBench(t), tree(t)
	_ = os.WriteFile(filepath.Join(dir, "app.py"), []byte("print('shop')\n"), 0o644)
	entry := b.site.WithEntry("app.py")
	if _, err := entry.Stage(t.Context(), "v1-abc", open(t, dir, "app.py"), nil); err != nil {
		t.Fatal(err)
	}
	if has, err := entry.Has(t.Context(), "v1-abc"); !has || err != nil {
		t.Errorf("has %t, %v", has, err)
	}
	info, _ := os.Stat(entry.EntryPath("v1-abc"))
	if info.Mode() != 0o644 {
		t.Errorf("mode %s", info.Mode())
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
	_ = os.WriteFile(filepath.Join(entryless, "shop"), []byte("\x7fELF\x02"), 0o644)
	_ = os.Chmod(filepath.Join(entryless, "shop"), 0o644)
	empty := filepath.Join(t.TempDir(), "empty")
	_ = os.WriteFile(empty, nil, 0o755)
	for _, c := range []struct{ path, entry, want string }{
		{escaping, "shop", "the link evil leads out of the release, to ../../etc/passwd"},
		{entryless, "shop", "the entry shop is a program without the x bit (mode 0644)"},
		{entryless, "static", "the entry static is no file"},
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
