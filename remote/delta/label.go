package delta

import (
	"bytes"
	"math/bits"
	"runtime"
	"slices"
)

// labelled is file with each reference replaced by a number that depends on what it
// refers to, not on where that lies: so what did not change is alike in the last build
// and the next, and what did is not.
func (p *program) labelled(file []byte) []byte {
	refs := p.in(make([]reference, 0, len(file)/16), file, 0)
	if len(refs) == 0 {
		return file
	}
	var nowhere layout
	blank := clone(file)
	for _, r := range refs {
		nowhere.aim(r.kind, blank[r.at:], 0, 0)
	}
	names, labels := p.nameAll(file), make([]uint32, len(refs))
	for i, r := range refs {
		labels[i] = p.label(r.kind, p.offset(p.target(r.kind, file[r.at:], int64(r.at))), blank, names)
	}
	for i, r := range refs {
		both := uint64(labels[i]) << 32 // for those that have twice as much room
		nowhere.aim(r.kind, blank[r.at:], 0, int64(both|both>>32))
	}
	return blank
}

// clone copies by chunks. The runtime's garbage collector, which so much memory sets off, can
// stop nobody within one copy: it would wait, and keep another processor busy with that.
func clone(file []byte) []byte {
	to := make([]byte, 0, len(file))
	for part := range slices.Chunk(file, chunk) {
		to = append(to, part...)
		runtime.Gosched()
	}
	return to
}

// longest is the name that is told from others.
const longest = 1 << 12

// label is for what is at target: the name of a function, or else what is there.
func (p *program) label(k kind, target int64, blank []byte, n *named) uint32 {
	if k == toFunc {
		return n.said[target]
	}
	if code := target - p.layout[text]; code >= 0 && target < p.layout[textEnd] {
		if code%aligned != 0 {
			return 0
		}
		return n.begin[code/aligned]
	}
	if target < 0 || target >= int64(len(blank)) {
		return 0
	}
	there := blank[target:]
	switch k {
	case toName:
		there = there[:min(len(there), longest)]
		return sum(there[:max(0, bytes.IndexByte(there, 0))])
	case near, page, toPctab, toData:
		return sum(there[:min(len(there), 8)]) // of strings and tables there may be no more
	default:
		return sum(there[:min(len(there), 24)]) // what tells one type from another
	}
}

// aligned is what Go's linker has the code of functions begin at, or a part of that.
const aligned = 16

// named are the labels of functions.
type named struct {
	begin []uint32         // of those whose code begins there, one for so many bytes
	said  map[int64]uint32 // by where runtime.functab says more of them
}

// nameAll finds them in runtime.functab.
func (p *program) nameAll(file []byte) *named {
	n := &named{make([]uint32, max(0, p.layout[textEnd]-p.layout[text])/aligned+1), make(map[int64]uint32, p.layout[functions])}
	size := int64(len(file))
	for entry, left := p.layout[functab], p.layout[functions]; left > 0 && entry <= size-8; entry, left = entry+8, left-1 {
		f := p.layout[functab] + int64(le.Uint32(file[entry+4:]))
		if f > size-8 {
			break
		}
		name := p.label(toName, p.target(toName, file[f+4:], 0), file, n)
		n.said[f] = name
		if code := int64(le.Uint32(file[entry:])); code%aligned == 0 && code/aligned < int64(len(n.begin)) {
			n.begin[code/aligned] = name
		}
	}
	return n
}

// sum is a number that most likely no other bytes have.
func sum(b []byte) uint32 {
	h := uint64(len(b))
	for ; len(b) >= 8; b = b[8:] {
		h = bits.RotateLeft64(h^le.Uint64(b), 29) * 0x9e3779b97f4a7c15
	}
	for _, c := range b {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return uint32((h ^ h>>32) * 0x9e3779b97f4a7c15 >> 32)
}
