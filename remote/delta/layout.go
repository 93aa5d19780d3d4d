package delta

import (
	"encoding/binary"
	"math"
)

// A layout tells where in a program's file the things lie that its references go from
// and to. All zero it is that of a file that is no program, or not one that is known.
//
// The maker finds it in both files, and it comes with the patch: what applies one needs
// to trust no headers.
type layout [places]int64

// Places are offsets in the file, but for arch, bias, gap, end and functions.
const (
	arch      = iota // whose code it is
	bias             // what an address is above the offset of what lies there
	gap              // how much more that is from data on, where not Go's own linker was at work
	end              // of the program in memory, its address less bias: behind the file come zeros
	text             // the code
	textEnd          //
	rodata           // constants and types, with pointers among them
	rodataEnd        //
	data             // variables, with pointers among them
	dataEnd          //
	links            // .typelink, offsets of types
	linksEnd         //
	names            // of functions; this and the following are parts of .gopclntab
	units            //
	pctab            //
	functab          //
	functions        // how many
	funcdata         // go:func.*
	funcdataEnd
	places
)

const (
	amd64 = 1
	arm64 = 2
)

func (l *layout) encode(to []byte) []byte {
	for _, n := range l {
		to = binary.AppendUvarint(to, uint64(n))
	}
	return to
}

// decode reads the layout of a file of size bytes. No part of it then is outside the file.
func (l *layout) decode(from []byte, size int64) ([]byte, error) {
	for i := range l {
		n, k := binary.Uvarint(from)
		if k <= 0 || n > math.MaxInt64 {
			return nil, damaged("the layout is cut")
		}
		l[i], from = int64(n), from[k:]
	}
	if !l.fits(size) {
		return nil, damaged("a layout beyond a file of %d bytes", size)
	}
	return from, nil
}

func (l *layout) fits(size int64) bool {
	for place, n := range l {
		if n < 0 {
			return false
		}
		switch place {
		case bias:
			if n > 1<<48 {
				return false
			}
		case end, gap:
			if n > math.MaxUint32 {
				return false
			}
		default:
			if n > size {
				return false
			}
		}
	}
	return true
}

// offset is where in the file that lies which is, by its address, so far above bias.
func (l *layout) offset(target int64) int64 {
	if target >= l[data]+l[gap] {
		return target - l[gap]
	}
	return target
}

// loaded is the other way round.
func (l *layout) loaded(offset int64) int64 {
	if offset >= l[data] {
		return offset + l[gap]
	}
	return offset
}
