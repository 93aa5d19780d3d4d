package site

import (
	"context"
	"io"
	"sync"
	"time"
)

// What sshd has taken from the network, and its command has not read yet, it copies anew with
// each packet more; and it writes no more than a pipe holds at once. What is sent as far ahead
// as it allows, 2 MiB, costs it four times the work where the network is faster than that.
const (
	batch   = 64 << 10 // what a pipe holds; two of them may be under way
	largest = 1 << 20  // batch: two are all that sshd takes ahead
	trials  = 4        // batches that tell how fast their size is
	grows   = 1.6      // times faster that twice the size is where what bounds it is the way, not the work
	looks   = 32       // at most, at how far a host is
	late    = time.Second

	// near: nothing is lost by waiting for answers that come as soon.
	near = time.Duration(2 * batch / sealRate * float64(time.Second))
	// soon: one that is near by what the kernel saw answers so at times, however busy it is.
	soon = 5 * time.Millisecond
)

// A pacer gives a batch when the one before the last has been read. A host may be farther
// than it looks, behind a forwarder that is near: where larger batches are as much faster,
// they grow.
type pacer struct {
	r      io.Reader
	ask    func() error // returns once all that was sent before it has been read; nil: nobody is asked
	size   int          // of a batch
	given  int          // of it
	answer chan error   // to the question behind the last batch

	fits  bool // size is what it stays
	turns int  // of this size
	began time.Time
	rate  float64 // bytes a second of half the size
}

func (p *pacer) Read(b []byte) (int, error) {
	if p.given == p.size {
		p.turn()
	}
	if p.ask != nil {
		b = b[:min(len(b), p.size-p.given)]
	}
	n, err := p.r.Read(b)
	p.given += n
	return n, err
}

// turn asks behind a batch, once there is an answer to the question before.
func (p *pacer) turn() {
	p.given = 0
	p.end()
	p.fit()
	if p.ask == nil {
		return
	}
	answer := make(chan error, 1)
	p.answer = answer
	go func() { answer <- p.ask() }()
}

// fit tries twice the size, once a batch of this one has been read and trials more.
func (p *pacer) fit() {
	if p.fits {
		return
	}
	switch p.turns++; p.turns {
	case 2:
		p.began = time.Now()
	case 2 + trials:
		rate := float64(trials*p.size) / time.Since(p.began).Seconds()
		switch {
		case rate < grows*p.rate:
			p.size, p.fits = p.size/2, true
		case p.size == largest:
			p.ask = nil
		default:
			p.size, p.turns, p.rate = 2*p.size, 0, rate
		}
	}
}

// end returns once no question is under way. Who did not answer is asked no more.
func (p *pacer) end() {
	if p.answer == nil {
		return
	}
	if err := <-p.answer; err != nil {
		p.ask = nil
	}
	p.answer = nil
}

// paced is r at the pace of a host that is near, and r for others. It is to be ended.
func (x *shipment) paced(ctx context.Context, r io.Reader) (paced io.Reader, end func()) {
	if !x.seen().near {
		return r, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &pacer{r: r, size: batch, ask: func() error {
		ctx, cancel := context.WithTimeout(ctx, late)
		defer cancel()
		_, err := x.m.RoundTrip(ctx)
		return err
	}}
	return p, func() { cancel(); p.end() }
}

// A sight is how far a host was seen to be.
type sight struct {
	near bool
	trip time.Duration // the shortest seen, 0 where it gave no answer
}

// look looks how far the host is, until seen is called, which tells, and waits no longer than
// listens for one that hangs. It is to be ended.
func (x *shipment) look(ctx context.Context) (seen func() sight, end func()) {
	if x.Size < small {
		return func() sight { return sight{} }, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	stop, answer := make(chan struct{}), make(chan sight, 1)
	go func() { answer <- lookAt(ctx, x.m, stop) }()
	seen = sync.OnceValue(func() sight {
		defer time.AfterFunc(listens, cancel).Stop()
		close(stop)
		return <-answer
	})
	return seen, func() { cancel(); seen() }
}

// lookAt looks once at a host that is near and has nothing else to do, twice at one that seems
// to be far, and perhaps is busy. Where many begin at once it leaves them time; what the
// kernel saw of the way is true of busy hosts, too.
func lookAt(ctx context.Context, m Machine, stop <-chan struct{}) (s sight) {
	for n := range looks {
		took, err := m.RoundTrip(ctx)
		if err != nil {
			return s
		}
		if s.trip == 0 || took < s.trip {
			s.trip = took
		}
		lag := m.Lag()
		if s.near = took < near || took < soon && lag > 0 && lag < near; s.near {
			return s
		}
		pause := took
		if n == 0 && took >= farAway && lag < farAway {
			pause = 0
		}
		select {
		case <-time.After(pause):
		case <-stop:
			return s
		case <-ctx.Done():
			return s
		}
	}
	return s
}

// still is the host for who measures how far it is, which was seen.
func (x *shipment) still() Machine { return still{x.m, x.seen} }

type still struct {
	Machine
	seen func() sight
}

func (s still) RoundTrip(ctx context.Context) (time.Duration, error) {
	if seen := s.seen(); seen.trip > 0 {
		return seen.trip, nil
	}
	return s.Machine.RoundTrip(ctx)
}
