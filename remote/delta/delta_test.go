package delta

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// build is a file like a program, and the next build of it: cut into parts that move
// about, with addresses that change by little.
func build(t *rapid.T) (old, new []byte) {
	old = rapid.SliceOfN(rapid.Byte(), 0, 2000).Draw(t, "old")
	for range rapid.IntRange(0, 6).Draw(t, "parts") {
		switch rapid.IntRange(0, 2).Draw(t, "what") {
		case 0:
			new = append(new, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "added")...)
		case 1:
			new = append(new, bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, rapid.IntRange(0, 300).Draw(t, "times"))...)
		default:
			from := rapid.IntRange(0, len(old)).Draw(t, "from")
			part := bytes.Clone(old[from:rapid.IntRange(from, len(old)).Draw(t, "to")])
			if every := rapid.IntRange(0, 40).Draw(t, "every"); every > 0 {
				for i := 0; i < len(part); i += every {
					part[i] += byte(every)
				}
			}
			new = append(new, part...)
		}
	}
	return old, new
}

func apply(old, patch []byte) ([]byte, error) {
	var out bytes.Buffer
	err := Apply(&out, bytes.NewReader(old), int64(len(old)), bytes.NewReader(patch), int64(len(patch)))
	return out.Bytes(), err
}

func TestAPatchMakesTheNewFileOfTheOldOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, new := build(t)
		patch, err := Make(Of(old), Of(new))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := apply(old, patch); err != nil || !bytes.Equal(got, new) {
			t.Fatalf("%d bytes for %d: %v", len(got), len(new), err)
		}
	})
}

// Short pieces are read otherwise than long ones, and long ones in parts.
func TestPiecesOfAnyLengthAreCopied(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for _, n := range []int{1, short - 1, short, short + 1, chunk - 1, chunk, chunk + 1, chunk + short, chunk + short + 1} {
		old := make([]byte, n)
		_, _ = r.Read(old)
		if got, err := apply(old, unchanged(t, old)); err != nil || !bytes.Equal(got, old) {
			t.Errorf("%d bytes: %d, %v", n, len(got), err)
		}
	}
}

func TestADamagedPatchIsRefusedAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, new := build(t)
		patch, err := Make(Of(old), Of(new))
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(patch)
		at := rapid.IntRange(0, len(bad)-1).Draw(t, "at")
		if rapid.Bool().Draw(t, "cut") {
			bad = bad[:at]
		} else {
			bad[at] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		}
		got, err := apply(old, bad)
		if err == nil && !bytes.Equal(got, new) {
			t.Fatal("it was applied to other bytes")
		}
	})
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	old, new := []byte(strings.Repeat("the old file ", 9)), []byte(strings.Repeat("the old file ", 8)+"and more")
	patch, err := Make(Of(old), Of(new))
	if err != nil {
		t.Fatal(err)
	}
	other := append(bytes.Clone(old[:len(old)-1]), 'x')
	other[0] = 'x'
	for _, c := range []struct {
		old, patch []byte
		want       string
	}{
		{old, nil, "the patch is damaged: it has 0 bytes"},
		{old, patch[:headSize-1], "the patch is damaged: it has 151 bytes"},
		{old, patch[:len(patch)-1], "the patch is damaged: a stream of 9 bytes in 8"},
		{old, append(bytes.Clone(patch), 1), "the patch is damaged: 1 bytes too many"},
		{old, append([]byte("gdpatch3"), patch[8:]...), "the patch is damaged: it does not begin with fdpatch3"},
		{old[1:], patch, "the old file has 116 bytes, and the patch is for one of 117"},
		{other, patch, fmt.Sprintf("the old file's sha256 is %x, and the patch is for %x", Of(other).SHA256, Of(old).SHA256)},
	} {
		_, err := apply(c.old, c.patch)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v\nwant %s", err, c.want)
		}
		if strings.Contains(c.want, "damaged") != errors.Is(err, ErrDamaged) {
			t.Errorf("%v: damaged or not?", err)
		}
	}
}

func TestAFaultCostsThePatchAlone(t *testing.T) {
	var none []byte
	err := careful(func() { none[0] = 1 })
	if err == nil || err.Error() != "a fault of its own: runtime error: index out of range [0] with length 0" {
		t.Errorf("got %v", err)
	}
}

// Looked up in any order, at any place, and at the end.
func TestTheIndexHasTheFirstOfEqualWindows(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	block := make([]byte, 4096)
	_, _ = r.Read(block)
	old := slices.Concat(block, block)
	few := block[:64]
	for _, at := range []int{0, len(few) - window} {
		if got := newMatcher(few, few).known(at); got != at {
			t.Errorf("%d: found at %d", at, got)
		}
	}
	m, found := newMatcher(old, block), 0
	for _, at := range r.Perm(len(block) - window + 1) {
		switch got := m.known(at); {
		case at%step == 0 && got == at:
			found++
		case got >= 0 && same(m.old[got:], block[at:]):
			t.Errorf("%d: found at %d", at, got)
		}
	}
	if found < len(block)/step*3/4 {
		t.Errorf("%d of %d windows were found", found, len(block)/step)
	}
}
