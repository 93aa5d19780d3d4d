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
	m, can := x.m.(reach)
	if !can || !x.near() {
		return r, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &pacer{r: r, ask: func() error {
		ctx, cancel := context.WithTimeout(ctx, late)
		defer cancel()
		_, err := m.RoundTrip(ctx)
		return err
	}}
	return p, func() { cancel(); p.end() }
}

// look looks how far the host is, until the function is called, which tells whether it is near.
func (x *shipment) look(ctx context.Context) (found func() bool) {
	m, can := x.m.(reach)
	if !can || x.Size < small {
		return func() bool { return false }
	}
	ctx, cancel := context.WithCancel(ctx)
	answer := make(chan bool, 1)
	go func() { answer <- isNear(ctx, m) }()
	return sync.OnceValue(func() bool { cancel(); return <-answer })
}

// isNear needs one look at a host that has nothing else to do. Where many begin at once it
// leaves them time.
func isNear(ctx context.Context, m reach) bool {
	for range looks {
		took, err := m.RoundTrip(ctx)
		if err != nil || took < near {
			return err == nil
		}
		select {
		case <-time.After(took):
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// still is the host for who measures how far it is: a question waits for the one before.
func (x *shipment) still() Machine {
	m, can := x.m.(reach)
	if !can {
		return x.m
	}
	return still{x.m, m, x.near}
}

type still struct {
	Machine
	reach
	looked func() bool
}

func (s still) RoundTrip(ctx context.Context) (time.Duration, error) {
	s.looked()
	return s.reach.RoundTrip(ctx)
}
