package inventory

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// maxSize bounds the file: three thousand hosts, each written out.
const maxSize = 256 << 10

// Load returns the inventory in the file at path. The error is a *FaultsError
// with all that is wrong: with the file, or with what it says.
func Load(path string) (*Inventory, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, refuse(path, "cannot be opened: "+reason(err), "name the file with -i FILE", err)
	}
	defer func() { _ = f.Close() }()
	if err := trusted(f, path); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err != nil {
		return nil, refuse(path, "cannot be read: "+reason(err), "", err)
	}
	inv, err := Parse(data, path)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	inv.SHA256 = hex.EncodeToString(sum[:])
	return inv, nil
}

// reason is what the system said, without the path that stands before it.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

func refuse(path, text, hint string, cause error) error {
	f := Fault{Text: text, Hint: hint, Code: CodeInventory}
	return &FaultsError{Path: path, Faults: []Fault{f}, cause: cause}
}

// trusted refuses a file that anyone could have written: it decides what runs
// on every host.
func trusted(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil {
		return refuse(path, "cannot be read: "+reason(err), "", err)
	}
	if info.IsDir() {
		return refuse(path, "is a directory", "name the file with -i FILE", nil)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return refuse(path, "anyone may write this file", "chmod o-w "+printable(path), nil)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Dir(real) != filepath.Dir(path) {
		if err := trustedDir(path, filepath.Dir(real)); err != nil {
			return err
		}
	}
	return trustedDir(path, filepath.Dir(path))
}

// trustedDir refuses a directory where anyone may put another file in the
// place of this one. A sticky directory keeps them from it.
func trustedDir(path, dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return refuse(path, "its directory cannot be read: "+reason(err), "", err)
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return refuse(path, fmt.Sprintf("anyone may replace this file: %s is writable by all", printable(dir)),
			"chmod o-w "+printable(dir), nil)
	}
	return nil
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// Parse returns the inventory in data, as if it had been read from path.
func Parse(data []byte, path string) (*Inventory, error) {
	var f faults
	if len(data) > maxSize {
		return nil, refuse(path, fmt.Sprintf("is larger than %d KiB: not an inventory", maxSize>>10), "", nil)
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, refuse(path, "is UTF-16 text", "save the file as UTF-8, without a byte order mark", nil)
	}
	if rest, ok := bytes.CutPrefix(data, byteOrderMark); ok {
		data = rest
		f.add(pos{1, 1}, "", "the file begins with a byte order mark", "save the file as UTF-8, without a byte order mark")
	}
	root, wrong := parseTree(data)
	if wrong != nil {
		f.list = append(f.list, *wrong)
		return nil, f.err(path)
	}
	(&checker{faults: &f, env: os.LookupEnv}).table(root)
	return build(root, &f, path)
}
