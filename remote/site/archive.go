package site

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// loadTarGz reads the archive to the end: it must be sound, bring the entry, and
// put nothing outside of the release.
func (a *Artifact) loadTarGz() (*io.SectionReader, error) {
	z, err := gzip.NewReader(io.NewSectionReader(a.f, 0, a.was.Size()))
	if err != nil {
		return nil, err
	}
	defer func() { _ = z.Close() }() // only read from
	return a.loadTar(&bounded{z, mostUnpacked(a.was.Size())})
}

// widestWindow is what the zstd program takes, too, when it is not told otherwise.
const widestWindow = 128 << 20

// loadTarZst unpacks the archive into an unnamed file: few hosts have zstd, all have tar.
func (a *Artifact) loadTarZst() (*io.SectionReader, error) {
	z, err := zstd.NewReader(io.NewSectionReader(a.f, 0, a.was.Size()),
		zstd.WithDecoderMaxWindow(widestWindow), zstd.WithDecoderLowmem(true), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	unpacked, err := unnamed()
	if err != nil {
		return nil, err
	}
	a.file, a.f = a.f, unpacked
	text := io.TeeReader(&bounded{z, mostUnpacked(a.was.Size())}, unpacked)
	program, err := a.loadTar(text)
	if err == nil {
		_, err = io.Copy(io.Discard, text) // what stands behind the end, its checksum among it
	}
	return program, err
}

// mostUnpacked is what an archive of so many bytes may unpack to. One that exceeds it was
// made to fill disks.
func mostUnpacked(size int64) int64 { return atLeast + 100*size }

var atLeast int64 = 1 << 30 // tests have no time for so much

var errTooMuch = errors.New("it unpacks to more than a hundred times its size")

// bounded is r until it gives more than left.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errTooMuch
	}
	return n, err
}

// loadTar reads all of the archive, and gives its entry.
func (a *Artifact) loadTar(text io.Reader) (program *io.SectionReader, err error) {
	r := tar.NewReader(text)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if err := a.admit(h); err != nil {
			return nil, err
		}
		if path.Clean(h.Name) == a.Entry && h.Typeflag == tar.TypeReg {
			if program, err = a.copyProgram(r, h.FileInfo().Mode()); err != nil {
				return nil, err
			}
		}
	}
	if program == nil {
		return nil, fmt.Errorf("it has no file %s; archives are not stripped", a.Entry)
	}
	return program, nil
}

func (a *Artifact) admit(h *tar.Header) error {
	name := path.Clean(h.Name)
	if h.Size > mostUnpacked(a.was.Size())-a.unpacked { // holes are no bytes of the archive
		return errTooMuch
	}
	a.files++
	a.unpacked += h.Size
	switch {
	case path.IsAbs(h.Name), !filepath.IsLocal(name):
		return fmt.Errorf("%s is outside of the release", h.Name)
	case name == manifest:
		return fmt.Errorf("%s is a name of ours", name)
	case h.Typeflag == tar.TypeSymlink:
		return checkLink(name, h.Linkname)
	case h.Typeflag == tar.TypeLink:
		return checkLink("x", h.Linkname)
	case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir && h.Typeflag != tar.TypeXGlobalHeader:
		return fmt.Errorf("%s is neither a file, a directory nor a link", h.Name)
	}
	return nil
}
