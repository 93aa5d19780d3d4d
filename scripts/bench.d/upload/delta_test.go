//go:build bench

package upload

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/delta"
)

// TestDelta prints what the next build takes on the wire. BENCH_PAIRS has a line a pair:
// what it is, old, new.
func TestDelta(t *testing.T) {
	fmt.Printf("\nThe next build of real Go programs (-trimpath -ldflags=\"-s -w\"), in %% of its size; CPU of one making, one applying:\n\n")
	fmt.Println("| program | MB | delta | zstd -1 --patch-from | rsync | zstd -1 | make, CPU s | apply, CPU s |\n|---|---|---|---|---|---|---|---|")
	for line := range strings.Lines(os.Getenv("BENCH_PAIRS")) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) == 3 {
			row(t, fields[0], fields[1], fields[2])
		}
	}
}

func row(t *testing.T, name, oldFile, newFile string) {
	old, new := read(t, oldFile), read(t, newFile)
	var patch []byte
	var err error
	makes := cpu(func() { patch, err = delta.Make(delta.Of(old), delta.Of(new)) })
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	out.Grow(len(new))
	applies := cpu(func() {
		err = delta.Apply(&out, bytes.NewReader(old), int64(len(old)), bytes.NewReader(patch), int64(len(patch)))
	})
	if err != nil || !bytes.Equal(out.Bytes(), new) {
		t.Fatalf("%s: other bytes: %v", name, err)
	}
	part := func(n int64) string {
		if n < 0 {
			return "–"
		}
		return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(len(new)))
	}
	fmt.Printf("| %s | %.1f | **%.2f %%** | %s | %s | %s | %.2f | %.2f |\n", name, float64(len(new))/1e6, 100*float64(len(patch))/float64(len(new)),
		part(size("zstd", "-1", "-q", "-c", "--long=27", "--patch-from="+oldFile, newFile)), part(rsync(t, oldFile, newFile)),
		part(size("zstd", "-1", "-q", "-c", newFile)), makes, applies)
}

func read(t *testing.T, name string) []byte {
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// cpu is the seconds of processor that f takes.
func cpu(f func()) float64 {
	used := func() float64 {
		var r syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		return (time.Duration(r.Utime.Nano()) + time.Duration(r.Stime.Nano())).Seconds()
	}
	before := used()
	f()
	return used() - before
}

// busy is how many seconds the processors of this machine have worked, whoever for.
func busy() float64 {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var user, nice, system, idle, wait, irq, soft float64
	_, _ = fmt.Sscan(strings.TrimPrefix(line, "cpu"), &user, &nice, &system, &idle, &wait, &irq, &soft)
	return (user + nice + system + irq + soft) / 100
}

// size is how much a program writes, -1 where it cannot be run.
func size(name string, args ...string) int64 {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return -1
	}
	return int64(len(out))
}

// rsync is what it sends of new where old is, without -z, -1 where there is none.
func rsync(t *testing.T, oldFile, newFile string) int64 {
	to := filepath.Join(t.TempDir(), "shop")
	if err := os.WriteFile(to, read(t, oldFile), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("rsync", "--no-whole-file", "--inplace", "--stats", "--ignore-times", newFile, to).Output()
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(out)) {
		if n, ok := strings.CutPrefix(line, "Total bytes sent: "); ok {
			var sent int64
			_, _ = fmt.Sscan(strings.ReplaceAll(n, ",", ""), &sent)
			return sent
		}
	}
	return -1
}
