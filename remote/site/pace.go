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
	batch = 64 << 10 // what a pipe holds; two of them may be under way
	looks = 32       // at most, at how far a host is
	late  = time.Second

	// near: nothing is lost by waiting for answers that come as soon.
	near = time.Duration(2 * batch / sealRate * float64(time.Second))
	// soon: one that is near by what the kernel saw answers so at times, however busy it is.
	// A forwarder that is near, and hides more than that, cannot be meant.
	soon = 5 * time.Millisecond
	more = 4 // looks at one that has not quite, and that somebody waits for
)

// A pacer gives a batch when the one before the last has been read.
type pacer struct {
	r      io.Reader
	ask    func() error // returns once all that was sent before it has been read; nil: nobody is asked
	given  int          // of a batch
	answer chan error   // to the question behind the last batch
}

func (p *pacer) Read(b []byte) (int, error) {
	if p.given == batch {
		p.turn()
	}
	if p.ask != nil {
		b = b[:min(len(b), batch-p.given)]
	}
	n, err := p.r.Read(b)
	p.given += n
	return n, err
}

// turn asks behind a batch, once there is an answer to the question before.
func (p *pacer) turn() {
	p.given = 0
	p.end()
	if p.ask == nil {
		return
	}
	answer := make(chan error, 1)
	p.answer = answer
	go func() { answer <- p.ask() }()
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
	p := &pacer{r: r, ask: func() error {
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

// lookAt looks not even once at a host that was near as it answered before, and twice at one
// that seems to be far, and perhaps is busy. Where many begin at once it leaves them time;
// what the kernel saw of the way is true of busy hosts, too. Once told to stop it waits only
// for one that may be near, or gave no answer yet.
func lookAt(ctx context.Context, m Machine, stop <-chan struct{}) (s sight) {
	s.trip = m.Answer()
	for left := looks; left > 0; left-- {
		lag := m.Lag()
		nearby := lag > 0 && lag < near
		if s.near = s.trip > 0 && (s.trip < near || nearby && s.trip < soon); s.near {
			return s
		}
		until := stop
		if s.trip == 0 || nearby && s.trip < 3*soon {
			until = nil
		}
		took, ok := answer(ctx, m, until)
		if !ok {
			return s
		}
		if s.trip == 0 || took < s.trip {
			s.trip = took
		}
		pause := took
		if left == looks && took >= farAway && lag < farAway {
			pause = 0
		}
		select {
		case <-time.After(pause):
		case <-stop:
			left = min(left, more+1)
		case <-ctx.Done():
			return s
		}
	}
	return s
}

// answer is how long the host takes for one; false where there is none, or not until then.
func answer(ctx context.Context, m Machine, until <-chan struct{}) (took time.Duration, ok bool) {
	select {
	case <-until:
		return 0, false
	default:
	}
	came := make(chan time.Duration, 1)
	go func() {
		defer close(came)
		if took, err := m.RoundTrip(ctx); err == nil {
			came <- took
		}
	}()
	select {
	case took, ok = <-came:
	case <-until:
	}
	return took, ok
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
