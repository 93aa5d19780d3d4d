package site

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheWayIsTheOneThatIsPredictedToBeFastest(t *testing.T) {
	const mb, helper = 1_000_000, 5_000_000
	for _, c := range []struct {
		name                   string
		size, extra            int64
		speed                  float64
		busy                   float64
		hosts                  int
		wantDelta, wantPacking bool
	}{
		{"one host nearby", 20 * mb, 0, 400 * mb, 1, 1, false, false},
		{"one host nearby, first delta", 20 * mb, helper, 400 * mb, 1, 1, false, false},
		{"one host on a gigabit", 20 * mb, 0, 110 * mb, 1, 1, false, false},
		{"one host on 100 Mbit", 20 * mb, 0, 11 * mb, 1, 1, true, true},
		{"one host on 100 Mbit, first delta", 20 * mb, helper, 11 * mb, 1, 1, true, true},
		{"one host far away", 20 * mb, helper, farRate, 1, 1, true, true},
		{"a small program far away, first delta", 4 * mb, helper, farRate, 1, 1, false, true},
		{"one host nearby, a busy machine", 20 * mb, 0, 20 * mb, 10, 1, false, false},
		{"64 hosts nearby", 20 * mb, 0, 400 * mb, 1, 64, true, false},
		{"64 hosts on a gigabit, first delta", 20 * mb, helper, 110 * mb, 1, 64, true, true},
	} {
		p := road{c.speed, c.busy, c.hosts, 2}.predict(c.size, c.extra)
		if p.deltaPays() != c.wantDelta || p.packingPays() != c.wantPacking {
			t.Errorf("%s: delta %v, packing %v: %+v", c.name, p.deltaPays(), p.packingPays(), p)
		}
	}
}

func TestTheLimitIsForAllReadersTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, began, done := NewLimit(1e6), time.Now(), make(chan int64)
		for range 3 {
			go func() {
				n, _ := io.Copy(io.Discard, l.reader(t.Context(), io.LimitReader(zeros{}, 2e6)))
				done <- n
			}()
		}
		if n := <-done + <-done + <-done; n != 6e6 {
			t.Errorf("%d bytes came", n)
		}
		if took := time.Since(began); took < 5700*time.Millisecond || took > 6*time.Second {
			t.Errorf("6 MB at 1 MB/s took %s", took)
		}
	})
}

func TestTheLimitEndsWithTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("interrupted")
		time.AfterFunc(time.Second, func() { cancel(cause) })
		began := time.Now()
		_, err := io.Copy(io.Discard, NewLimit(1000).reader(ctx, zeros{}))
		if !errors.Is(err, cause) || time.Since(began) != time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestAPoorDeltaIsExplained(t *testing.T) {
	for name, c := range map[string]struct {
		flags elf.SectionFlag
		want  string
	}{
		"compressed debug information": {elf.SHF_COMPRESSED, "it would be 50 % of the whole, since the program has compressed debug information: " +
			"strip it (-ldflags='-s -w'), or build with -ldflags=-compressdwarf=false"},
		"plain debug information": {0, "it would be 50 % of the whole"},
	} {
		p := filepath.Join(t.TempDir(), "shop")
		if err := os.WriteFile(p, withDebug(c.flags), 0o755); err != nil {
			t.Fatal(err)
		}
		a, err := OpenArtifact(p, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := NewCargo(a, CargoOptions{}).poor(int(a.Size+1) / 2).Error(); got != c.want {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
		_ = a.Close()
	}
}

// withDebug is a program of nothing but a section of debug information.
func withDebug(flags elf.SectionFlag) []byte {
	var b bytes.Buffer
	names := "\x00.debug_info\x00"
	put := func(v any) { _ = binary.Write(&b, binary.LittleEndian, v) }
	put(elf.Header64{Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, Type: 2, Machine: 62, Version: 1,
		Shoff: 64, Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2})
	put(elf.Section64{})
	put(elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Flags: uint64(flags), Off: 256, Size: 24, Addralign: 1})
	put(elf.Section64{Type: uint32(elf.SHT_STRTAB), Off: 280, Size: uint64(len(names)), Addralign: 1})
	put(elf.Chdr64{Type: uint32(elf.COMPRESS_ZLIB), Size: 100, Addralign: 1})
	b.WriteString(names)
	return b.Bytes()
}
