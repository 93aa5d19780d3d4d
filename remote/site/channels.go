package site

import (
	"context"
	"math"
	"time"
)

// Over latency a channel carries no more than its window in a round trip, whatever the
// link could: several of one connection carry more. What they take was measured, connecting
// and ending included.
const (
	window  = 2 << 20 // bytes that sshd lets a channel have under way
	widest  = 4       // channels
	few     = 32      // hosts: each channel has a buffer here
	trips   = 4       // that several channels take longer, and
	ready   = 1       // where they stand by
	joining = 300e6   // bytes a second that parts are put together at
)

// A lane is what bounds channels to one host.
type lane struct {
	trip     time.Duration
	most     float64 // bytes a second, however many channels
	sessions int
	busy     float64
	longer   float64 // trips that several channels take more
}

// channels bring n bytes soonest.
func (l lane) channels(n int64) int {
	k, trip := min(widest, l.sessions-1, int((n+window-1)/window)), l.trip.Seconds()
	if k < 2 || l.trip < farAway {
		return 1
	}
	send := func(k int) float64 {
		return max(float64(n)/l.most, trip*math.Ceil(float64(n)/float64(k*window)))
	}
	if send(k)+l.longer*trip+max(1, l.busy)*float64(n)/joining >= gain*send(1) {
		return 1
	}
	return k
}

// channels are those that the load should go by. It is on the disk twice then.
func (x *shipment) channels(ctx context.Context, l load) int {
	if x.o.Whole || x.o.Hosts > few || l.size < 2*window || x.found.bytes < x.unpacked+x.Size+2*l.size {
		return 1
	}
	trip, busy := x.tripTo(ctx, x.still())
	there, longer := x.crew.ready(), float64(trips)
	if there > widest {
		longer = ready
	}
	return lane{trip, x.most(), x.m.Sessions() + there, busy, longer}.channels(l.size)
}

// most is what one host can have at best, in bytes a second.
func (c *Cargo) most() float64 {
	all := float64(max(1, c.o.Hosts))
	most := sealRate * min(1, float64(c.cores())/all)
	if c.o.Limit != nil {
		most = min(most, c.o.Limit.rate/all)
	}
	return most
}

// tripTo is trip, for who has not asked for the road.
func (c *Cargo) tripTo(ctx context.Context, m Machine) (trip time.Duration, busy float64) {
	select {
	case c.link <- struct{}{}:
		defer func() { <-c.link }()
	case <-ctx.Done():
		return 0, 1
	}
	return c.trip(ctx, m), max(1, c.busy)
}

// trip is the round trip to the hosts, as the first of them measures it for all. The link
// is held.
func (c *Cargo) trip(ctx context.Context, m Machine) time.Duration {
	if c.far == 0 {
		c.far = c.measured(ctx, m)
	}
	return c.far
}

// measured is the best of two where the first one is long: a processor may have been busy.
// A host that does not answer is taken for far.
func (c *Cargo) measured(ctx context.Context, m Machine) time.Duration {
	if c.o.RoundTrip > 0 {
		return c.o.RoundTrip
	}
	ctx, cancel := context.WithTimeout(ctx, listens)
	defer cancel()
	first, err := m.RoundTrip(ctx)
	if err != nil {
		return farAway
	}
	if first < farAway {
		return first
	}
	second, err := m.RoundTrip(ctx)
	if err != nil {
		return first
	}
	return min(first, second)
}
