package delta

// types finds what looks like an abi.Type in the constants, and adds what it and the
// lists that belong to it refer with.
func (s *survey) types() {
	for at := (s.layout[rodata] + 7) &^ 7; at < s.layout[rodataEnd]; at += 8 {
		const head = 48
		b := s.view(at, head+32)
		if b == nil {
			return
		}
		if !s.isType(b) {
			continue
		}
		s.add(at+40, toRodata, toRodata)
		if b[23]&31 == 20 { // an interface: name and type of each method
			s.repeat(int64(le.Uint64(b[56:]))-s.layout[bias], int64(le.Uint64(b[64:])&0xffff), 8, toRodata, toRodata)
		}
		if b[20]&1 != 0 {
			s.methods(at + sizeOf(b[23]&31))
		}
	}
}

func (s *survey) isType(b []byte) bool {
	known := func(address uint64) bool {
		return address == 0 || address >= uint64(s.layout[bias]) && address < uint64(s.layout[bias]+s.layout[end])
	}
	size := uint32(s.layout[rodataEnd] - s.layout[rodata])
	name, other := le.Uint32(b[40:]), le.Uint32(b[44:])
	return b[20] < 64 && b[21] != 0 && b[21] <= 16 && b[22] == b[21] && // flags, alignments
		b[23]&31 != 0 && b[23]&31 <= 26 && // what kind of type
		known(le.Uint64(b[24:])) && known(le.Uint64(b[32:])) && // its equality, its pointers
		name != 0 && name < size && other < size
}

// sizeOf is how long a type of a kind is, before what belongs to those with methods.
func sizeOf(kind byte) int64 {
	switch kind {
	case 17: // array
		return 72
	case 18: // chan
		return 64
	case 19, 22, 23: // func, pointer, slice
		return 56
	case 20, 25: // interface, struct
		return 80
	case 21: // map
		return 104
	}
	return 48
}

// methods adds an abi.UncommonType and its methods: name, type, and twice the code.
func (s *survey) methods(at int64) {
	b := s.view(at, 16)
	if b == nil {
		return
	}
	s.add(at, toRodata)
	s.repeat(at+int64(le.Uint32(b[8:])), int64(le.Uint16(b[4:])), 16, toRodata, toRodata, toText, toText)
}
