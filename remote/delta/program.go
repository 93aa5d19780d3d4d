package delta

import (
	"bytes"
	"debug/elf"
	"math"
)

// goTables is what .gopclntab begins with since Go 1.20.
const goTables = 0xfffffff1

// layoutOf is where things lie in a program for Linux, all zero where file is no such
// or one that is laid out in ways that are not known.
func layoutOf(file []byte) layout {
	f, err := elf.NewFile(bytes.NewReader(file))
	if err != nil || f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB {
		return layout{}
	}
	var l layout
	switch f.Machine {
	case elf.EM_X86_64:
		l[arch] = amd64
	case elf.EM_AARCH64:
		l[arch] = arm64
	default:
		return layout{}
	}
	if !l.segments(f) {
		return layout{}
	}
	l.sections(f)
	l.tables(file, f.Section(".gopclntab"), f.Section(".go.module"))
	if !l.fits(int64(len(file))) {
		return layout{}
	}
	return l
}

// segments is true when what is read lies in memory as in the file, and what is written
// does, but for a gap.
func (l *layout) segments(f *elf.File) bool {
	l[bias] = -1
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		above := int64(p.Vaddr - p.Off)
		if p.Vaddr > 1<<48 || p.Memsz > math.MaxUint32 || above < 0 {
			return false
		}
		switch {
		case l[bias] < 0:
			l[bias] = above
		case above > l[bias] && p.Flags&elf.PF_W != 0 && l[data] == 0:
			l[gap] = above - l[bias]
		case above != l[bias]+l[gap]:
			return false
		}
		if p.Flags&elf.PF_W != 0 {
			l[data], l[dataEnd] = int64(p.Off), int64(p.Off+p.Filesz)
		}
		l[end] = max(l[end], int64(p.Vaddr+p.Memsz)-l[bias])
	}
	return l[bias] >= 0
}

func (l *layout) sections(f *elf.File) {
	for name, place := range map[string]int{".text": text, ".rodata": rodata, ".typelink": links} {
		if s := f.Section(name); s != nil && s.Type == elf.SHT_PROGBITS {
			l[place], l[place+1] = int64(s.Offset), int64(s.Offset+s.Size)
		}
	}
	if s := f.Section(".itablink"); s != nil && l[gap] == 0 && l[data] > int64(s.Offset) {
		l[data] = int64(s.Offset) // pointers too, and they lie just before
	}
}

// tables finds the parts of .gopclntab. Only since Go 1.26 is go:func.* one of them.
func (l *layout) tables(file []byte, s, module *elf.Section) {
	if s == nil || s.Size < 9*8 || s.Offset > uint64(len(file)) || s.Size > uint64(len(file))-s.Offset {
		return
	}
	begin, b := int64(s.Offset), file[s.Offset:]
	if le.Uint32(b) != goTables || b[7] != 8 {
		return
	}
	word := func(i int) int64 { return int64(le.Uint64(b[8*i:])) }
	for place, i := range map[int]int{names: 4, units: 5, pctab: 7, functab: 8} {
		if o := word(i); o >= 0 && o < int64(s.Size) {
			l[place] = begin + o
		}
	}
	if n := word(1); n >= 0 && n < (begin+int64(s.Size)-l[functab])/8 {
		l[functions] = n
	}
	const gofunc = 40 // the word of runtime.moduledata
	if module == nil || module.Offset > uint64(len(file)) || uint64(len(file))-module.Offset < 8*(gofunc+1) {
		return
	}
	if at := l.offset(int64(le.Uint64(file[module.Offset+8*gofunc:])) - l[bias]); at > l[functab] && at < begin+int64(s.Size) {
		l[funcdata], l[funcdataEnd] = at, begin+int64(s.Size)
	}
}
