package site

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// A helper is flipdeploy's own program, which a host keeps to apply deltas with. It is
// run there only while its sha256 is the one that it has here.
type helper struct {
	hash   string
	size   int64
	built  Artifact
	interp string // program that the kernel starts it with, "" for a static one
	packed func() ([]byte, error)
}

// readHelper reads the program at name; "" is for none.
func readHelper(name string) (*helper, error) {
	if name == "" {
		return nil, errors.New("this flipdeploy does not know its own file")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read flipdeploy's own program: %w", bare(err))
	}
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("this flipdeploy is no program for Linux, but for %s", runtime.GOOS)
	}
	sum := sha256.Sum256(data)
	h := &helper{hash: hex.EncodeToString(sum[:]), size: int64(len(data)), built: Artifact{Machine: machine(bytes.NewReader(data))}}
	if h.interp, err = interpreter(f); err != nil {
		return nil, fmt.Errorf("read flipdeploy's own program: %w", err)
	}
	h.packed = sync.OnceValues(func() ([]byte, error) { return gzipped(data) })
	return h, nil
}

// gzipped is data as every host can unpack it.
func gzipped(data []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.DefaultCompression)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(data)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

func interpreter(f *elf.File) (string, error) {
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			text, err := io.ReadAll(p.Open())
			return strings.TrimRight(string(text), "\x00"), err
		}
	}
	return "", nil
}

// runsOn is nil where the host can run the helper.
func (h *helper) runsOn(f found) error {
	switch {
	case f.system != "Linux" || !h.built.RunsOn(f.machine):
		return fmt.Errorf("this flipdeploy is a program for Linux on %s, the host is %s on %s", h.built.Machine, f.system, f.machine)
	case f.lacks != "":
		return fmt.Errorf("this flipdeploy is linked to %s, which the host does not have: build it with CGO_ENABLED=0", f.lacks)
	case f.shut:
		return errors.New("the host's .flipdeploy belongs to somebody else")
	case !f.has("gzip"):
		return errors.New("the host has no gzip")
	}
	return nil
}
