package site

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
)

//go:embed part.sh
var partScript string

// A part is what one channel carries of a load.
type part struct{ from, size int64 }

// cut makes n parts of about the same size.
func cut(size int64, n int) (parts []part) {
	each := size / int64(n)
	for k := range int64(n) {
		parts = append(parts, part{k * each, each})
	}
	parts[n-1].size = size - parts[n-1].from
	return parts
}

// A convoy is one load on its way in several channels. One session stages, as always; it
// waits until the others have brought the parts to its directory, and makes a release of
// them only when all are whole.
type convoy struct {
	*shipment
	load
	at    io.ReaderAt
	parts []part
	vars  vars
	begun atomic.Bool    // a part has its session
	going sync.WaitGroup // parts of which not all went out yet
	mu    sync.Mutex     // of what is told
}

// wide is Stream in l.channels channels. No session of it is left on return.
func (x *shipment) wide(ctx context.Context, l load, at io.ReaderAt) ([]byte, error) {
	c := &convoy{shipment: x, load: l, at: at, parts: cut(l.size, l.channels), vars: maps.Clone(x.vars)}
	c.vars["temp"], c.vars["parts"] = stageName(), c.sizes()
	ctx, cancel := context.WithCancelCause(ctx)
	going, end := context.WithCancelCause(ctx)
	defer end(nil)
	open, gone, brought := make(chan struct{}), make(chan bool, 1), make(chan struct{})
	begin := sync.OnceFunc(func() { close(open) })
	c.going.Add(len(c.parts))
	go func() { defer close(brought); c.bring(going, end, open) }()
	go func() { c.going.Wait(); gone <- going.Err() == nil }()
	first := x.crew.take(0)
	if first == nil {
		x.crew.dismiss() // it needs a session sooner than those who bring parts
	}
	text, err := x.perform(remote.Opened(ctx, begin), first, stageScript, c.vars, &vigil{ctx: ctx, begin: begin, gone: gone})
	if err != nil {
		cancel(err)
	}
	<-brought
	cancel(nil)
	return text, err
}

// starts is how long a part may wait for a session: where sshd allows only one at a time,
// none ever comes.
const starts = 10 * time.Second

// bring returns once all parts are there, or one of them cannot be. Then the others are
// ended, and the session that stages finds too few bytes. That one is open first: where
// sshd allows few, parts that wait for it would keep it out.
func (c *convoy) bring(ctx context.Context, end context.CancelCauseFunc, open <-chan struct{}) {
	select {
	case <-open:
	case <-ctx.Done():
		c.going.Add(-len(c.parts))
		return
	}
	late := time.AfterFunc(starts, func() {
		if !c.begun.Load() {
			end(errors.New("no session for a part"))
		}
	})
	defer late.Stop()
	var wg sync.WaitGroup
	for k, p := range c.parts {
		wg.Go(func() {
			gone := sync.OnceFunc(c.going.Done)
			defer gone()
			if err := c.carry(ctx, k, p, gone); err != nil {
				end(err) // who stages says what lacks
			}
		})
	}
	wg.Wait()
}

// carry brings one part. What was written before gone comes before what is written then: it is
// one connection.
func (c *convoy) carry(ctx context.Context, number int, p part, gone func()) error {
	v := maps.Clone(c.vars)
	v["part"], v["bytes"] = strconv.Itoa(number), strconv.FormatInt(p.size, 10)
	r := c.o.Limit.reader(ctx, io.NewSectionReader(c.at, p.from, p.size))
	_, err := c.perform(ctx, c.crew.take(number+1), partScript, v, &counter{r: &ending{r, gone}, tell: c.passed})
	return err
}

func (c *convoy) passed(n int64) {
	c.begun.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent += n
	c.tell(n, c.size)
}

func (c *convoy) sizes() string {
	var all []string
	for _, p := range c.parts {
		all = append(all, strconv.FormatInt(p.size, 10))
	}
	return strings.Join(all, " ")
}

// An ending tells when all of r has been taken, and what was read before it was written.
type ending struct {
	r   io.Reader
	end func()
}

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.r.Read(p)
	switch {
	case n > 0:
		return n, nil
	case errors.Is(err, io.EOF):
		e.end()
	}
	return n, err
}

// A vigil ends once all parts have gone out, and says so, or once they will not. Until then it
// gives a byte now and then, which nobody keeps: the session that it is the input of is
// waiting, and not hanging.
type vigil struct {
	ctx   context.Context //nolint:containedctx // io.Reader has no other way to end
	begin func()
	gone  <-chan bool
	said  bool
}

func (v *vigil) Read(p []byte) (int, error) {
	v.begin()
	if v.said {
		return 0, io.EOF
	}
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case all := <-v.gone:
		if !all {
			return 0, io.EOF
		}
		v.said = true
		return copy(p, "all"), nil
	case <-v.ctx.Done():
		return 0, context.Cause(v.ctx)
	case <-t.C:
		p[0] = '\n'
		return 1, nil
	}
}
