package delta

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// MaxSize is the size of the largest file that patches are made of and to: making one
// takes four times as much memory.
const MaxSize = 256 << 20

// reach is how far back a stream's packing looks; with four of them it is what applying
// a patch costs in memory.
const reach = 4 << 20

// Make returns a patch that turns old into new.
func Make(old, new []byte) ([]byte, error) {
	if len(old) > MaxSize || len(new) > MaxSize {
		return nil, fmt.Errorf("make a patch: files of more than %d MiB", MaxSize>>20)
	}
	h := Head{OldSize: int64(len(old)), NewSize: int64(len(new)), OldSHA256: sha256.Sum256(old), NewSHA256: sha256.Sum256(new)}
	var raw [streams][]byte
	split(&raw, old, new)
	patch, err := pack(h, raw)
	if err != nil {
		return nil, fmt.Errorf("make a patch: %w", err)
	}
	return patch, nil
}

func pack(h Head, raw [streams][]byte) ([]byte, error) {
	packer, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithWindowSize(reach), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	var body []byte
	for i := range raw {
		before := len(body)
		body = packer.EncodeAll(raw[i], body)
		h.packed[i] = int64(len(body) - before)
	}
	return append(h.encode(), body...), packer.Close()
}

// split writes the four streams.
func split(to *[streams][]byte, old, new []byte) {
	var expected, at, gap int
	for _, p := range pieces(old, new) {
		to[0] = binary.AppendUvarint(to[0], uint64(p.n))
		to[0] = binary.AppendVarint(to[0], int64(p.old-expected))
		to[0] = binary.AppendUvarint(to[0], uint64(p.add))
		gap = differ(to, gap, old[p.old:p.old+p.n], new[at:at+p.n])
		at += p.n
		to[3] = append(to[3], new[at:at+p.add]...)
		at += p.add
		expected = p.old + p.n
	}
}

// differ writes where new is not old, and by how much; gap is how many bytes were equal
// before, and are at the end.
func differ(to *[streams][]byte, gap int, old, new []byte) int {
	for i := 0; i < len(new); {
		if i+8 <= len(new) && binary.LittleEndian.Uint64(old[i:]) == binary.LittleEndian.Uint64(new[i:]) {
			i, gap = i+8, gap+8
			continue
		}
		if d := new[i] - old[i]; d != 0 {
			to[1] = binary.AppendUvarint(to[1], uint64(gap))
			to[2] = append(to[2], d)
			gap = -1
		}
		i, gap = i+1, gap+1
	}
	return gap
}
