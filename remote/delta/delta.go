// Package delta makes the next build of a program from the last one and a small
// patch. A linker that moved code leaves most bytes as they were but for addresses: what
// is alike is found by sampled hashes, what addresses become is predicted, and only the
// difference is sent.
package delta

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// A patch is a head, and then streams, each one zstd frame:
//
//	layouts  of the old file and the new: where references lie, and go
//	lengths  for each piece: bytes copied,
//	moves    where from (relative),
//	adds     bytes added
//	gaps     between bytes of the copies that are not as predicted: how many are
//	values   new − predicted of those that are not
//	extra    bytes that are added, as packable makes them, but for
//	steps    those of Go's pc-value tables that say how far a value reaches
//
// What is predicted of a copy are its old bytes, but that its references go to where the
// pieces say that their targets went. The rest repeats; apart the streams pack well.
const (
	layouts = iota
	lengths
	moves
	adds
	gaps
	values
	extra
	steps
	streams
)

const (
	magic    = "fdpatch3"
	headSize = len(magic) + 8 + 8 + 2*sha256.Size + streams*8
)

// A Head is what a patch says of itself.
type Head struct {
	OldSize, NewSize     int64
	OldSHA256, NewSHA256 [sha256.Size]byte

	packed [streams]int64 // bytes of each stream
}

// ErrDamaged is in every error about a patch that is none, or not all of one.
var ErrDamaged = errors.New("the patch is damaged")

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, args...))
}

func (h *Head) encode() []byte {
	b := append(make([]byte, 0, headSize), magic...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.OldSize))
	b = binary.BigEndian.AppendUint64(b, uint64(h.NewSize))
	b = append(append(b, h.OldSHA256[:]...), h.NewSHA256[:]...)
	for _, n := range h.packed {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	return b
}

// decode reads the head of a patch of size bytes; the streams fill it exactly.
func (h *Head) decode(b []byte, size int64) error {
	if string(b[:len(magic)]) != magic {
		return damaged("it does not begin with %s", magic)
	}
	b = b[len(magic):]
	number := func() int64 { n := int64(binary.BigEndian.Uint64(b)); b = b[8:]; return n }
	h.OldSize, h.NewSize = number(), number()
	b = b[copy(h.OldSHA256[:], b):]
	b = b[copy(h.NewSHA256[:], b):]
	left := size - int64(headSize)
	for i := range h.packed {
		h.packed[i] = number()
		if h.packed[i] < 0 || h.packed[i] > left {
			return damaged("a stream of %d bytes in %d", h.packed[i], left)
		}
		left -= h.packed[i]
	}
	if left != 0 {
		return damaged("%d bytes too many", left)
	}
	if h.OldSize < 0 || h.OldSize > MaxSize || h.NewSize < 0 || h.NewSize > MaxSize {
		return damaged("it is for files of %d and %d bytes", h.OldSize, h.NewSize)
	}
	return nil
}
