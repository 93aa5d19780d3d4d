//go:build bench

package upload

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// TestChannels is what bounds an upload over latency: sshd gives a channel a window of
// 2 MiB a round trip, and a connection as many channels as it allows sessions.
func TestChannels(t *testing.T) {
	b := open(t)
	fmt.Printf("\nBytes that do not pack, to cat >/dev/null, in one connection that is there already, s:\n\n")
	fmt.Println("| round trip | MB | 1 channel | 2 channels | 4 channels | 4 × 1 |\n|---|---|---|---|---|---|")
	for _, rtt := range []time.Duration{0, 100 * time.Millisecond} {
		m := b.far(rtt)
		for _, mb := range []int64{8, 20, 60} {
			took := map[int64][]float64{}
			var ratio []float64
			for r := range b.rounds {
				for _, n := range []int64{1, 2, 4} {
					took[n] = append(took[n], striped(t, m, n, mb<<20).Seconds())
				}
				ratio = append(ratio, took[4][r]/took[1][r])
			}
			fmt.Printf("| %s | %d | %s | %s | %s | %s |\n", rtt, mb, spread(took[1]), spread(took[2]), spread(took[4]), spread(ratio))
		}
	}
}

// far is the sshd behind such a delay, connected to.
func (b *bench) far(rtt time.Duration) *remote.Machine {
	c := b.sshd.Config()
	if rtt > 0 {
		d := delay(b.T, b.sshd.HostPort(), rtt/2)
		b.sshd.TrustAt(b.T, d.addr())
		c.Port = d.port()
	}
	m := remotetest.Machine(b.T, c)
	if err := m.Connect(b.Context()); err != nil {
		b.Fatal(err)
	}
	return m
}

// striped sends size bytes on n channels at once.
func striped(t *testing.T, m *remote.Machine, n, size int64) time.Duration {
	began := time.Now()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if _, err := m.Stream(t.Context(), "cat >/dev/null", io.LimitReader(zeros{}, size/n)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
