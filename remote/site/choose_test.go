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

	"github.com/flipdeploy/flipdeploy/remote/delta"
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

// A stub answers a measurement.
type stub struct {
	answer string
	sent   *int64
	Machine
}

func (s stub) Stream(ctx context.Context, _ string, payload io.Reader) ([]byte, error) {
	if s.answer == "" { // it hangs
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	n, err := io.Copy(io.Discard, payload)
	*s.sent += n
	return []byte(s.answer), err
}

func (stub) Run(context.Context, string) ([]byte, error)      { return nil, nil }
func (stub) RoundTrip(context.Context) (time.Duration, error) { return time.Millisecond, nil }
func (stub) Answer() time.Duration                            { return 0 }
func (stub) Lag() time.Duration                               { return 0 }

func TestNoDeltaIsMadeOfWhatWouldFillTheMemory(t *testing.T) {
	for size, asks := range map[int64]string{delta.MaxSize: "none", delta.MaxSize + 1: ""} {
		x := &shipment{Site: New(Config{}, stub{}), Cargo: NewCargo(&Artifact{Kind: File, Size: size}, CargoOptions{}), vars: vars{}}
		if err := x.ask(t.Context()); err != nil || x.vars["helper"] != asks {
			t.Errorf("%d bytes: asks for %q, %v", size, x.vars["helper"], err)
		}
	}
}

func TestTheLinkIsMeasuredOnceForAll(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		limit        int64
		speed        float64
		sent         int64
	}{
		{"half a megabyte in 10 ms, and 2 ms of programs", "12000000 2000000\n", 0, 52.4288e6, sample + 1},
		{"no longer than the programs", "20000000 21000000\n", 0, 52.4288e6, sample + 1},
		{"a host that cannot tell", "%N\n", 0, shared, sample + 1},
		{"a host that lies", "NaN\n", 0, shared, sample + 1},
		{"a host whose clock went back", "-10000000 2000000\n", 0, shared, sample + 1},
		{"a host that hangs", "", 0, sample / 10., 0},
		{"a limit far below the sample", "10000000 0\n", 1000, 1000, 0},
		{"a limit above it", "10000000 0\n", 20e6, 20e6, sample + 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			o, sent, began := CargoOptions{Hosts: 2}, int64(0), time.Now()
			if c.limit > 0 {
				o.Limit = NewLimit(c.limit)
			}
			cargo, host := NewCargo(&Artifact{}, o), stub{c.answer, &sent, nil}
			for range 2 {
				if r := cargo.road(t.Context(), host); r.speed != c.speed {
					t.Errorf("%s: %.0f bytes a second, want %.0f", c.name, r.speed, c.speed)
				}
			}
			if took := time.Since(began); sent != c.sent || took > 10*time.Second {
				t.Errorf("%s: sent %d bytes in %s", c.name, sent, took)
			}
		})
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

func TestNothingIsMadeOnceAllHasBeenSent(t *testing.T) {
	c := NewCargo(&Artifact{Kind: File}, CargoOptions{})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.packed(t.Context(), "gzip"); err == nil || err.Error() != "all has been sent" {
		t.Errorf("got %v", err)
	}
}
