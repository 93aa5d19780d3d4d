package delta

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// forged is a patch with streams that Make does not write.
func forged(t testing.TB, size int64, control []int64, rest ...[]byte) []byte {
	t.Helper()
	h := Head{OldSize: int64(len(forgedOld)), NewSize: size, OldSHA256: sha256.Sum256(forgedOld)}
	raw := [streams][]byte{layouts: new(layout).encode(new(layout).encode(nil))}
	for i, n := range control {
		if i%3 == 1 {
			raw[moves] = binary.AppendVarint(raw[moves], n)
		} else {
			raw[lengths+i%3] = binary.AppendUvarint(raw[lengths+i%3], uint64(n))
		}
	}
	copy(raw[gaps:], rest)
	patch, err := pack(h, raw)
	if err != nil {
		t.Fatal(err)
	}
	return patch
}

// laid is a patch that says so of where things lie.
func laid(t testing.TB, says []byte) []byte {
	t.Helper()
	h := Head{OldSize: 100, NewSize: 12, OldSHA256: sha256.Sum256(forgedOld)}
	patch, err := pack(h, [streams][]byte{layouts: says})
	if err != nil {
		t.Fatal(err)
	}
	return patch
}

// stepped is a patch that adds 100 bytes, all of Go's pc-value tables.
func stepped(t testing.TB, values, reach []byte) []byte {
	t.Helper()
	h := Head{OldSize: int64(len(forgedOld)), NewSize: 100, OldSHA256: sha256.Sum256(forgedOld), NewSHA256: sha256.Sum256(make([]byte, 100))}
	says := (&layout{functab: 100}).encode(new(layout).encode(nil))
	patch, err := pack(h, [streams][]byte{layouts: says, lengths: {0}, moves: {0}, adds: {100}, extra: values, steps: reach})
	if err != nil {
		t.Fatal(err)
	}
	return patch
}

func TestStepsMayNotGoOnBeyondTheEnd(t *testing.T) {
	values := make([]byte, 67) // of 100 zeros each third is a step
	if got, err := apply(forgedOld, stepped(t, values, make([]byte, 33))); err != nil || !bytes.Equal(got, make([]byte, 100)) {
		t.Errorf("%x: %v", got, err)
	}
	if _, err := apply(forgedOld, stepped(t, values, make([]byte, 34))); err == nil || err.Error() != "the patch is damaged: a stream goes on beyond the end" {
		t.Errorf("got %v", err)
	}
}

func sumOf(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

var sumOf0 = strings.Repeat("0", 64)

var forgedOld = bytes.Repeat([]byte("0123456789"), 10)

// hostile are patches that ask for what they must not get, and what is said of each.
func hostile(t testing.TB) map[string][]byte {
	zeros := make([]byte, 64<<20)
	return map[string][]byte{
		"a piece of 101 and 0 bytes, where 100 are left":                          forged(t, 100, []int64{101, 0, 0}),
		"a piece of 1 and 18446744073709551615 bytes, where 100 are left":         forged(t, 100, []int64{1, 0, -1}),
		"a piece of 0 and 0 bytes, where 100 are left":                            forged(t, 100, []int64{0, 0, 0}),
		"50 bytes from 0+51 of an old file of 100":                                forged(t, 100, []int64{50, 51, 0}),
		"50 bytes from 0-1 of an old file of 100":                                 forged(t, 100, []int64{50, -1, 0}),
		"1 bytes from 0+9223372036854775807 of an old file of 100":                forged(t, 100, []int64{1, math.MaxInt64, 0}),
		"1 bytes from 0-9223372036854775808 of an old file of 100":                forged(t, 100, []int64{1, math.MinInt64, 0}),
		"pieces: EOF\nEOF\nEOF":                                                   forged(t, 100, nil),
		"extra: EOF":                                                              forged(t, 100, []int64{0, 0, 100}),
		"extra: unexpected EOF":                                                   forged(t, 100, []int64{0, 0, 100}, nil, nil, []byte("short")),
		"values: EOF":                                                             forged(t, 100, []int64{100, 0, 0}, []byte{1}),
		"a gap of 101 bytes":                                                      forged(t, 100, []int64{100, 0, 0}, []byte{101}),
		"gaps: unexpected EOF":                                                    forged(t, 100, []int64{100, 0, 0}, []byte{0x80}),
		"it changes bytes beyond the end":                                         forged(t, 50, []int64{50, 0, 0}, []byte{50}),
		"a stream goes on beyond the end":                                         forged(t, 100, []int64{100, 0, 0}, nil, zeros),
		"gaps: binary: varint overflows a 64-bit integer":                         forged(t, 100, []int64{100, 0, 0}, bytes.Repeat([]byte{0xff}, 11)),
		"10 pieces, and only 10 bytes of 400":                                     forged(t, 400, slices.Repeat([]int64{1, 0, 0}, 20)),
		"the layout is cut":                                                       laid(t, []byte{1, 2, 3}),
		"the layout goes on beyond the end":                                       laid(t, make([]byte, 2*places+1)),
		"a layout beyond a file of 100 bytes":                                     laid(t, (&layout{text: 101}).encode(nil)),
		"a layout beyond a file of 12 bytes":                                      laid(t, (&layout{functab: 13}).encode(make([]byte, places))),
		"steps: EOF":                                                              stepped(t, []byte{1}, nil),
		"it makes a file whose sha256 is " + sumOf(forgedOld) + ", not " + sumOf0: forged(t, 100, []int64{100, 0, 0}),
	}
}

func TestAHostilePatchGetsNothing(t *testing.T) {
	patches := hostile(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for want, patch := range patches {
		out := &bounded{left: 100}
		err := Apply(out, bytes.NewReader(forgedOld), 100, bytes.NewReader(patch), int64(len(patch)))
		if !errors.Is(err, ErrDamaged) || err.Error() != "the patch is damaged: "+want {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if out.left < 0 {
			t.Errorf("%s: it wrote more than it said", want)
		}
	}
	runtime.ReadMemStats(&after)
	if used := (after.TotalAlloc - before.TotalAlloc) / uint64(len(patches)); used > 16<<20 {
		t.Errorf("each took %d MiB", used>>20)
	}
}

// bounded goes below zero once more is written than there is room for.
type bounded struct{ left int64 }

func (b *bounded) Write(p []byte) (int, error) { b.left -= int64(len(p)); return len(p), nil }

func TestAFullDiskIsSaid(t *testing.T) {
	for _, old := range [][]byte{forgedOld, make([]byte, 1<<20)} { // at the end, and before it
		patch := unchanged(t, old)
		r, w := io.Pipe()
		_ = r.CloseWithError(errors.New("no space left on device"))
		err := Apply(w, bytes.NewReader(old), int64(len(old)), bytes.NewReader(patch), int64(len(patch)))
		if err == nil || err.Error() != "write the new file: no space left on device" || errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes: got %v", len(old), err)
		}
	}
}

func unchanged(t *testing.T, old []byte) []byte {
	patch, err := Make(Of(old), Of(old))
	if err != nil {
		t.Fatal(err)
	}
	return patch
}

// Tables that say they are everywhere, in a file that says so too.
func TestHostileTablesTakeLittle(t *testing.T) {
	const size = 1 << 20
	r := rand.New(rand.NewSource(1))
	noise := make([]byte, size)
	_, _ = r.Read(noise)
	var l layout
	for place := range l {
		l[place] = size * int64(place%2) // all ranges are the whole file
	}
	l[arch], l[bias], l[end], l[functab], l[functions], l[funcdata], l[funcdataEnd] = amd64, 0, math.MaxUint32, 0, size, 1, size
	for name, old := range map[string][]byte{"noise": noise, "zeros": make([]byte, size), "types": bytes.Repeat([]byte{0, 1, 1, 1, 0, 1, 1, 0x14}, size/8)} {
		file := &meter{file: bytes.NewReader(old)}
		found, err := l.references(file, size)
		if err != nil || len(found) > size/16 {
			t.Errorf("%s: %d references: %v", name, len(found), err)
		}
		if file.read > 40*size {
			t.Errorf("%s: read %d MiB of %d", name, file.read>>20, size>>20)
		}
		patch := made(t, old, noise[:1<<18], l, layout{arch: amd64, functab: 1 << 18})
		if got, err := apply(old, patch); err != nil || !bytes.Equal(got, noise[:1<<18]) {
			t.Errorf("%s: other bytes: %v", name, err)
		}
	}
}

// meter counts what is read of a file.
type meter struct {
	file io.ReaderAt
	read int64
}

func (c *meter) ReadAt(b []byte, at int64) (int, error) {
	c.read += int64(len(b))
	return c.file.ReadAt(b, at)
}

// Ranges that lie over each other, full of what looks like pointers.
func TestRangesMayOverlap(t *testing.T) {
	old := bytes.Repeat([]byte{64, 0, 0, 0, 0, 0, 0, 0}, 1000)
	new := append([]byte("something else: "), old...)
	for _, l := range []layout{
		{arch: amd64, end: 8000, rodataEnd: 8000, dataEnd: 8000},
		{arch: amd64, end: 8000, data: 500, rodataEnd: 2001, dataEnd: 8000},
		{arch: amd64, end: 8000, rodata: 3000, rodataEnd: 8000, dataEnd: 5000},
		{arch: arm64, end: 8000, rodataEnd: 8000, dataEnd: 8000, text: 4000, textEnd: 5000, links: 4002, linksEnd: 6002},
	} {
		if got, err := apply(old, made(t, old, new, l, l)); err != nil || !bytes.Equal(got, new) {
			t.Errorf("%v: other bytes: %v", l, err)
		}
	}
}

func TestAnOldFileThatCannotBeReadIsSaid(t *testing.T) {
	l := layout{arch: amd64, bias: 1 << 22, end: 100, functions: 1, rodata: 1, rodataEnd: 100}
	for size, patch := range map[int64][]byte{
		100:     made(t, forgedOld, forgedOld, l, l), // its tables
		1000:    unchanged(t, make([]byte, 1000)),    // a short piece
		1 << 20: unchanged(t, make([]byte, 1<<20)),   // a long one
	} {
		err := Apply(io.Discard, broken{}, size, bytes.NewReader(patch), int64(len(patch)))
		if err == nil || err.Error() != "read the old file: input/output error" || errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes: got %v", size, err)
		}
	}
}

func TestAPatchForOtherBytesThanSaidIsRefused(t *testing.T) {
	new := []byte("the new file")
	patch, err := Make(Of(forgedOld), Build{Data: new, SHA256: Of(forgedOld).SHA256})
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("the patch is damaged: it makes a file whose sha256 is %x, not %x", Of(new).SHA256, Of(forgedOld).SHA256)
	if _, err := apply(forgedOld, patch); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("input/output error") }

// noisy is a file of noise, and a layout of it for an architecture.
func noisy(a int64) (noise []byte, l layout) {
	noise = make([]byte, 2000)
	_, _ = rand.New(rand.NewSource(a)).Read(noise)
	for place := range l {
		l[place] = int64(place) * 100
	}
	l[arch], l[functions] = a, 20
	return noise, l
}

func FuzzApply(f *testing.F) {
	for _, patch := range hostile(f) {
		f.Add(forgedOld, patch)
	}
	for _, new := range [][]byte{nil, []byte("new"), forgedOld, append(forgedOld[7:], forgedOld...)} {
		patch, err := Make(Of(forgedOld), Of(new))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(forgedOld, patch)
		f.Add(forgedOld[1:], patch)
		f.Add([]byte{}, patch[:len(patch)/2])
	}
	for a := range int64(3) {
		noise, l := noisy(a)
		f.Add(noise, made(f, noise, append(noise[1000:1500:1500], noise...), l, l))
	}
	f.Fuzz(func(t *testing.T, old, patch []byte) {
		h, err := ReadHead(bytes.NewReader(patch), int64(len(patch)))
		if err != nil || h.NewSize > 1<<20 {
			return
		}
		got, err := apply(old, patch)
		if int64(len(got)) > h.NewSize || err == nil && sha256.Sum256(got) != h.NewSHA256 {
			t.Fatalf("%d bytes of %d: %v", len(got), h.NewSize, err)
		}
	})
}

// Whatever is said of what lies where, in files of whatever: the patch makes the new one.
func FuzzLayout(f *testing.F) {
	for a := range int64(3) {
		noise, l := noisy(a)
		f.Add(noise, append(noise[1000:1500:1500], noise...), l.encode(nil), l.encode(nil))
		l[bias], l[gap], l[end] = 0, 1000, 1<<16
		pointers := bytes.Repeat([]byte{64, 0, 0, 0, 0, 0, 0, 0}, 250)
		f.Add(pointers, append(pointers, noise...), l.encode(nil), l.encode(nil))
	}
	f.Fuzz(func(t *testing.T, old, new, was, is []byte) {
		var before, after layout
		if _, err := before.decode(was, int64(len(old))); err != nil {
			return
		}
		if _, err := after.decode(is, int64(len(new))); err != nil {
			return
		}
		if got, err := apply(old, made(t, old, new, before, after)); err != nil || !bytes.Equal(got, new) {
			t.Fatalf("%d bytes for %d: %v", len(got), len(new), err)
		}
	})
}

func TestSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := fixed(rapid.SliceOf(rapid.Uint32()).Draw(t, "list"))
		want := slices.Sorted(slices.Values(list))
		if got := sorted(list); !slices.Equal(got, fixed(want)) {
			t.Fatalf("%v, not %v", got, want)
		}
	})
}
