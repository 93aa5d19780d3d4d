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
	begun atomic.Bool // a part has its session
	mu    sync.Mutex  // of what is told
}

// wide is Stream in l.channels channels. No session of it is left on return.
func (x *shipment) wide(ctx context.Context, l load, at io.ReaderAt) ([]byte, error) {
	c := &convoy{shipment: x, load: l, at: at, parts: cut(l.size, l.channels), vars: maps.Clone(x.vars)}
	c.vars["temp"], c.vars["parts"] = stageName(), c.sizes()
	ctx, cancel := context.WithCancelCause(ctx)
	going, end := context.WithCancelCause(ctx)
	defer end(nil)
	open, brought := make(chan struct{}), make(chan struct{})
	begin := sync.OnceFunc(func() { close(open) })
	go func() { defer close(brought); c.bring(going, end, open) }()
	text, err := x.m.Stream(remote.Opened(patient(ctx), begin), x.script(stageScript, c.vars), &vigil{ctx, begin, brought})
	cancel(err)
	<-brought
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
			if err := c.carry(ctx, k, p); err != nil {
				end(err) // who stages says what lacks
			}
		})
	}
	wg.Wait()
}

func (c *convoy) carry(ctx context.Context, number int, p part) error {
	v := maps.Clone(c.vars)
	v["part"], v["bytes"] = strconv.Itoa(number), strconv.FormatInt(p.size, 10)
	r := c.o.Limit.reader(ctx, io.NewSectionReader(c.at, p.from, p.size))
	_, err := c.m.Stream(patient(ctx), c.script(partScript, v), &counter{r: r, tell: c.passed})
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

// A vigil ends with done. Until then it gives a byte now and then, which nobody keeps: the
// session that it is the input of is waiting, and not hanging.
type vigil struct {
	ctx   context.Context //nolint:containedctx // io.Reader has no other way to end
	begin func()
	done  <-chan struct{}
}

func (v *vigil) Read(p []byte) (int, error) {
	v.begin()
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-v.done:
		return 0, io.EOF
	case <-v.ctx.Done():
		return 0, context.Cause(v.ctx)
	case <-t.C:
		p[0] = '\n'
		return 1, nil
	}
}
