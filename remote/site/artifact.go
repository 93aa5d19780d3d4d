package site

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Kind is what the bytes of an artifact are.
type Kind string

const (
	File   Kind = "file"   // the program itself
	Tar    Kind = "tar"    // a directory, as its canonical tar
	TarGz  Kind = "targz"  // sent as it is, not stripped
	TarZst Kind = "tarzst" // sent unpacked, as a tar; not stripped
)

// An Artifact is what is released, opened once: every host gets the bytes of the
// one file that was hashed. It is safe for use by many goroutines.
type Artifact struct {
	Kind     Kind
	Entry    string   // program inside the release
	Size     int64    // bytes to send
	SHA256   string   // of the file, hex; of a directory, of its canonical tar
	Revision string   // of a Go program's version control, else of SHA256
	Machine  string   // what the program runs on, as uname -m has it; "" for scripts
	Modules  []string // of a Go program; none where that cannot be told
	Notify   bool     // with Modules: some of it asks for signals

	From Origin // where hosts can fetch it by themselves; nil: nowhere

	unpacked int64 // bytes on the host, once unpacked
	files    int64
	f        *os.File // the bytes to send
	file     *os.File // the artifact itself, where those are others
	sum      string   // sha256 of the bytes to send
	was      os.FileInfo
	name     string
}

// An Origin is where an artifact was fetched, and hosts can fetch it, too.
type Origin interface {
	// Address is good for some minutes, and a secret.
	Address(ctx context.Context) (string, error)
	// Redirects is how many may be followed.
	Redirects() int
	// Name is the file's own name, String the place without secrets.
	Name() string
	String() string
}

// OpenFetched is OpenArtifact of a file that was fetched, which is closed with it, or on an
// error.
func OpenFetched(f *os.File, from Origin, entry string) (*Artifact, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return told(from.String(), &Artifact{Kind: kindOf(from.Name(), info), Entry: entry, f: f, was: info, name: from.Name(), From: from})
}

// OpenArtifact reads all of a file, a directory, a .tar.gz or a .tar.zst once. entry is the
// program inside; for a single file the default is its base name.
func OpenArtifact(name, entry string) (*Artifact, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, artifactError(name, bare(err))
	}
	info, err := f.Stat()
	if err != nil {
		return nil, artifactError(name, errors.Join(err, f.Close()))
	}
	return told(name, &Artifact{Kind: kindOf(name, info), Entry: entry, f: f, was: info, name: name})
}

// told is a once all about it is known.
func told(name string, a *Artifact) (*Artifact, error) {
	err := a.load()
	if err == nil {
		return a, nil
	}
	err = errors.Join(err, a.Close())
	var known *Error
	if !errors.As(err, &known) {
		err = artifactError(name, err)
	}
	return nil, err
}

func artifactError(name string, err error) error {
	return &Error{text: fmt.Sprintf("artifact %s: %s", name, err), code: "FD-ARTIFACT", err: err,
		hint: "check app.artifact, app.entry and --artifact"}
}

func bare(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func kindOf(name string, info os.FileInfo) Kind {
	switch {
	case info.IsDir():
		return Tar
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		return TarGz
	case strings.HasSuffix(name, ".tar.zst"):
		return TarZst
	}
	return File
}

// load makes the bytes to send and learns all about them.
func (a *Artifact) load() error {
	if a.Kind == File && a.Entry == "" {
		a.Entry = filepath.Base(a.name)
	}
	if err := checkEntry(a.Entry); err != nil {
		return err
	}
	var program *io.SectionReader
	var err error
	switch a.Kind {
	case File:
		program, err = a.loadFile()
	case Tar:
		program, err = a.loadDir()
	case TarGz:
		program, err = a.loadTarGz()
	case TarZst:
		program, err = a.loadTarZst()
	}
	if err != nil {
		return err
	}
	if err := a.hash(); err != nil {
		return err
	}
	a.inspect(program)
	return nil
}

func checkEntry(entry string) error {
	switch {
	case entry == "":
		return errors.New("which program in it is to run? set app.entry")
	case !filepath.IsLocal(entry), path.Clean(entry) != entry, strings.HasPrefix(entry, "-"):
		return fmt.Errorf("the entry %q is no path inside the release", entry)
	}
	return nil
}

func (a *Artifact) loadFile() (*io.SectionReader, error) {
	switch {
	case !a.was.Mode().IsRegular():
		return nil, errors.New("it is neither a file nor a directory")
	case a.was.Size() == 0:
		return nil, errors.New("it is empty")
	}
	a.unpacked, a.files = a.was.Size(), 1
	return io.NewSectionReader(a.f, 0, a.was.Size()), nil
}

func (a *Artifact) hash() (err error) {
	if a.Size, a.sum, err = sumOf(a.f); err != nil {
		return err
	}
	a.SHA256 = a.sum
	if a.file != nil {
		if _, a.SHA256, err = sumOf(a.file); err != nil {
			return err
		}
	}
	return a.unchanged()
}

func sumOf(f *os.File) (size int64, sum string, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, "", err
	}
	h := sha256.New()
	size, err = io.Copy(h, io.NewSectionReader(f, 0, info.Size()))
	return size, hex.EncodeToString(h.Sum(nil)), err
}

// MayShrink tells whether a host may get it in fewer bytes: as a delta, or packed.
func (a *Artifact) MayShrink() bool { return a.Kind != TarGz && a.Size >= small }

// Reader gives all bytes to send, independent of every other reader.
func (a *Artifact) Reader() io.Reader { return io.NewSectionReader(a.f, 0, a.Size) }

// File gives all bytes that SHA256 is the sum of.
func (a *Artifact) File() io.Reader {
	if a.file == nil {
		return a.Reader()
	}
	return io.NewSectionReader(a.file, 0, a.was.Size())
}

// FileSize is how many those are.
func (a *Artifact) FileSize() int64 {
	if a.file == nil {
		return a.Size
	}
	return a.was.Size()
}

// ID is the id of the release that this artifact makes under the revision.
func (a *Artifact) ID(revision string) string { return revision + "-" + a.SHA256[:8] }

// Close gives the file back; readers end.
func (a *Artifact) Close() error {
	if a.file == nil {
		return a.f.Close()
	}
	return errors.Join(a.f.Close(), a.file.Close())
}

// wire is the kind of the bytes to send.
func (a *Artifact) wire() Kind {
	if a.Kind == TarZst {
		return Tar
	}
	return a.Kind
}

// unchanged tells whether the file is still the one that was opened: a build that
// runs again meanwhile must not reach a part of the hosts.
func (a *Artifact) unchanged() error {
	if a.Kind == Tar || a.From != nil {
		return nil // our own unnamed file
	}
	now, err := os.Stat(a.name)
	if err != nil {
		return artifactError(a.name, bare(err))
	}
	if !os.SameFile(a.was, now) || now.Size() != a.was.Size() || !now.ModTime().Equal(a.was.ModTime()) {
		return &Error{text: fmt.Sprintf("artifact %s: it was changed while it was read", a.name),
			code: "FD-ARTIFACT-CHANGED", hint: "let the build end, then run it again"}
	}
	return nil
}

// room tells what lacks on a host with so much free, "" when nothing does. An
// archive is there twice while it is unpacked.
func (a *Artifact) room(bytes, inodes int64) string {
	const margin, few = 8 << 20, 16
	need := a.unpacked + margin
	if a.Kind != File {
		need += a.Size
	}
	switch {
	case bytes >= 0 && bytes < need:
		return fmt.Sprintf("%d MiB are free, %d MiB are needed", bytes>>20, (need+1<<20-1)>>20)
	case inodes >= 0 && inodes < a.files+few:
		return fmt.Sprintf("%d inodes are free, %d are needed", inodes, a.files+few)
	}
	return ""
}

// tools are the programs that staging needs on the host.
func (a *Artifact) tools() []string {
	need := []string{"flock", "sha256sum", "mktemp"}
	switch a.Kind {
	case Tar, TarZst:
		return append(need, "tar")
	case TarGz:
		return append(need, "tar", "gzip")
	case File:
	}
	return need
}
