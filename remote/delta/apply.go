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
	a := applier{Head: h, old: old, patch: patch, sum: sha256.New(), near: lens{file: old, size: oldSize, ahead: short}}
	a.out = bufio.NewWriterSize(io.MultiWriter(out, a.sum), 4*chunk)
	defer a.close()
	if err := errors.Join(a.prepare(), a.open(gaps, values, extra, steps)); err != nil {
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

// short is how much of the old file is read at once for pieces that are no longer: the
// next most likely is not far behind.
const short = 4 << 10

type applier struct {
	Head
	old   io.ReaderAt
	patch io.ReaderAt
	near  lens // into old, for pieces that are short
	out   *bufio.Writer
	sum   hash.Hash

	stream [streams]*bufio.Reader // those that are open
	free   []func()

	pieces []piece
	predictor

	at    int64 // written so far
	quiet int64 // bytes of the copies that are as predicted until the next that is not; -1: all
	buf   [chunk]byte
}

// open has streams ready to be read.
func (a *applier) open(which ...int) error {
	for _, i := range which {
		at := int64(headSize)
		for _, n := range a.packed[:i] {
			at += n
		}
		z, err := zstd.NewReader(io.NewSectionReader(a.patch, at, a.packed[i]), zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(2*reach), zstd.WithDecoderMaxMemory(MaxSize))
		if err != nil {
			return fmt.Errorf("read the patch: %w", err)
		}
		a.free = append(a.free, z.Close)
		a.stream[i] = bufio.NewReader(z)
	}
	return nil
}

func (a *applier) close() {
	for _, f := range a.free {
		f()
	}
	a.free = nil
}

// ended is an error where an open stream has more than was asked of it.
func (a *applier) ended(which ...int) error {
	for _, i := range which {
		if _, err := a.stream[i].ReadByte(); !errors.Is(err, io.EOF) {
			return damaged("a stream goes on beyond the end")
		}
	}
	return nil
}

// run writes all pieces.
func (a *applier) run() error {
	if err := a.advance(); err != nil {
		return err
	}
	for _, p := range a.pieces {
		if err := a.copy(int64(p.old), int64(p.n)); err != nil {
			return err
		}
		if err := a.add(int64(p.add)); err != nil {
			return err
		}
	}
	if a.quiet >= 0 {
		return damaged("it changes bytes beyond the end")
	}
	if err := a.out.Flush(); err != nil {
		return fmt.Errorf("write the new file: %w", err)
	}
	return a.ended(gaps, values, extra, steps)
}

// copy writes n bytes of old as they are predicted, with what differs.
func (a *applier) copy(from, n int64) error {
	for n > 0 {
		part := a.buf[:min(n, int64(len(a.buf)))]
		if err := a.read(part, from); err != nil {
			return err
		}
		if err := a.predictor.run(part, from, a.at, a.change); err != nil {
			return err
		}
		if err := a.write(part); err != nil {
			return err
		}
		from += int64(len(part))
		n -= int64(len(part))
	}
	return nil
}

// read has part be what old has from an offset on.
func (a *applier) read(part []byte, from int64) error {
	if len(part) > short {
		return readAt(a.old, part, from)
	}
	copy(part, a.near.view(from, len(part))) // readPieces saw that old has so many
	return a.near.err
}

// change makes part, which is predicted, what it is.
func (a *applier) change(part []byte) error {
	for len(part) > 0 && a.quiet >= 0 && a.quiet < int64(len(part)) {
		part = part[a.quiet:]
		d, err := a.stream[values].ReadByte()
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
	n, err := binary.ReadUvarint(a.stream[gaps])
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
		if err := a.fill(part); err != nil {
			return err
		}
		a.new.packable(part, a.at, -1)
		if err := a.write(part); err != nil {
			return err
		}
		n -= int64(len(part))
	}
	return nil
}

// fill reads part, which comes next, as packable made it.
func (a *applier) fill(part []byte) error {
	first, end := a.new.paired(part, a.at)
	if _, err := io.ReadFull(a.stream[extra], part[:first]); err != nil {
		return damaged("extra: %s", err)
	}
	paired := part[first:end]
	err := pairs(len(paired), func(i int, step bool) (b byte, err error) {
		from, name := extra, "extra"
		if step {
			from, name = steps, "steps"
		}
		if paired[i], err = a.stream[from].ReadByte(); err != nil {
			return 0, damaged("%s: %s", name, err)
		}
		return paired[i], nil
	})
	if err != nil {
		return err
	}
	if _, err := io.ReadFull(a.stream[extra], part[end:]); err != nil {
		return damaged("extra: %s", err)
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
