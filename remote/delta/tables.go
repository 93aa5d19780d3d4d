package delta

import (
	"io"
	"slices"
)

// fixed are references that only who walks Go's tables finds: the offset of each, and its
// kind in the lowest four bits, in order.
type fixed []uint32

func (f fixed) at(i int) (int64, kind) { return int64(f[i] >> 4), kind(f[i] & 15) }

// A survey walks Go's tables. It goes forward only, once through each, and remembers no
// more than one reference for 16 bytes of the file, whatever the tables say: in four bytes,
// and in eight while they are sorted.
type survey struct {
	*layout
	lens
	found fixed
	room  int
}

// references finds what l's tables in file refer with.
func (l *layout) references(file io.ReaderAt, size int64) (fixed, error) {
	if l[arch] == 0 {
		return nil, nil
	}
	s := &survey{layout: l, lens: lens{file: file, size: size, ahead: chunk}, room: int(size / 16), found: make(fixed, 0, size/32)}
	s.links()
	s.types()
	s.functions()
	return slices.Compact(sorted(s.found)), s.err
}

// sorted are the numbers in order; the list itself is used up. They are too many to compare,
// so each pass spreads them by some of their bits, the lowest first.
func sorted(list fixed) fixed {
	const bits = 11
	other := make(fixed, len(list))
	for shift := 0; shift < 32; shift += bits {
		var next [1 << bits]int
		for _, v := range list {
			next[v>>shift&(1<<bits-1)]++
		}
		at := 0
		for i, n := range next {
			next[i], at = at, at+n
		}
		for _, v := range list {
			slot := &next[v>>shift&(1<<bits-1)]
			other[*slot] = v
			*slot++
		}
		list, other = other, list
	}
	return list
}

func (s *survey) add(at int64, kinds ...kind) {
	for _, k := range kinds {
		if at < 0 || at > s.size-4 || len(s.found) == s.room {
			return
		}
		s.found = append(s.found, uint32(at)<<4|uint32(k))
		at += 4
	}
}

// repeat adds n records of so many bytes, with such references at their beginning.
func (s *survey) repeat(at, n int64, bytes int, kinds ...kind) {
	for ; n > 0 && len(s.found) < s.room && at < s.size; n-- {
		s.add(at, kinds...)
		at += int64(bytes)
	}
}

func (s *survey) links() {
	s.repeat(s.layout[links], (s.layout[linksEnd]-s.layout[links])/4, 4, toRodata)
}

// functions goes through runtime.functab, and what its entries point to, which lies in
// the same order.
func (s *survey) functions() {
	begin, n := s.layout[functab], s.layout[functions]
	s.repeat(begin, n, 8, toText, toFunc)
	s.add(begin+8*n, toText)
	entries := lens{file: s.file, size: s.size, ahead: chunk}
	var inlined, objects []uint32
	last := begin + 8*n
	for i := range n {
		entry := entries.view(begin+8*i+4, 4)
		if entry == nil {
			break
		}
		at := begin + int64(le.Uint32(entry))
		if at < last {
			break
		}
		size := s.function(at, &inlined, &objects)
		if size == 0 {
			break
		}
		last = at + size
	}
	if s.err == nil {
		s.err = entries.err
	}
	s.calls(inlined)
	s.objects(objects)
}

// function adds a runtime._func and tells how long it is, 0 when it is cut. What its data
// refer with comes later: they are shared, and lie in another order.
func (s *survey) function(at int64, inlined, objects *[]uint32) int64 {
	const head = 44
	b := s.view(at, head)
	if b == nil {
		return 0
	}
	pcs, data := int64(le.Uint32(b[28:])), int64(b[43])
	if pcs > 255 {
		return 0
	}
	s.add(at, toText, toName)
	s.add(at+16, toPctab, toPctab, toPctab)
	s.add(at+32, toUnit)
	s.repeat(at+head, pcs, 4, toPctab)
	s.repeat(at+head+4*pcs, data, 4, toData)
	if refs := s.view(at+head+4*pcs, int(4*data)); refs != nil && data > 3 {
		*objects = append(*objects, le.Uint32(refs[8:]))
		*inlined = append(*inlined, le.Uint32(refs[12:]))
	}
	return head + 4*pcs + 4*data
}

// calls adds the names of what was inlined: runtime.inlinedCall, 16 bytes each. How many
// there are nothing says; they end where they no longer look like that.
func (s *survey) calls(lists []uint32) {
	next := int64(0)
	for _, at := range s.places(lists) {
		for at = max(at, next); at < s.layout[funcdataEnd]; at += 16 {
			b := s.view(at, 16)
			if b == nil || b[0] > 32 || b[1]|b[2]|b[3] != 0 || int64(le.Uint32(b[4:])) >= s.layout[units]-s.layout[names] || le.Uint32(b[8:]) >= 1<<24 || le.Uint32(b[12:]) >= 1<<20 {
				break
			}
			s.add(at+4, toName)
			next = at + 16
		}
	}
}

// objects adds where what lies on the stack has its pointers: runtime.stackObjectRecord.
func (s *survey) objects(lists []uint32) {
	for _, at := range s.places(lists) {
		if b := s.view(at, 8); b != nil && le.Uint64(b) < 1<<16 {
			s.repeat(at+8+12, int64(le.Uint64(b)), 16, toRodata)
		}
	}
}

// places are those of go:func.* that lists name, in order.
func (s *survey) places(lists []uint32) []int64 {
	slices.Sort(lists)
	var at []int64
	for _, v := range slices.Compact(lists) {
		if v != 1<<32-1 && s.layout[funcdata] != 0 {
			at = append(at, s.layout[funcdata]+int64(v))
		}
	}
	return at
}
