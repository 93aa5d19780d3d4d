package delta

import (
	"cmp"
	"slices"
)

// A guide tells where things of the old file are in the new one: the pieces say so, and
// what references turned out to be, which is better.
type guide struct {
	spans []span
	first []int32 // of each sector of the old file, and of its end: the last span that begins no later
	seen  []turned
	known [seen / 64]uint64 // a bit for each of seen that has something: these stay in the processor's cache
}

// A span is n bytes of the old file that are in the new.
type span struct{ old, new, n uint32 }

// turned is a target, and what it turned out to be.
type turned struct{ from, to uint32 }

const (
	sector = 256     // so small that few spans begin in it, where pieces are as usual
	seen   = 1 << 17 // what is remembered of targets, the last of those that share a slot
)

func newGuide(pieces []piece, oldSize int64) *guide {
	g := &guide{first: make([]int32, oldSize/sector+2), seen: make([]turned, seen)}
	at := uint32(0)
	for _, p := range pieces {
		if p.n > 0 {
			g.spans = append(g.spans, span{uint32(p.old), at, uint32(p.n)})
		}
		at += uint32(p.n) + uint32(p.add)
	}
	slices.SortStableFunc(g.spans, func(a, b span) int { return cmp.Compare(a.old, b.old) })
	g.spans = disjoint(g.spans)
	i := 0
	for s := range g.first {
		for i+1 < len(g.spans) && int64(g.spans[i+1].old) <= int64(s)*sector {
			i++
		}
		g.first[s] = int32(i)
	}
	return g
}

// disjoint leaves of spans in order only what does not overlap; the longer one stays, as
// the shorter is more likely like by chance.
func disjoint(spans []span) []span {
	out := spans[:0]
	for _, s := range spans {
		for k := len(out); k > 0 && s.n > 0 && s.old < out[k-1].end(); k = len(out) {
			switch last := &out[k-1]; {
			case s.n > last.n && s.old > last.old:
				last.n = s.old - last.old
			case s.n > last.n:
				out = out[:k-1]
			default:
				over := min(last.end()-s.old, s.n)
				s = span{s.old + over, s.new + over, s.n - over}
			}
		}
		if s.n > 0 {
			out = append(out, s)
		}
	}
	return out
}

func (s span) end() uint32 { return s.old + s.n }

// where is the place in the new file of what is at an offset of the old one. What went
// is where it would be had it stayed with what lies before it.
func (g *guide) where(target int64) int64 {
	if slot := slotOf(target); g.known[slot/64]>>(slot%64)&1 != 0 {
		if s := g.seen[slot]; s.from == uint32(target) {
			return int64(s.to)
		}
	}
	if len(g.spans) == 0 {
		return target
	}
	s := min(max(0, target)/sector, int64(len(g.first)-2))
	i, last := g.first[s], g.first[s+1]
	for i < last {
		if mid := (i + last + 1) / 2; int64(g.spans[mid].old) <= target {
			i = mid
		} else {
			last = mid - 1
		}
	}
	return target + int64(g.spans[i].new) - int64(g.spans[i].old)
}

// learn has where know better.
func (g *guide) learn(target, is int64) {
	slot := slotOf(target)
	g.known[slot/64] |= 1 << (slot % 64)
	g.seen[slot] = turned{uint32(target), uint32(is)}
}

// slotOf is a number below seen.
func slotOf(target int64) uint64 { return uint64(target) * 0x9e3779b97f4a7c15 >> 47 }
