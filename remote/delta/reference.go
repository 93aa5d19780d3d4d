package delta

import "encoding/binary"

var le = binary.LittleEndian

// A kind is how a reference says where it goes.
type kind uint8

const (
	near     kind = iota // amd64: 4 bytes, counted from their end
	branch               // arm64: B and BL
	page                 // arm64: ADRP, and what adds to it
	pointer              // 8 bytes, an address
	toText               // 4 bytes, and all below: counted from a place
	toName               //
	toUnit               // in words
	toPctab              //
	toFunc               //
	toData               // go:func.*
	toRodata             //
)

var counted = [...]int{toText: text, toName: names, toUnit: units, toPctab: pctab, toFunc: functab, toData: funcdata, toRodata: rodata}

func (k kind) size() int {
	if k == pointer || k == page {
		return 8
	}
	return 4
}

// A reference lies somewhere in a part of a file.
type reference struct {
	at   uint32
	kind kind
}

// target is the address, less bias, of what a reference of kind k with these bytes, at an
// offset, goes to; it may be any number.
func (l *layout) target(k kind, b []byte, at int64) int64 {
	switch k {
	case near:
		return at + 4 + int64(int32(le.Uint32(b)))
	case branch:
		return at + int64(int32(le.Uint32(b)<<6)>>4)
	case page:
		return pageOf(b, at+l[bias]) - l[bias]
	case pointer:
		return int64(le.Uint64(b)) - l[bias]
	case toUnit:
		return l[units] + 4*int64(le.Uint32(b))
	default:
		return l[counted[k]] + int64(le.Uint32(b))
	}
}

// aim has a reference of kind k with these bytes, at an offset, go to target, as far as
// it can reach.
func (l *layout) aim(k kind, b []byte, at, target int64) {
	switch k {
	case near:
		le.PutUint32(b, uint32(target-at-4))
	case branch:
		le.PutUint32(b, le.Uint32(b)&^(1<<26-1)|uint32((target-at)>>2)&(1<<26-1))
	case page:
		aimPage(b, at+l[bias], target+l[bias])
	case pointer:
		le.PutUint64(b, uint64(target+l[bias]))
	case toUnit:
		le.PutUint32(b, uint32((target-l[units])>>2))
	default:
		le.PutUint32(b, uint32(target-l[counted[k]]))
	}
}

// none is true for what stands where a table has no reference.
func none(k kind, b []byte) bool {
	if k < toText {
		return false
	}
	v := le.Uint32(b)
	return v == 0 || v == 1<<32-1
}

// pageOf is the address that ADRP at an address and the instruction behind make.
func pageOf(b []byte, at int64) int64 {
	adrp, low := le.Uint32(b), le.Uint32(b[4:])
	pages := int64(int32(adrp<<8)>>13<<2) | int64(adrp>>29&3)
	return at&^0xfff + pages<<12 + int64(low>>10&0xfff)<<shift(low)
}

func aimPage(b []byte, at, target int64) {
	adrp, low := le.Uint32(b), le.Uint32(b[4:])
	pages := uint32(target>>12 - at>>12)
	le.PutUint32(b, adrp&0x9f00001f|pages&3<<29|pages>>2&(1<<19-1)<<5)
	le.PutUint32(b[4:], low&^(0xfff<<10)|uint32(target&0xfff>>shift(low))<<10)
}

// shift is in how large steps an instruction counts: those that load and store, in what
// they move.
func shift(low uint32) int {
	if low&0x3b000000 != 0x39000000 {
		return 0
	}
	if low&0x04800000 == 0x04800000 {
		return 4 // 16 bytes
	}
	return int(low >> 30)
}
