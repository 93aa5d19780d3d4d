package site_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
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
	tarred(t, z, headers...)
	return archived(t, "shop.tar.gz", text.Bytes())
}

func archiveZst(t *testing.T, headers ...*tar.Header) string {
	t.Helper()
	var text bytes.Buffer
	z, err := zstd.NewWriter(&text)
	if err != nil {
		t.Fatal(err)
	}
	tarred(t, z, headers...)
	return archived(t, "shop.tar.zst", text.Bytes())
}

func archived(t *testing.T, name string, text []byte) string {
	p := filepath.Join(t.TempDir(), name)
	_ = os.WriteFile(p, text, 0o644)
	return p
}

func tarred(t *testing.T, z io.WriteCloser, headers ...*tar.Header) {
	t.Helper()
	w := tar.NewWriter(z)
	for _, h := range headers {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte("abc")[:h.Size])
	}
	_, _ = w.Close(), z.Close()
}

func TestATarZstIsStagedOnAHostWithoutZstd(t *testing.T) {
	b, y := newBench(t), newYard(t)
	p := archiveZst(t, &tar.Header{Name: "shop", Mode: 0o755, Typeflag: tar.TypeReg, Size: 3}, &tar.Header{Name: "link", Linkname: "shop", Typeflag: tar.TypeSymlink})
	a := open(t, p, "shop")
	text, _ := os.ReadFile(p)
	if want := fmt.Sprintf("%x", sha256.Sum256(text)); a.SHA256 != want || a.Size != 2560 {
		t.Errorf("sha256 %s, want the file's %s; %d bytes", a.SHA256, want, a.Size)
	}
	if _, err := b.site.Ship(t.Context(), "v1-abc", y.cargo(a), nil); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(b.dir, "releases/v1-abc/link")); string(got) != "abc" {
		t.Errorf("got %q", got)
	}
	f, err := b.site.Observe(t.Context())
	if err != nil || f.Releases["v1-abc"] != a.SHA256 {
		t.Errorf("%v, %v", f.Releases, err)
	}
	if sent := b.stage("v1-abc", a); sent != 0 {
		t.Errorf("sent again: %d", sent)
	}
}

// What packs well goes out as it came, where zstd can unpack it.
func TestATarZstGoesOutAsItCame(t *testing.T) {
	b, y := newBench(t), newYard(t)
	remotetest.Need(t, "zstd")
	var text bytes.Buffer
	z, _ := zstd.NewWriter(&text)
	w := tar.NewWriter(z)
	_ = w.WriteHeader(&tar.Header{Name: "shop", Mode: 0o755, Typeflag: tar.TypeReg, Size: 6 << 20})
	_, _ = w.Write(make([]byte, 6<<20))
	_, _ = w.Close(), z.Close()
	a := open(t, archived(t, "shop.tar.zst", text.Bytes()), "shop")
	done, err := b.site.Ship(t.Context(), "v1-abc", y.cargo(a), nil)
	if want := (site.Shipped{Sent: int64(text.Len()), How: "packed with zstd"}); err != nil || done != want {
		t.Errorf("%+v, %v, want %+v", done, err, want)
	}
}

// A bomb: an archive that is small, and would fill a disk.
func TestAnArchiveThatUnpacksToFarMoreIsRefused(t *testing.T) {
	for name, writer := range map[string]func(io.Writer) io.WriteCloser{
		"shop.tar.gz":  func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"shop.tar.zst": func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z },
	} {
		site.AtMostUnpacked(t, 1<<20)
		var text bytes.Buffer
		z := writer(&text)
		w := tar.NewWriter(z)
		_ = w.WriteHeader(&tar.Header{Name: "data", Typeflag: tar.TypeReg, Size: 8 << 20})
		_, _ = w.Write(make([]byte, 8<<20))
		_, _ = w.Close(), z.Close()
		p := archived(t, name, text.Bytes())
		_, err := site.OpenArtifact(p, "shop")
		if want := "artifact " + p + ": it unpacks to more than a hundred times its size"; err == nil || err.Error() != want || code(err) != "FD-ARTIFACT" {
			t.Errorf("got %v, want %s", err, want)
		}
	}
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
		{archiveZst(t, &tar.Header{Name: "a/../../shop", Typeflag: tar.TypeReg, Size: 3}), "shop", "a/../../shop is outside of the release"},
		{archiveZst(t, &tar.Header{Name: "/shop", Typeflag: tar.TypeReg, Size: 3}), "shop", "/shop is outside of the release"},
		{archiveZst(t, &tar.Header{Name: "a", Linkname: "../b", Typeflag: tar.TypeSymlink}), "shop", "the link a leads out of the release, to ../b"},
		{archiveZst(t, &tar.Header{Name: ".flipdeploy-release", Typeflag: tar.TypeReg, Size: 3}), "shop", ".flipdeploy-release is a name of ours"},
		{archiveZst(t), "shop", "it has no file shop; archives are not stripped"},
		{archived(t, "shop.tar.zst", []byte("no archive")), "shop", "invalid input: magic number mismatch"},
		{archived(t, "shop.tar.zst", nil), "shop", "it has no file shop; archives are not stripped"},
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

// A few hundred bytes may stand for a file of exabytes that is all hole.
func TestAnArchiveOfHolesIsRefused(t *testing.T) {
	for name, size := range map[string]string{"the entry": "9000000000000000000", "several": "4611686018427387904"} {
		var text bytes.Buffer
		z := gzip.NewWriter(&text)
		holes(z, "shop", size)
		holes(z, "more", size)
		_, _ = z.Write(make([]byte, 1024))
		_ = z.Close()
		_, err := site.OpenArtifact(archived(t, "shop.tar.gz", text.Bytes()), "shop")
		if code(err) != "FD-ARTIFACT" || !strings.HasSuffix(err.Error(), "it unpacks to more than a hundred times its size") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// holes writes a sparse file as GNU tar does (--format=posix -S), one without any data.
func holes(w io.Writer, name, size string) {
	var records string
	for _, kv := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=" + name, "GNU.sparse.realsize=" + size} {
		n := len(kv) + 4 // of two digits, a space and a newline
		records += fmt.Sprintf("%d %s\n", n, kv)
	}
	block(w, 'x', "PaxHeaders/"+name, records)
	block(w, '0', "GNUSparseFile/"+name, "1\n"+size+"\n0\n"+strings.Repeat("\x00", 512-5-len(size)))
}

// block writes a ustar header and what it has.
func block(w io.Writer, kind byte, name, text string) {
	b := make([]byte, 512+(len(text)+511)/512*512)
	copy(b, name)
	copy(b[100:], "0000755\x000000000\x000000000\x00")
	copy(b[124:], fmt.Sprintf("%011o\x0000000000000\x00        %c", len(text), kind))
	copy(b[257:], "ustar\x0000")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	copy(b[512:], text)
	_, _ = w.Write(b)
}
