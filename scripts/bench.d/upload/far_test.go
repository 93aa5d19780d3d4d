//go:build bench

package upload

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestFarAway is what nothing makes smaller, to one host far away: in one channel, and in
// as many as are chosen.
func TestFarAway(t *testing.T) {
	b := open(t)
	fmt.Printf("\nAn archive that does not pack, to one host, connecting included:\n\n")
	fmt.Println("| round trip | MB | one channel, s | flipdeploy, s | × one channel | how |\n|---|---|---|---|---|---|")
	for _, rtt := range []time.Duration{0, 20 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond} {
		port := b.sshd.Port
		if rtt > 0 {
			d := delay(t, b.sshd.HostPort(), rtt/2)
			b.sshd.TrustAt(t, d.addr())
			port = d.port()
		}
		for _, mb := range []int64{8, 20, 60} {
			a := b.open(b.archive(mb << 20))
			var one, ours, ratio []float64
			var how string
			for range b.rounds {
				x, _, _ := b.ship(port, "v1-abc", a, true, b.dir())
				took, _, way := b.ship(port, "v1-abc", a, false, b.dir())
				one, ours, ratio = append(one, x.Seconds()), append(ours, took.Seconds()), append(ratio, took.Seconds()/x.Seconds())
				how = way
			}
			fmt.Printf("| %s | %d | %s | %s | %s | %s |\n", rtt, mb, spread(one), spread(ours), spread(ratio), or(how, "as it is"))
		}
	}
}

// archive is a .tar.gz with a program and so many bytes of noise.
func (b *bench) archive(size int64) string {
	name := filepath.Join(b.TempDir(), "shop.tar.gz")
	f, err := os.Create(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	w := tar.NewWriter(z)
	noise := make([]byte, size)
	rand.New(rand.NewSource(size)).Read(noise)
	for name, text := range map[string]string{"shop": "#!/bin/sh\n", "noise": string(noise)} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			b.Fatal(err)
		}
		if _, err := strings.NewReader(text).WriteTo(w); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	if err := z.Close(); err != nil {
		b.Fatal(err)
	}
	return name
}
