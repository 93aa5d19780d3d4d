package delta

// absolute has the references of code that is added, part of the new file at an offset,
// tell where they go and not how far it is, with way 1; with way -1 it has them as they
// were. So calls of one function are the same bytes, which pack well. Only what tells
// what an instruction is decides, and that stays as it is.
func (l *layout) absolute(part []byte, at, way int64) {
	from, to := clip(at, at+int64(len(part)), l[text], l[textEnd])
	code := part[from-at : to-at]
	switch l[arch] {
	case amd64:
		absoluteAMD64(code, from, way)
	case arm64:
		absoluteARM64(code, from, way)
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
