package site

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
)

//go:embed heed.sh
var heedLib string

const (
	surely = 2 * farAway          // an answer that takes as long comes from far away, or from who cannot do more
	behind = 2 * time.Millisecond // between those who ask for a session, have.sh first: where few are allowed the last ones wait
	ahead  = 64 << 20             // bytes that are packed before it is known whether they have to be
	astray = 5 * time.Second      // until which it has to be answered, for others to keep theirs
)

// A crew stands by on a host that is far away, where to open a session and to begin a script
// takes several round trips: who stages comes first, then those who bring parts.
type crew struct {
	mu  sync.Mutex
	all []*standby // nil: taken
}

// muster has a crew begin, nil where the host is not far away or a session may be short. It
// is to be dismissed.
func (x *shipment) muster(ctx context.Context) *crew {
	if !x.away() || x.From != nil || x.Size < small || x.m.Sessions() < 2 {
		return nil
	}
	c := &crew{all: []*standby{x.standBy(ctx, stageScript, x.vars, behind)}}
	if x.o.Whole {
		return c
	}
	if x.MayShrink() && x.Kind == File && x.Size <= ahead {
		go func() { _, _ = x.packed(ctx, "zstd") }() // who needs it asks again
	}
	if x.o.Hosts <= few && x.Size >= 4*window && x.m.Sessions() > widest+1 {
		for number := range widest {
			c.all = append(c.all, x.standBy(ctx, partScript, vars{"part": strconv.Itoa(number)}, time.Duration(number+2)*behind))
		}
	}
	return c
}

// away tells whether the host is far away, as far as is known without asking.
func (x *shipment) away() bool {
	if x.o.RoundTrip > 0 {
		return x.o.RoundTrip >= farAway
	}
	return x.m.Lag() >= farAway || x.m.Answer() >= surely
}

// take is the one of that number, nil where there is none, or it still waits for its session:
// others may need that sooner.
func (c *crew) take(number int) *standby {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if number >= len(c.all) || c.all[number] == nil {
		return nil
	}
	s := c.all[number]
	c.all[number] = nil
	if s.open.Load() {
		return s
	}
	s.dismiss()
	return nil
}

// ready is how many there are to take, who stages being one of them, and 0 without that.
func (c *crew) ready() (n int) {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for number, s := range c.all {
		if s != nil && s.open.Load() {
			n++
		} else if number == 0 {
			return 0
		}
	}
	return n
}

// dismiss lets all that were not taken end.
func (c *crew) dismiss() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for number, s := range c.all {
		if s != nil {
			s.dismiss()
			c.all[number] = nil
		}
	}
}

// A standby is a script that was begun before anybody knew what it is to do: its orders come
// as its input.
type standby struct {
	in   later
	end  context.CancelCauseFunc
	open atomic.Bool   // it has a session
	over chan struct{} // closed once it has ended, with
	text []byte
	err  error
}

// standBy begins the script after a while. It does not end with ctx: of one that is cut off
// nobody would know what it did.
func (x *shipment) standBy(ctx context.Context, body string, v vars, after time.Duration) *standby {
	script := x.script(heedLib+body, v)
	ctx, end := context.WithCancelCause(context.WithoutCancel(patient(ctx)))
	s := &standby{in: later{given: make(chan io.Reader, 1)}, end: end, over: make(chan struct{})}
	go func() {
		defer close(s.over)
		defer end(nil)
		select {
		case <-time.After(after):
			s.text, s.err = x.m.Stream(remote.Opened(ctx, func() { s.open.Store(true) }), script, &s.in)
		case <-ctx.Done():
		}
	}()
	return s
}

// dismiss lets it end by itself where it may have begun.
func (s *standby) dismiss() {
	s.in.given <- strings.NewReader("")
	if !s.open.Load() {
		s.end(errDismissed)
	}
}

var errDismissed = errors.New("it is not needed")

// perform has the standby run the script with v. Where there is none, or it ended before its
// orders reached it, a session of its own does.
func (x *shipment) perform(ctx context.Context, s *standby, body string, v vars, input io.Reader) ([]byte, error) {
	if s != nil {
		rest := &touched{r: input}
		text, err := s.run(ctx, io.MultiReader(orders(v), rest))
		if rest.yes.Load() || ctx.Err() != nil {
			return text, err
		}
	}
	return x.m.Stream(patient(ctx), x.script(body, v), input)
}

// run returns what came of the script once it has read input.
func (s *standby) run(ctx context.Context, input io.Reader) ([]byte, error) {
	defer context.AfterFunc(ctx, func() { s.end(context.Cause(ctx)) })()
	s.in.given <- input
	<-s.over
	return s.text, s.err
}

// orders are the variables, a line each, up to a dot. They go out as a whole or not at all,
// and what follows them is read only once they have gone.
func orders(v vars) io.Reader {
	var b strings.Builder
	v.write(&b)
	b.WriteString(".\n")
	return strings.NewReader(b.String())
}

// A later reads from what is given once.
type later struct {
	given chan io.Reader
	r     io.Reader
}

func (l *later) Read(p []byte) (int, error) {
	if l.r == nil {
		l.r = <-l.given
	}
	return l.r.Read(p)
}

// A touched reader knows whether anything was asked of it.
type touched struct {
	r   io.Reader
	yes atomic.Bool
}

func (t *touched) Read(p []byte) (int, error) {
	t.yes.Store(true)
	return t.r.Read(p)
}
