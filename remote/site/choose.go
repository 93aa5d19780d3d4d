package site

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"time"

	"github.com/klauspost/compress/gzip"
)

// What the ways cost, measured on one core of 2024 with Go programs. They only choose
// between ways that are all right.
const (
	sealRate   = 160e6 // bytes a second that one core sends through SSH
	packRate   = 180e6
	unpackRate = 220e6
	makeRate   = 60e6  // of the new file
	applyRate  = 120e6 // checks included
	packs      = 0.42  // to so much
	patches    = 0.02
	farAway    = 40 * time.Millisecond // there and back
	farRate    = 8e6                   // what a far link is taken for
	shared     = 150e6                 // links slower than that are taken for the runner's own
	usual      = 6 * time.Millisecond  // for what busyness does, twice over
	small      = 1 << 20               // bytes for which no way is worth a thought
	sample     = 512 << 10
	listens    = 10 * time.Second // at most, for the sample to come
	gain       = 0.8              // of the plain way's time that another one may take to be chosen
	serves     = 4                // releases that flipdeploy's own program on a host is counted for
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
	later                float64 // what a delta takes, its share of what it has to bring along only once
}

// A road is what leads from the runner to its hosts.
type road struct {
	speed float64 // bytes a second of one host's link
	busy  float64 // how many times longer than usual the processor takes; at least 1
	hosts int
	cores int
}

// predict: extra is what a delta has to bring along.
func (r road) predict(size, extra int64) times {
	all := float64(max(1, r.hosts))
	up := sealRate * min(all, float64(r.cores))
	if r.speed < shared {
		up = min(up, r.speed)
	}
	send := func(n float64) float64 { return max(n/r.speed, n*all/up) }
	n, busy := float64(size), max(1, r.busy)
	work := busy * (n/makeRate + n/applyRate)
	t := times{plain: send(n), packed: math.Inf(1), delta: work + send(n*patches+float64(extra)),
		later: work + send(n*patches+float64(extra)/serves)}
	if r.speed < shared { // else hosts would unpack for longer than they would receive
		t.packed = busy*n/packRate + max(send(n*packs), busy*n/unpackRate)
	}
	return t
}

// deltaPays: it is never slower than the plain way now, and faster than packing over
// some releases.
func (t times) deltaPays() bool   { return t.delta < t.plain*gain && t.later < t.packed }
func (t times) packingPays() bool { return t.packed < t.plain*gain }

// patience is how long all hosts may wait for what one of them has: sending all of it
// would be done by then.
func (t times) patience() time.Duration {
	return max(listens, time.Duration(t.plain*float64(time.Second)))
}

// road is the way to the hosts, as the first of them measures it for all.
func (c *Cargo) road(ctx context.Context, m Machine) road {
	r := road{speed: farRate, hosts: c.o.Hosts, cores: c.cores()}
	select {
	case c.link <- struct{}{}:
		defer func() { <-c.link }()
	case <-ctx.Done():
		return r
	}
	if c.speed == 0 {
		c.busy = busyness()
		c.speed = c.speedTo(ctx, m, c.trip(ctx, m))
	}
	r.speed, r.busy = c.speed, c.busy
	if c.o.Limit != nil {
		r.speed = min(r.speed, c.o.Limit.rate)
	}
	return r
}

func (c *Cargo) cores() int { return runtime.GOMAXPROCS(0) }

// speedTo is about the bytes a second of the link to m.
func (c *Cargo) speedTo(ctx context.Context, m Machine, trip time.Duration) float64 {
	switch limit := c.o.Limit; {
	case trip >= farAway:
		return farRate
	case limit != nil && limit.rate < sample: // the sample would take longer than a second
		return limit.rate
	}
	return measure(ctx, m, c.o.Limit)
}

// busyness is how much longer some work takes than on a processor that has nothing else
// to do, where it takes one to three milliseconds.
func busyness() float64 {
	began, text := time.Now(), make([]byte, sample)
	w, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
	if err != nil {
		return 1
	}
	for i := range text {
		text[i] = byte(i*i>>7) & 31
	}
	_, _ = w.Write(text) // it is thrown away
	_ = w.Close()
	return max(1, float64(time.Since(began))/float64(usual))
}

// measure has the host time the way of half a megabyte, less what the programs that do so
// take themselves, up to half of it. A host that cannot tell is taken for one nearby; the
// others wait no longer than listens for one that hangs.
func measure(ctx context.Context, m Machine, limit *Limit) float64 {
	const script = `head -c 1 >/dev/null; a=$(date +%s%N); head -c ` + sampleText + ` >/dev/null; b=$(date +%s%N); head -c 1 </dev/null; c=$(date +%s%N); echo $((b - a)) $((c - b))`
	ctx, cancel := context.WithTimeout(ctx, listens)
	defer cancel()
	out, err := m.Stream(ctx, script, limit.reader(ctx, io.LimitReader(zeros{}, sample+1)))
	var nanos, programs int64
	_, perr := fmt.Sscan(string(out), &nanos, &programs)
	switch {
	case ctx.Err() != nil:
		return sample / listens.Seconds()
	case err != nil || perr != nil || nanos < 1e3:
		return shared
	}
	return sample / time.Duration(nanos-max(0, min(programs, nanos/2))).Seconds()
}

const sampleText = "524288"

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
