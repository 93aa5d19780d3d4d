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
	m := newMatcher(old, new)
	m.walk()
	return m.found
}

func newMatcher(old, new []byte) *matcher {
	return &matcher{old: old, new: new, table: indexOf(old), next: len(new)}
}

type matcher struct {
	old, new []byte
	table    index
	found    []piece
	done     int // bytes of new that the pieces cover

	ahead [16]uint32 // entries of the windows of new at next and behind, 0 above the position where that fits
	next  int
}

// An index knows where windows are: by their hash the position in steps, plus 1, and above
// that more of the hash, so that few others need to be looked at. Those lie anywhere.
type index []uint32

const (
	tagBits = 6 // of the hash, in an entry
	posBits = 32 - tagBits

	_ = uint(1<<posBits - 1 - MaxSize/step) // an entry has room for every position
)

// indexOf remembers windows of old. Where two are the same the first counts: those that
// follow it lie as they lay.
func indexOf(old []byte) index {
	x := make(index, 1<<bits.Len(uint(len(old)/step)|1<<10))
	for at := len(old) / step * step; at >= 0; at -= step {
		if at+window <= len(old) {
			slot, tag := x.slot(old[at:])
			x[slot] = tag | uint32(at/step+1)
		}
	}
	return x
}

// slot is where the index has the window that b begins with, and what its entry has above
// the position.
func (x index) slot(b []byte) (slot int, tag uint32) {
	h := binary.LittleEndian.Uint64(b)*0x9e3779b97f4a7c15 + bits.RotateLeft64(binary.LittleEndian.Uint64(b[8:])*0xc2b2ae3d27d4eb4f, 31)
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return int(h >> (64 - bits.Len(uint(len(x)-1)))), uint32(h) << posBits
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
	if known := m.known(at); known >= 0 && known != tried {
		if f, b, k := m.likeness(known, at); k > n {
			return f, b, k
		}
	}
	return from, begin, n
}

// known is where old most likely has the window of new at a position, below 0 for nowhere.
// Some are looked up at once: the memory, which is slow, then answers them side by side.
func (m *matcher) known(at int) int {
	if at < m.next || at >= m.next+len(m.ahead) {
		m.next = at
		for i := range m.ahead {
			if at+i+window <= len(m.new) {
				slot, tag := m.table.slot(m.new[at+i:])
				m.ahead[i] = m.table[slot] ^ tag
			}
		}
	}
	entry := m.ahead[at-m.next]
	if entry>>posBits != 0 {
		return -1
	}
	return (int(entry) - 1) * step
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
