package delta

import (
	"bytes"
	"crypto/sha256"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// source is a program, and what is added to it.
const (
	source = `package main

import "fmt"

type point struct{ x, y int }

func (p point) String() string { return fmt.Sprintf("(%d, %d)", p.x, p.y) }

func main() { fmt.Println(point{1, 2}, later()) }

func later() any { return map[string]int{"one": 1} }
`
	addition = `
var added = edit("what somebody added")

func edit(name string) (n int) {
	for i, r := range name {
		if r == 'x' {
			n -= i * len(fmt.Sprint(r, name))
		}
	}
	return n
}

func init() {
	if added > 0 {
		panic(fmt.Sprintf("%d edits", added))
	}
}
`
)

// programs are the program as its users have it, and the next build of it.
func programs(t testing.TB, arch string) (old, new []byte) {
	t.Helper()
	dir := t.TempDir()
	build := func(text string) []byte {
		for name, data := range map[string]string{"main.go": text, "go.mod": "module example.test/program\n\ngo 1.24\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", "program", ".")
		build.Dir = dir
		build.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		program, err := os.ReadFile(filepath.Join(dir, "program"))
		if err != nil {
			t.Fatal(err)
		}
		return program
	}
	return build(source), build(source + addition)
}

func TestTheNextBuildOfAProgramIsAHundredthOfIt(t *testing.T) {
	for _, arch := range []string{"amd64", "arm64"} {
		old, new := programs(t, arch)
		patch, err := Make(Of(old), Of(new))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := apply(old, patch); err != nil || !bytes.Equal(got, new) {
			t.Fatalf("%s: other bytes: %v", arch, err)
		}
		blind := made(t, old, new, layout{}, layout{})
		t.Logf("%s: %d bytes of %d; %d where nothing is predicted", arch, len(patch), len(new), len(blind))
		if len(patch) > len(new)/100 || len(patch) > len(blind)/3 {
			t.Errorf("%s: %d bytes of %d; %d where nothing is predicted", arch, len(patch), len(new), len(blind))
		}
	}
}

// made is a patch of files with layouts that need not be theirs.
func made(t interface{ Fatal(...any) }, old, new []byte, was, is layout) []byte {
	h := Head{OldSize: int64(len(old)), NewSize: int64(len(new)), OldSHA256: sha256.Sum256(old), NewSHA256: sha256.Sum256(new)}
	var raw [streams][]byte
	split(&raw, old, new, was, is)
	patch, err := pack(h, raw)
	if err != nil {
		t.Fatal(err)
	}
	return patch
}

func TestWhateverLiesInAProgramThePatchMakesTheNextOne(t *testing.T) {
	old, new := programs(t, "amd64")
	r := rand.New(rand.NewSource(1))
	for range 12 {
		bad := bytes.Clone(old)
		l := layoutOf(bad)
		for _, place := range []int{rodata, names, pctab, functab, functab, funcdata, links, data, text} {
			at := l[place] + r.Int63n(min(1<<uint(2+r.Intn(16)), int64(len(bad))-l[place]))
			_, _ = r.Read(bad[at:min(at+1+r.Int63n(64), int64(len(bad)))])
		}
		if r.Intn(4) == 0 { // headers, too
			bad[r.Intn(1<<12)] ^= byte(1 + r.Intn(255))
		}
		patch, err := Make(Of(bad), Of(new))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := apply(bad, patch); err != nil || !bytes.Equal(got, new) {
			t.Fatalf("other bytes: %v", err)
		}
		if _, err := apply(old, patch); err == nil {
			t.Fatal("it was applied to another file")
		}
	}
}

func TestWhateverTheLayoutAPatchMakesTheNewFile(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, new := build(t)
		patch := made(t, old, new, anyLayout(t, len(old)), anyLayout(t, len(new)))
		if got, err := apply(old, patch); err != nil || !bytes.Equal(got, new) {
			t.Fatalf("%d bytes for %d: %v", len(got), len(new), err)
		}
	})
}

func anyLayout(t *rapid.T, size int) (l layout) {
	for place := range l {
		l[place] = int64(rapid.IntRange(0, size).Draw(t, "place"))
	}
	l[arch] = int64(rapid.IntRange(0, min(size, 2)).Draw(t, "arch"))
	return l
}

func TestAReferenceGoesWhereItIsAimed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLayout(t, 1<<20)
		l[bias] = 1 << 22
		at := int64(rapid.IntRange(0, 1<<18).Draw(t, "at")) &^ 3
		target := int64(rapid.IntRange(1<<20, 1<<24).Draw(t, "target"))
		k := kind(rapid.IntRange(int(near), int(toRodata)).Draw(t, "kind"))
		b := rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "bytes")
		other := bytes.Clone(b)
		exact := int64(1)
		switch k {
		case branch:
			exact = 4
		case toUnit:
			target += (l[units] - target) & 3
		case page:
			le.PutUint32(b[4:], 0x39000000|le.Uint32(b[4:])&^0x3b000000)
			exact = 1 << shift(le.Uint32(b[4:]))
		default:
		}
		if k != toUnit {
			target &^= exact - 1
		}
		l.aim(k, b, at, target)
		if got := l.target(k, b, at); got != target {
			t.Fatalf("kind %d at %d goes to %d, not %d", k, at, got, target)
		}
		copy(other, b[:k.size()])
		if !bytes.Equal(b[k.size():], other[k.size():]) {
			t.Fatal("bytes behind it changed")
		}
	})
}

func TestWhatIsPackableBecomesAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLayout(t, 300)
		code := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]byte{0xe8, 0x8d, 5, 0x0d, 0x94, 0x90, 0}), rapid.Byte()), 0, 200).Draw(t, "code")
		at := int64(rapid.IntRange(0, 200).Draw(t, "at"))
		was := bytes.Clone(code)
		l.packable(code, at, 1)
		l.packable(code, at, -1)
		if !bytes.Equal(code, was) {
			t.Fatalf("%x, not %x", code, was)
		}
	})
}

func TestCallsOfOneFunctionAreTheSameBytes(t *testing.T) {
	for name, c := range map[string]struct {
		layout layout
		code   []byte
	}{
		"amd64": {layout{arch: amd64, textEnd: 100}, []byte{0xe8, 35, 0, 0, 0, 0x90, 0x90, 0x90, 0xe8, 27, 0, 0, 0, 0x90, 0x90, 0x90}},
		"arm64": {layout{arch: arm64, textEnd: 100}, []byte{10, 0, 0, 0x94, 0, 0, 0, 0, 8, 0, 0, 0x94, 0, 0, 0, 0}},
	} {
		c.layout.packable(c.code, 0, 1)
		if !bytes.Equal(c.code[:8], c.code[8:]) {
			t.Errorf("%s: %x, not %x", name, c.code[8:], c.code[:8])
		}
	}
}

func TestWordsBesideOthersTellHowFarTheyAreFromThem(t *testing.T) {
	var table, want []byte
	for i := range uint32(4) { // as runtime.functab is: where a function is, and what says more
		table = le.AppendUint32(le.AppendUint32(table, 0x50000+32*i), 0x120100+80*i)
		want = le.AppendUint32(le.AppendUint32(want, 0x50020), 0x120050)
	}
	copy(want, table[:8])
	// Small numbers, and what stands for none, stay as they are, and are nothing to others.
	table = append(table, 7, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 9, 0, 0, 0, 9, 0, 0, 0)
	want = append(want, table[len(want):]...)
	table, want = le.AppendUint32(table, 0x50080), le.AppendUint32(want, 0x50020)
	// Words lie where the file has them.
	table, want = append([]byte{1, 2}, table...), append([]byte{1, 2}, want...)
	(&layout{arch: amd64}).packable(table, 4094, 1)
	if !bytes.Equal(table, want) {
		t.Errorf("%x\nnot %x", table, want)
	}
}

func TestWhatIsNoProgramIsAddedAsItIs(t *testing.T) {
	text := []byte("the same text, the same text, the same text")
	was := bytes.Clone(text)
	new(layout).packable(text, 0, 1)
	if !bytes.Equal(text, was) {
		t.Errorf("%q", text)
	}
}

func TestStepsAreApartFromValues(t *testing.T) {
	// A 0 that is the first value of a table is no end, nor is one with a byte before it.
	tables := []byte{2, 5, 4, 0x81, 1, 0, 0, 7, 6, 8, 0, 0x82, 0, 9, 0x83}
	l := layout{arch: arm64, pctab: 10, functab: 10 + int64(len(tables))}
	new := slices.Concat([]byte("before, 10"), tables, []byte("after"))
	var raw [streams][]byte
	split(&raw, nil, new, layout{}, l)
	if want := slices.Concat(new[:10], []byte{2, 4, 0, 0, 6, 0, 0x82, 0, 0x83}, []byte("after")); !bytes.Equal(raw[extra], want) {
		t.Errorf("values %q, not %q", raw[extra], want)
	}
	if want := []byte{5, 0x81, 1, 7, 8, 9}; !bytes.Equal(raw[steps], want) {
		t.Errorf("steps %x, not %x", raw[steps], want)
	}
}

func TestAddedPartsComeAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		new := rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom([]byte{0, 1, 0x80, 0xe8}), rapid.Byte()), 0, 300).Draw(t, "new")
		l := anyLayout(t, len(new))
		if got, err := apply(nil, made(t, nil, new, layout{}, l)); err != nil || !bytes.Equal(got, new) {
			t.Fatalf("%x, not %x: %v", got, new, err)
		}
	})
}
