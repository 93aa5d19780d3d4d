package delta

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// MaxSize is the size of the largest file that patches are made of and to: making one
// takes eight times as much memory.
const MaxSize = 256 << 20

// reach is how far back a stream's packing looks. Four of them are open at once, which is
// half of the memory that applying a patch takes, or less: the other half are references.
const reach = 4 << 20

// chunk is how much of a copy is predicted at once. References across its end are not.
const chunk = 64 << 10

// A Build is a file, and the sha256 of its bytes.
type Build struct {
	Data   []byte
	SHA256 [sha256.Size]byte
}

// Of is the build of those bytes.
func Of(data []byte) Build { return Build{data, sha256.Sum256(data)} }

// Make returns a patch that turns old into new. Apply refuses it where new's sha256 is not that
// of the bytes; old's only tells it afterwards whose fault that is.
func Make(old, new Build) (patch []byte, err error) {
	if len(old.Data) > MaxSize || len(new.Data) > MaxSize {
		return nil, fmt.Errorf("make a patch: files of more than %d MiB", MaxSize>>20)
	}
	h := Head{OldSize: int64(len(old.Data)), NewSize: int64(len(new.Data)), OldSHA256: old.SHA256, NewSHA256: new.SHA256}
	var raw [streams][]byte
	err = careful(func() { split(&raw, old.Data, new.Data, layoutOf(old.Data), layoutOf(new.Data)) })
	if err == nil {
		patch, err = pack(h, raw)
	}
	if err != nil {
		return nil, fmt.Errorf("make a patch: %w", err)
	}
	return patch, nil
}

// careful makes an error of a panic: what is looked for in others' programs must not end a
// rollout where it is not as expected.
func careful(do func()) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("a fault of its own: %v", fault)
		}
	}()
	do()
	return nil
}

// pack spends time on what is added, which is most of a large patch; of the other streams the
// best packing makes little less.
func pack(h Head, raw [streams][]byte) ([]byte, error) {
	quick, err1 := packer(zstd.SpeedBetterCompression)
	best, err2 := packer(zstd.SpeedBestCompression)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	var body []byte
	for i := range raw {
		z := quick
		if i == extra {
			z = best
		}
		before := len(body)
		body = z.EncodeAll(raw[i], body)
		h.packed[i] = int64(len(body) - before)
	}
	return append(h.encode(), body...), errors.Join(quick.Close(), best.Close())
}

func packer(level zstd.EncoderLevel) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithWindowSize(reach), zstd.WithEncoderConcurrency(1))
}

// split writes the streams. Whatever the layouts are they make new; true ones make it
// of little.
func split(to *[streams][]byte, old, new []byte, was, is layout) {
	to[layouts] = is.encode(was.encode(nil))
	before, after := programOf(old, was), programOf(new, is)
	found := pieces(before.labelled(old), after.labelled(new))
	d := differ{to: to, left: new}
	d.all(&predictor{old: before, new: is, guide: newGuide(found, int64(len(old)))}, old, found)
}

func programOf(file []byte, l layout) program {
	fixed, err := l.references(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		panic(err) // bytes can be read
	}
	return program{layout: l, fixed: fixed}
}

// A differ writes the pieces, and what the prediction of them does not say.
type differ struct {
	to   *[streams][]byte
	left []byte // of the new file
	gap  int    // bytes that were as predicted since the last that was not
}

func (d *differ) all(p *predictor, old []byte, found []piece) {
	var buf [chunk]byte
	var at, expected int64
	for _, f := range found {
		d.to[lengths] = binary.AppendUvarint(d.to[lengths], uint64(f.n))
		d.to[moves] = binary.AppendVarint(d.to[moves], int64(f.old)-expected)
		d.to[adds] = binary.AppendUvarint(d.to[adds], uint64(f.add))
		from := int64(f.old)
		for expected = from + int64(f.n); from < expected; {
			part := buf[:copy(buf[:], old[from:expected])]
			_ = p.run(part, from, at, d.settle) // settle has no errors
			from, at = from+int64(len(part)), at+int64(len(part))
		}
		for add := d.left[:f.add]; len(add) > 0; {
			part := buf[:copy(buf[:], add)]
			d.add(&p.new, part, at)
			add, at = add[len(part):], at+int64(len(part))
		}
		d.left = d.left[f.add:]
		expected = min(expected+int64(f.add), int64(len(old)))
	}
}

// add writes part, which is new at an offset, and makes it packable for that.
func (d *differ) add(is *layout, part []byte, at int64) {
	is.packable(part, at, 1)
	first, end := is.paired(part, at)
	d.to[extra] = append(d.to[extra], part[:first]...)
	_ = pairs(int(end-first), func(i int, step bool) (byte, error) { // which has no errors
		to, b := extra, part[first:][i]
		if step {
			to = steps
		}
		d.to[to] = append(d.to[to], b)
		return b, nil
	})
	d.to[extra] = append(d.to[extra], part[end:]...)
}

// settle writes where part is not what is left begins with, and by how much, and makes it that.
func (d *differ) settle(part []byte) error {
	new := d.left[:len(part)]
	d.left = d.left[len(part):]
	for i := 0; i < len(new); {
		if i+8 <= len(new) && le.Uint64(part[i:]) == le.Uint64(new[i:]) {
			i, d.gap = i+8, d.gap+8
			continue
		}
		if diff := new[i] - part[i]; diff != 0 {
			d.to[gaps] = binary.AppendUvarint(d.to[gaps], uint64(d.gap))
			d.to[values] = append(d.to[values], diff)
			d.gap = -1
		}
		i, d.gap = i+1, d.gap+1
	}
	copy(part, new)
	return nil
}
