package delta

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// pieced are pieces of an old file, as a patch may have them, however unlikely.
func pieced(t *rapid.T, oldSize int) (pieces []piece) {
	for range rapid.IntRange(0, 40).Draw(t, "pieces") {
		old := rapid.IntRange(0, oldSize).Draw(t, "old")
		n := rapid.IntRange(0, min(oldSize-old, rapid.SampledFrom([]int{2, 200, oldSize}).Draw(t, "most"))).Draw(t, "n")
		pieces = append(pieces, piece{uint32(old), uint32(n), uint32(rapid.IntRange(0, 50).Draw(t, "add"))})
	}
	return pieces
}

func TestSpansAreInOrderAndApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		end := uint32(0)
		for _, s := range newGuide(pieced(t, 2000), 2000).spans {
			if s.n == 0 || s.old < end || s.end() > 2000 {
				t.Fatalf("%v, and the one before ends at %d", s, end)
			}
			end = s.end()
		}
	})
}

func TestTheLongerOfTwoSpansStays(t *testing.T) {
	for name, c := range map[string]struct{ is, want []span }{
		"apart":               {[]span{{0, 100, 10}, {10, 50, 5}}, []span{{0, 100, 10}, {10, 50, 5}}},
		"the first is longer": {[]span{{0, 100, 10}, {8, 50, 5}}, []span{{0, 100, 10}, {10, 52, 3}}},
		"the other is longer": {[]span{{0, 100, 10}, {8, 50, 15}}, []span{{0, 100, 8}, {8, 50, 15}}},
		"within":              {[]span{{0, 100, 10}, {2, 50, 3}}, []span{{0, 100, 10}}},
		"nothing is left":     {[]span{{5, 100, 10}, {5, 50, 15}}, []span{{5, 50, 15}}},
		"of many":             {[]span{{0, 100, 10}, {5, 50, 7}, {6, 0, 30}}, []span{{0, 100, 6}, {6, 0, 30}}},
	} {
		if got := disjoint(slices.Clone(c.is)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, not %v", name, got, c.want)
		}
	}
}

func TestWhereIsWhatTheSpanBeforeSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 2000
		g := newGuide(pieced(t, size), size)
		learned := map[int64]int64{}
		for range rapid.IntRange(0, 5).Draw(t, "learned") {
			target := int64(rapid.IntRange(-size, 2*size).Draw(t, "target"))
			learned[target] = int64(rapid.IntRange(0, size).Draw(t, "is"))
			g.learn(target, learned[target])
		}
		for target := int64(-size); target < 2*size; target++ {
			want, known := learned[target]
			if !known {
				want = target
				for i, s := range g.spans {
					if i == 0 || int64(s.old) <= target {
						want = target + int64(s.new) - int64(s.old)
					}
				}
			}
			if got := g.where(target); got != want {
				t.Fatalf("%d is at %d, not %d: %v", target, got, want, g.spans)
			}
		}
	})
}

func TestPointersAreFoundBesideOtherReferences(t *testing.T) {
	p := program{layout: layout{arch: amd64, bias: 4096, end: 4096, rodataEnd: 32, links: 32, data: 64, dataEnd: 128}}
	part := bytes.Repeat([]byte{1}, 128)
	for _, at := range []int{8, 48, 72, 88} { // 48 is in neither
		le.PutUint64(part[at:], 4196)
	}
	for _, at := range []uint32{0, 20, 64, 88, 100} {
		p.fixed = append(p.fixed, at<<4|uint32(toRodata))
	}
	want := []reference{{0, toRodata}, {8, pointer}, {20, toRodata}, {64, toRodata}, {72, pointer}, {88, toRodata}, {100, toRodata}}
	if got := p.in(nil, part, 0); !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	for i, r := range want[3:] {
		want[3+i].at = r.at - 64
	}
	if got := p.in(nil, part[64:], 64); !slices.Equal(got, want[3:]) {
		t.Errorf("%v, not %v", got, want[3:])
	}
}

func TestTheLabelOfAPointerFillsIt(t *testing.T) {
	p := program{layout: layout{arch: amd64, bias: 4096, end: 4096, data: 0, dataEnd: 64}}
	file := bytes.Repeat([]byte{0xff}, 256)
	le.PutUint64(file[8:], 4096+100)
	le.PutUint64(file[24:], 4096+100)
	got := p.labelled(file)
	if low, high := le.Uint32(got[8:]), le.Uint32(got[12:]); low == 0 || low != high || !bytes.Equal(got[8:16], got[24:32]) {
		t.Errorf("%x and %x", got[8:16], got[24:32])
	}
}
