package delta

import (
	"bytes"
	"math/rand"
	"testing"
)

// relinked is a file of 20 MB like a program, and what a linker makes of it when some
// code came in: all behind it lies elsewhere, and addresses are others.
func relinked() (old, new []byte) {
	r := rand.New(rand.NewSource(1))
	old = make([]byte, 20<<20)
	for at := range old {
		old[at] = byte(r.Intn(1 + at%64)) // as uneven as code
	}
	new = append(bytes.Clone(old[:3<<20]), old[5<<20:5<<20+4000]...)
	new = append(new, old[3<<20:]...)
	for at := 3 << 20; at+4 < len(new); at += 8 + r.Intn(60) {
		new[at] += 0xa0
	}
	return old, new
}

func BenchmarkMake(b *testing.B) {
	old, new := relinked()
	b.SetBytes(int64(len(new)))
	for b.Loop() {
		patch, err := Make(Of(old), Of(new))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(100*float64(len(patch))/float64(len(new)), "%")
	}
}

func BenchmarkApply(b *testing.B) {
	old, new := relinked()
	patch, err := Make(Of(old), Of(new))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(new)))
	for b.Loop() {
		if err := Apply(&bounded{}, bytes.NewReader(old), int64(len(old)), bytes.NewReader(patch), int64(len(patch))); err != nil {
			b.Fatal(err)
		}
	}
}
