package delta

import "slices"

// A program is a file whose references can be found.
type program struct {
	layout
	fixed fixed
}

// in are the references that lie wholly in part, which is of the file from an offset on.
// They are in order, do not overlap, and depend on nothing else.
func (p *program) in(found []reference, part []byte, at int64) []reference {
	if p.layout[arch] == 0 {
		return found
	}
	to := at + int64(len(part))
	code, codeEnd := clip(at, to, p.layout[text], p.layout[textEnd])
	found = p.inData(found, part, at, at, code)
	found = p.inCode(found, part[code-at:codeEnd-at], code, int(code-at))
	return p.inData(found, part, at, codeEnd, to)
}

// clip is the part of from…to that is in begin…end, at to where there is none.
func clip(from, to, begin, end int64) (int64, int64) {
	from, end = min(max(from, begin), to), min(end, to)
	return from, max(from, end)
}

// inData adds those from an offset up to another.
func (p *program) inData(found []reference, part []byte, at, from, to int64) []reference {
	if from >= to { // as it is at the end of the longest file, where the next line would overflow
		return found
	}
	i, _ := slices.BinarySearch(p.fixed, uint32(from)<<4)
	pointing := p.overlaps(from, to, rodata) || p.overlaps(from, to, data)
	for ; i < len(p.fixed); i++ {
		field, kind := p.fixed.at(i)
		if field+int64(kind.size()) > to {
			break
		}
		if field < from {
			continue
		}
		if pointing {
			found = p.pointers(found, part, at, from, field)
		}
		if !none(kind, part[field-at:]) {
			found = append(found, reference{uint32(field - at), kind})
		}
		from = field + int64(kind.size())
	}
	return p.pointers(found, part, at, from, to)
}

// overlaps is true where some of from…to is in the place.
func (p *program) overlaps(from, to int64, place int) bool {
	return from < p.layout[place+1] && p.layout[place] < to
}

// pointers adds what looks like one in constants and variables.
func (p *program) pointers(found []reference, part []byte, at, from, to int64) []reference {
	for _, place := range []int{rodata, data} {
		i, stop := clip(from, to, p.layout[place], p.layout[place+1])
		for i = (i + 7) &^ 7; i+8 <= stop; i += 8 {
			if t := int64(le.Uint64(part[i-at:])) - p.layout[bias]; t > 0 && t < p.layout[end] {
				found, from = append(found, reference{uint32(i - at), pointer}), i+8
			}
		}
	}
	return found
}
