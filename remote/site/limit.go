package site

import (
	"context"
	"io"
	"sync"
	"time"
)

// A Limit bounds the bytes a second that all readers under it give together. Nil
// bounds nothing.
type Limit struct {
	rate float64 // bytes a second
	mu   sync.Mutex
	free time.Time // when all that was given out has its time behind it
}

// NewLimit allows rate bytes a second.
func NewLimit(rate int64) *Limit { return &Limit{rate: float64(rate)} }

// reader gives r's bytes at no more than the rate. It ends with ctx.
func (l *Limit) reader(ctx context.Context, r io.Reader) io.Reader {
	if l == nil {
		return r
	}
	return &limited{ctx: ctx, l: l, r: r}
}

type limited struct {
	ctx context.Context //nolint:containedctx // io.Reader has no other way to end
	l   *Limit
	r   io.Reader
}

// Read gives no more than a tenth of a second's bytes at once, so that all readers get
// their turn.
func (x *limited) Read(p []byte) (int, error) {
	n, err := x.r.Read(p[:min(len(p), max(1, int(x.l.rate/10)))])
	wait := time.NewTimer(x.l.take(n))
	defer wait.Stop()
	select {
	case <-wait.C:
		return n, err
	case <-x.ctx.Done():
		return 0, context.Cause(x.ctx)
	}
}

// take is how long to wait before n more bytes may go out.
func (l *Limit) take(n int) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.free.Before(now) {
		l.free = now
	}
	wait := l.free.Sub(now)
	l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	return wait
}
