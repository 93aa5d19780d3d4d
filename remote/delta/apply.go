package delta

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"
)

// ReadHead reads what a patch of size bytes says of itself.
func ReadHead(patch io.ReaderAt, size int64) (Head, error) {
	var h Head
	b := make([]byte, headSize)
	if _, err := patch.ReadAt(b, 0); err != nil && (size < int64(headSize) || !errors.Is(err, io.EOF)) {
		if errors.Is(err, io.EOF) {
			return h, damaged("it has %d bytes", size)
		}
		return h, fmt.Errorf("read the patch: %w", err)
	}
	return h, h.decode(b, size)
}

// Apply writes to out what the patch makes of old, and returns nil once that was all of
// it and its sha256 is the one that the patch was made for. Never more than the patch's
// NewSize is written, and memory is bounded, whatever the patch says.
func Apply(out io.Writer, old io.ReaderAt, oldSize int64, patch io.ReaderAt, patchSize int64) error {
	h, err := ReadHead(patch, patchSize)
	if err != nil {
		return err
	}
	if oldSize != h.OldSize {
		return fmt.Errorf("the old file has %d bytes, and the patch is for one of %d", oldSize, h.OldSize)
	}
	a := applier{Head: h, old: old, sum: sha256.New()}
	a.out = io.MultiWriter(out, a.sum)
	defer a.close()
	if err := a.open(patch); err != nil {
		return err
	}
	if err := a.run(); err != nil {
		return err
	}
	if !bytes.Equal(a.sum.Sum(nil), h.NewSHA256[:]) {
		return a.explain()
	}
	return nil
}

type applier struct {
	Head
	old  io.ReaderAt
	out  io.Writer
	sum  hash.Hash
	free []func()

	control, gaps, values, extra *bufio.Reader

	at, from int64 // written so far; where in old the last copy ended
	quiet    int64 // bytes of the copies that are as in old until the next that is not; -1: all
	buf      [64 << 10]byte
}

func (a *applier) open(patch io.ReaderAt) error {
	at := int64(headSize)
	for i, to := range []**bufio.Reader{&a.control, &a.gaps, &a.values, &a.extra} {
		section := io.NewSectionReader(patch, at, a.packed[i])
		z, err := zstd.NewReader(section, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(2*reach), zstd.WithDecoderMaxMemory(MaxSize))
		if err != nil {
			return fmt.Errorf("read the patch: %w", err)
		}
		a.free = append(a.free, z.Close)
		*to = bufio.NewReader(z)
		at += a.packed[i]
	}
	return nil
}

func (a *applier) close() {
	for _, f := range a.free {
		f()
	}
}

// run writes all pieces. Each brings at least a byte, so it ends.
func (a *applier) run() error {
	if err := a.advance(); err != nil {
		return err
	}
	for a.at < a.NewSize {
		if err := a.piece(); err != nil {
			return err
		}
	}
	if a.quiet >= 0 {
		return damaged("it changes bytes beyond the end")
	}
	for _, r := range []*bufio.Reader{a.control, a.gaps, a.values, a.extra} {
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
			return damaged("a stream goes on beyond the end")
		}
	}
	return nil
}

func (a *applier) piece() error {
	n, err1 := binary.ReadUvarint(a.control)
	move, err2 := binary.ReadVarint(a.control)
	add, err3 := binary.ReadUvarint(a.control)
	if err := errors.Join(err1, err2, err3); err != nil {
		return damaged("control: %s", err)
	}
	left := uint64(a.NewSize - a.at)
	if n > left || add > left-n || n+add == 0 {
		return damaged("a piece of %d and %d bytes, where %d are left", n, add, left)
	}
	// from is within the old file, so that this cannot overflow but for a hostile move
	if move < -a.from || move > a.OldSize-a.from || int64(n) > a.OldSize-a.from-move {
		return damaged("%d bytes from %d%+d of an old file of %d", n, a.from, move, a.OldSize)
	}
	a.from += move
	if err := a.copy(int64(n)); err != nil {
		return err
	}
	return a.add(int64(add))
}

// copy writes n bytes of old with what differs.
func (a *applier) copy(n int64) error {
	for n > 0 {
		part := a.buf[:min(n, int64(len(a.buf)))]
		if _, err := io.ReadFull(io.NewSectionReader(a.old, a.from, int64(len(part))), part); err != nil {
			return fmt.Errorf("read the old file: %w", err)
		}
		if err := a.change(part); err != nil {
			return err
		}
		if err := a.write(part); err != nil {
			return err
		}
		a.from += int64(len(part))
		n -= int64(len(part))
	}
	return nil
}

func (a *applier) change(part []byte) error {
	for len(part) > 0 && a.quiet >= 0 && a.quiet < int64(len(part)) {
		part = part[a.quiet:]
		d, err := a.values.ReadByte()
		if err != nil {
			return damaged("values: %s", err)
		}
		part[0] += d
		part = part[1:]
		if err := a.advance(); err != nil {
			return err
		}
	}
	if a.quiet >= 0 {
		a.quiet -= int64(len(part))
	}
	return nil
}

// advance reads how far the next change is.
func (a *applier) advance() error {
	n, err := binary.ReadUvarint(a.gaps)
	switch {
	case errors.Is(err, io.EOF):
		a.quiet = -1
	case err != nil:
		return damaged("gaps: %s", err)
	case n > uint64(a.NewSize):
		return damaged("a gap of %d bytes", n)
	default:
		a.quiet = int64(n)
	}
	return nil
}

// add writes n bytes that are in no old file.
func (a *applier) add(n int64) error {
	for n > 0 {
		part := a.buf[:min(n, int64(len(a.buf)))]
		if _, err := io.ReadFull(a.extra, part); err != nil {
			return damaged("extra: %s", err)
		}
		if err := a.write(part); err != nil {
			return err
		}
		n -= int64(len(part))
	}
	return nil
}

func (a *applier) write(part []byte) error {
	if _, err := a.out.Write(part); err != nil {
		return fmt.Errorf("write the new file: %w", err)
	}
	a.at += int64(len(part))
	return nil
}

// explain tells whose fault a wrong sha256 is.
func (a *applier) explain() error {
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(a.old, 0, a.OldSize)); err != nil {
		return fmt.Errorf("read the old file: %w", err)
	}
	if got := sum.Sum(nil); !bytes.Equal(got, a.OldSHA256[:]) {
		return fmt.Errorf("the old file's sha256 is %x, and the patch is for %x", got, a.OldSHA256)
	}
	return damaged("it makes a file whose sha256 is %x, not %x", a.sum.Sum(nil), a.NewSHA256)
}
