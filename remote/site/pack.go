package site

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"time"
)

// manifest is the file that tells a complete release; artifacts must not bring
// their own.
const manifest = ".flipdeploy-release"

// loadDir packs the directory into an unnamed file, the same bytes wherever and
// whenever it is packed: sorted, times and owners zero, modes and links kept.
func (a *Artifact) loadDir() (*io.SectionReader, error) {
	packed, err := unnamed()
	if err != nil {
		return nil, err
	}
	root := a.name
	_ = a.f.Close()
	a.f = packed
	w := tar.NewWriter(packed)
	if err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == root {
			return err
		}
		return a.pack(w, root, p)
	}); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return a.program(filepath.Join(root, filepath.FromSlash(a.Entry)))
}

// unnamed is a temporary file that nobody else can open.
func unnamed() (*os.File, error) {
	f, err := os.CreateTemp("", "flipdeploy-artifact-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

func (a *Artifact) pack(w *tar.Writer, root, p string) error {
	info, err := os.Lstat(p)
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(root, p)
	if err != nil {
		return err
	}
	h, err := canonical(filepath.ToSlash(rel), p, info)
	if err != nil {
		return err
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	a.files++
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	a.unpacked += h.Size
	return copyFile(w, p)
}

func copyFile(w io.Writer, p string) error {
	f, err := os.Open(p)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read from
	_, err = io.Copy(w, f)
	return err
}

// canonical is the header of a file, with nothing in it that another checkout of
// the same files would have otherwise.
func canonical(name, p string, info fs.FileInfo) (*tar.Header, error) {
	h := &tar.Header{Name: name, Mode: int64(info.Mode().Perm()), ModTime: time.Unix(0, 0)}
	switch mode := info.Mode(); {
	case name == manifest:
		return nil, fmt.Errorf("%s is a name of ours", name)
	case mode.IsRegular():
		h.Typeflag, h.Size = tar.TypeReg, info.Size()
	case mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
	case mode&fs.ModeSymlink != 0:
		target, err := os.Readlink(p)
		if err != nil {
			return nil, err
		}
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, target, 0o777
		return h, checkLink(name, target)
	default:
		return nil, fmt.Errorf("%s is neither a file, a directory nor a link", name)
	}
	return h, nil
}

// checkLink refuses a link out of the release: it would point at other things on
// the host than it did here.
func checkLink(name, target string) error {
	if path.IsAbs(target) || !filepath.IsLocal(path.Join(path.Dir(name), target)) {
		return fmt.Errorf("the link %s leads out of the release, to %s", name, target)
	}
	return nil
}

// program is the entry of a directory, for inspection.
func (a *Artifact) program(p string) (*io.SectionReader, error) {
	f, err := os.Open(p)
	if err != nil {
		return nil, fmt.Errorf("the entry %s: %w", a.Entry, bare(err))
	}
	defer func() { _ = f.Close() }() // only read from
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("the entry %s is no file", a.Entry)
	}
	return a.copyProgram(f, info.Mode())
}

// copyProgram keeps the program readable once its file or stream is gone. What an
// interpreter or a proxy reads need not be executable; a machine's own program has to.
func (a *Artifact) copyProgram(r io.Reader, mode fs.FileMode) (*io.SectionReader, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if mode&0o111 == 0 && bytes.HasPrefix(text, []byte(elf.ELFMAG)) {
		return nil, fmt.Errorf("the entry %s is a program without the x bit (mode %04o)", a.Entry, mode.Perm())
	}
	return io.NewSectionReader(bytes.NewReader(text), 0, int64(len(text))), nil
}
