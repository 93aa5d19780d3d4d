package delta

import (
	"encoding/binary"
	"math/bits"
)

const (
	window = 16 // bytes that must be equal for a likeness to be looked at
	step   = 8  // of the old file, one window in so many is remembered
	miss   = 4  // how many equal bytes outweigh one that differs
	dip    = 60 // a likeness ends where differing bytes outweigh equal ones by so many
	worth  = 48 // equal bytes that pay for a copy's three numbers
)

// A piece of the new file is n bytes much like the old ones at old, and add that are
// in no old file.
type piece struct{ old, n, add uint32 }

// pieces cut new into likenesses with old.
func pieces(old, new []byte) []piece {
	m := matcher{old: old, new: new, table: index(old)}
	m.walk()
	return m.found
}

type matcher struct {
	old, new []byte
	table    []uint32 // hash of a window -> position + 1
	found    []piece
	done     int // bytes of new that the pieces cover
}

// index remembers windows of old. Where two are the same the first counts: those that
// follow it lie as they lay.
func index(old []byte) []uint32 {
	table := make([]uint32, 1<<bits.Len(uint(len(old)/step)|1<<10))
	for at := len(old) / step * step; at >= 0; at -= step {
		if at+window <= len(old) {
			table[slot(old[at:], len(table))] = uint32(at) + 1
		}
	}
	return table
}

func slot(b []byte, size int) int {
	x := binary.LittleEndian.Uint64(b)*0x9e3779b97f4a7c15 + bits.RotateLeft64(binary.LittleEndian.Uint64(b[8:])*0xc2b2ae3d27d4eb4f, 31)
	x ^= x >> 32
	return int(x * 0x9e3779b97f4a7c15 >> (64 - bits.Len(uint(size-1))))
}

func (m *matcher) walk() {
	for at := 0; at+window <= len(m.new); {
		from, begin, n := m.best(at)
		if n == 0 {
			at++
			continue
		}
		m.take(from, begin, n)
		at = m.done
	}
	m.rest(len(m.new))
}

// best is the better of going on as the last piece lay, and of what the table knows.
func (m *matcher) best(at int) (from, begin, n int) {
	tried := -1
	if k := len(m.found); k > 0 {
		last := m.found[k-1]
		tried = int(last.old) + at - (m.done - int(last.n))
		from, begin, n = m.likeness(tried, at)
	}
	if known := int(m.table[slot(m.new[at:], len(m.table))]) - 1; known >= 0 && known != tried {
		if f, b, k := m.likeness(known, at); k > n {
			return f, b, k
		}
	}
	return from, begin, n
}

// likeness is what is much alike around old[from] and new[at], no further back than the
// last piece; n is 0 where it is not worth a piece.
func (m *matcher) likeness(from, at int) (oldAt, newAt, n int) {
	if from < 0 || from+window > len(m.old) || !same(m.old[from:], m.new[at:]) {
		return 0, 0, 0
	}
	on, equal := forward(m.old[from:], m.new[at:])
	back, more := backward(m.old[:from], m.new[m.done:at])
	if equal+more < worth {
		return 0, 0, 0
	}
	return from - back, at - back, back + on
}

func same(a, b []byte) bool {
	return binary.LittleEndian.Uint64(a) == binary.LittleEndian.Uint64(b) &&
		binary.LittleEndian.Uint64(a[8:]) == binary.LittleEndian.Uint64(b[8:])
}

// forward is the length up to which a and b are alike but for little, and how many bytes
// of that are equal.
func forward(a, b []byte) (n, equal int) {
	score, best, hits := 0, 0, 0
	end := min(len(a), len(b))
	for i := 0; i < end && score > best-dip; {
		if i+8 <= end && binary.LittleEndian.Uint64(a[i:]) == binary.LittleEndian.Uint64(b[i:]) {
			i, score, hits = i+8, score+8, hits+8
		} else if a[i] == b[i] {
			i, score, hits = i+1, score+1, hits+1
		} else {
			i, score = i+1, score-miss
		}
		if score > best {
			best, n, equal = score, i, hits
		}
	}
	return n, equal
}

func backward(a, b []byte) (n, equal int) {
	score, best, hits := 0, 0, 0
	end := min(len(a), len(b))
	for i := 1; i <= end && score > best-dip; i++ {
		if a[len(a)-i] == b[len(b)-i] {
			score, hits = score+1, hits+1
		} else {
			score -= miss
		}
		if score > best {
			best, n, equal = score, i, hits
		}
	}
	return n, equal
}

// take makes a piece of a likeness; what lies before it is in no old file.
func (m *matcher) take(from, begin, n int) {
	m.rest(begin)
	m.found = append(m.found, piece{old: uint32(from), n: uint32(n)})
	m.done += n
}

// rest has the last piece bring all up to end.
func (m *matcher) rest(end int) {
	if end == m.done {
		return
	}
	if len(m.found) == 0 {
		m.found = append(m.found, piece{})
	}
	m.found[len(m.found)-1].add += uint32(end - m.done)
	m.done = end
}
