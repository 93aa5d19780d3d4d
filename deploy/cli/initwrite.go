package cli

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flipdeploy/flipdeploy/deploy"
)

func there(path string) error {
	return &deploy.Fault{Code_: "FD-INIT-EXISTS", Err: fmt.Errorf("%s: is there already, and stays as it is", path), Hint_: "write another one with -i other.toml"}
}

// vacant is nil where nothing has that name, a link that leads nowhere neither.
func vacant(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return there(path)
	}
	return nil
}

// writeNew puts text at path, whole or not at all, and never over a file.
func writeNew(path, text string) error {
	var unique [6]byte
	_, _ = rand.Read(unique[:])
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+hex.EncodeToString(unique[:]))
	defer func() { _ = os.Remove(temp) }() // where it is there still
	err := writeSynced(temp, text)
	if err == nil {
		err = os.Link(temp, path) // unlike a rename it replaces nothing
	}
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) { // file systems without links
		err = writeSynced(path, text)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return there(path)
	case err != nil:
		return &deploy.Fault{Code_: "FD-INIT-WRITE", Err: fmt.Errorf("%s: cannot be written: %w", path, reason(err)), Hint_: "make the directory, or name another place with -i FILE"}
	}
	return nil
}

func writeSynced(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // it holds no secret, and others are to read it
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// reason is what the system said, without the path.
func reason(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
