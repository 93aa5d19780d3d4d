package delta

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
)

// Verb is the first argument of a program that is to do ApplyFile: flipdeploy's own, on a
// host, which has nothing else that could.
const Verb = "apply-patch"

// ApplyFile overwrites new, which is there and keeps its mode, with what the patch makes of
// old, which is another file. When it returns nil, new has size bytes of that sha256 (64
// hexadecimal digits), and it has said so: the sha256 in a line. When it returns an error, new
// is as before, or gone. Nobody else may write where it is: a link is followed.
func ApplyFile(say io.Writer, old, patch, new string, size int64, sum string) error {
	o, oldSize, err := open(old)
	if err != nil {
		return fmt.Errorf("the old file: %w", err)
	}
	defer func() { _ = o.Close() }() // only read from
	p, patchSize, err := open(patch)
	if err != nil {
		return fmt.Errorf("the patch: %w", err)
	}
	defer func() { _ = p.Close() }() // only read from
	h, err := ReadHead(p, patchSize)
	if err != nil {
		return err
	}
	if h.NewSize != size {
		return damaged("it makes a file of %d bytes, not of %d", h.NewSize, size)
	}
	if makes := hex.EncodeToString(h.NewSHA256[:]); makes != sum {
		return damaged("it makes a file whose sha256 is %s, not %s", makes, sum)
	}
	n, err := os.OpenFile(new, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return fmt.Errorf("the new file: %w", err)
	}
	err = errors.Join(Apply(n, o, oldSize, p, patchSize), n.Close())
	if err == nil {
		_, err = fmt.Fprintln(say, sum)
	}
	if err != nil {
		return errors.Join(err, os.Remove(new))
	}
	return nil
}

func open(name string) (*os.File, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", name)
	}
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}
