package delta

// inCode adds the references in code, which begins at an offset, and add bytes into the
// part. What looks like one and is none costs a little; it is the same for both sides.
func (l *layout) inCode(found []reference, code []byte, at int64, add int) []reference {
	switch l[arch] {
	case amd64:
		return l.inAMD64(found, code, at, add)
	case arm64:
		return l.inARM64(found, code, at, add)
	}
	return found
}

func (l *layout) inAMD64(found []reference, code []byte, at int64, add int) []reference {
	for i := 0; i+6 <= len(code); i++ {
		var field int
		toCode, toData := true, false
		switch op, next := code[i], code[i+1]; {
		case op&0xfe == 0xe8: // CALL, JMP
			field = i + 1
		case op == 0x0f && next&0xf0 == 0x80: // Jcc
			field = i + 2
		case next&0xc7 == 5: // what lies so far from the instruction; code only for LEA
			field, toCode, toData = i+2, op == 0x8d, true
		default:
			continue
		}
		t := l.target(near, code[field:], at+int64(field))
		if toCode && t >= l[text] && t < l[textEnd] || toData && t >= l[textEnd] && t < l[end] {
			found = append(found, reference{uint32(add + field), near})
			i = field + 3
		}
	}
	return found
}

// inARM64 looks for jumps, and for pairs that make an address, as the linker writes them.
func (l *layout) inARM64(found []reference, code []byte, at int64, add int) []reference {
	for i := int(-at & 3); i+8 <= len(code); i += 4 {
		op, next := le.Uint32(code[i:]), le.Uint32(code[i+4:])
		switch {
		case op&0x7c000000 == 0x14000000: // B, BL
			if t := l.target(branch, code[i:], at+int64(i)); t >= l[text] && t < l[textEnd] {
				found = append(found, reference{uint32(add + i), branch})
			}
		case op&0x9f000000 == 0x90000000 && op&31 == next>>5&31 && displaces(next): // ADRP
			found = append(found, reference{uint32(add + i), page})
			i += 4
		}
	}
	return found
}

// displaces is true for ADD of a number, and for what loads and stores so far from a register.
func displaces(op uint32) bool {
	return op&0xffc00000 == 0x91000000 || op&0x3b000000 == 0x39000000
}
