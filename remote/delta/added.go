package delta

// packable makes part, which is added to the new file at an offset, such that it packs
// well, with way 1; with way -1 it is as it was.
func (l *layout) packable(part []byte, at, way int64) {
	if l[arch] == 0 {
		return
	}
	code, codeEnd := clip(at, at+int64(len(part)), l[text], l[textEnd])
	l.absolute(part[code-at:codeEnd-at], code, way)
	done := codeEnd - at // no byte is changed twice, whatever the layout is
	first, end := l.paired(part, at)
	first, end = max(done, first), max(done, end)
	nearby(part[done:first], codeEnd, way)
	nearby(part[end:], at+end, way)
}

// paired is where the bytes of part are that are of runtime.pctab.
func (l *layout) paired(part []byte, at int64) (first, end int64) {
	first, end = clip(at, at+int64(len(part)), l[pctab], l[functab])
	return first - at, end - at
}

// pairs goes through n bytes of runtime.pctab. In each table are values, and the steps for
// which each is good, in turn, in bytes of seven bits, up to a value 0 that is not the first
// (runtime.step). Next tells each byte, and is told whether it is of a step.
func pairs(n int, next func(i int, step bool) (byte, error)) error {
	step, first, begins := false, true, true
	for i := range n {
		b, err := next(i, step)
		if err != nil {
			return err
		}
		ends := !step && begins && b == 0 && !first
		if begins = b < 0x80; begins {
			first = ends
			step = !step && !ends
		}
	}
	return nil
}

// nearby has words that lie beside others much like them, in tables of offsets, tell how
// far they are from those: from the last of the two before whose upper half they share,
// which stays.
func nearby(part []byte, at, way int64) {
	var last [2]uint32
	for i := int(-at & 3); i+4 <= len(part); i += 4 {
		word := le.Uint32(part[i:])
		if half := word >> 16; half == 0 || half == 0xffff {
			continue // a small number, or none
		}
		like := last[0]
		if word>>16 != last[0]>>16 {
			like, last[1] = last[1], last[0]
		}
		if word>>16 == like>>16 {
			other := word&^0xffff | (word-uint32(way)*like)&0xffff
			le.PutUint32(part[i:], other)
			if way < 0 {
				word = other
			}
		}
		last[0] = word
	}
}

// absolute has the references of code at an offset tell where they go and not how far it
// is. So calls of one function are the same bytes, which pack well. Only what tells what an
// instruction is decides, and that stays as it is.
func (l *layout) absolute(code []byte, at, way int64) {
	switch l[arch] {
	case amd64:
		absoluteAMD64(code, at, way)
	case arm64:
		absoluteARM64(code, at, way)
	}
}

func absoluteAMD64(code []byte, at, way int64) {
	for i := 0; i+6 <= len(code); i++ {
		field := i + 1
		if op := code[i]; op&0xfe != 0xe8 { // neither CALL nor JMP
			if code[i+1]&0xc7 != 5 || !common(op) {
				continue
			}
			field = i + 2
		}
		le.PutUint32(code[field:], le.Uint32(code[field:])+uint32(way*(at+int64(field)+4)))
		i = field + 3
	}
}

// common are the instructions that most often say how far from them their operand is.
func common(op byte) bool {
	switch op {
	case 0x39, 0x3b, 0x80, 0x83, 0x89, 0x8b, 0x8d: // CMP, CMP and others with a number, MOV, LEA
		return true
	}
	return false
}

func absoluteARM64(code []byte, at, way int64) {
	for i := int(-at & 3); i+4 <= len(code); i += 4 {
		here, op := at+int64(i), le.Uint32(code[i:])
		switch {
		case op&0x7c000000 == 0x14000000: // B, BL
			le.PutUint32(code[i:], op&^(1<<26-1)|(op+uint32(way*(here>>2)))&(1<<26-1))
		case op&0x9f000000 == 0x90000000: // ADRP
			pages := op>>5<<2&(1<<21-1) | op>>29&3
			pages += uint32(way * (here >> 12))
			le.PutUint32(code[i:], op&0x9f00001f|pages&3<<29|pages>>2&(1<<19-1)<<5)
		}
	}
}
