package site

import (
	"context"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// What the ways cost, measured on one core of 2024 with Go programs. They only choose
// between ways that are all right.
const (
	sealRate   = 160e6 // bytes a second that one core sends through SSH
	packRate   = 180e6
	unpackRate = 220e6
	makeRate   = 100e6 // of the new file
	applyRate  = 150e6 // checks included
	packs      = 0.42  // to so much
	patches    = 0.04
	farAway    = 150 * time.Millisecond // for a script that takes a fifth of that where it is near
	farRate    = 8e6                    // what a far link is taken for: its window binds it, not its speed
	shared     = 150e6                  // links slower than that are taken for the runner's own
	small      = 1 << 20                // bytes for which no way is worth a thought
	sample     = 512 << 10
	gain       = 0.8 // of the plain way's time that another one may take to be chosen
)

// Ways to bring an artifact to a host.
const (
	plain   = "plain"
	copied  = "copy" // of another release there
	patched = "delta"
)

// times predicts the seconds that each way takes.
type times struct {
	plain, packed, delta float64
}

// predict: speed is bytes a second of one host's link, extra what a delta has to bring
// along.
func predict(size, extra int64, speed float64, hosts, cores int) times {
	all := float64(max(1, hosts))
	up := sealRate * min(all, float64(cores))
	each := speed
	if speed < shared {
		up = min(up, speed)
	}
	send := func(n float64) float64 { return max(n/each, n*all/up) }
	n := float64(size)
	t := times{plain: send(n), packed: math.Inf(1), delta: n/makeRate + send(n*patches+float64(extra)) + n/applyRate}
	if speed < shared { // else hosts would unpack for longer than they would receive
		t.packed = n/packRate + max(send(n*packs), n/unpackRate)
	}
	return t
}

func (t times) deltaPays() bool   { return t.delta < t.plain*gain && t.delta < t.packed }
func (t times) packingPays() bool { return t.packed < t.plain*gain }

// measured is the link's speed. took is what a script without a payload took there; the
// first host measures for all.
func (c *Cargo) measured(ctx context.Context, m Machine, took time.Duration) float64 {
	select {
	case c.link <- struct{}{}:
		defer func() { <-c.link }()
	case <-ctx.Done():
		return farRate
	}
	if c.speed == 0 {
		c.speed = farRate
		if took < farAway {
			c.speed = measure(ctx, m)
		}
	}
	if c.o.Limit != nil {
		return min(c.speed, c.o.Limit.rate)
	}
	return c.speed
}

// measure has the host time the way of half a megabyte. A host that cannot tell is
// taken for one nearby.
func measure(ctx context.Context, m Machine) float64 {
	const script = `head -c 1 >/dev/null; a=$(date +%s%N); head -c ` + sampleText + ` >/dev/null; b=$(date +%s%N); echo $((b - a))`
	out, err := m.Stream(ctx, script, io.LimitReader(zeros{}, sample+1))
	nanos, perr := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	if err != nil || perr != nil || nanos < 1e3 {
		return shared
	}
	return sample / nanos * 1e9
}

const sampleText = "524288"

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
