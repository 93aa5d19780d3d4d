package site

import (
	"context"
	_ "embed"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flipdeploy/flipdeploy/remote"
)

//go:embed heed.sh
var heedLib string

const (
	surely = 2 * farAway          // an answer that takes as long comes from far away, or from who cannot do more
	behind = 2 * time.Millisecond // between those who ask for a session, have.sh first: where few are allowed the last ones wait
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
	if x.MayShrink() && x.Kind == File {
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

// take is the one of that number, nil for none.
func (c *crew) take(number int) (s *standby) {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if number < len(c.all) {
		s, c.all[number] = c.all[number], nil
	}
	return s
}

// left is how many there are to take.
func (c *crew) left() (n int) {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.all {
		if s != nil {
			n++
		}
	}
	return n
}

// dismiss lets all that were not taken end.
func (c *crew) dismiss() {
	if c == nil {
		return
	}
	for number := range c.all {
		if s := c.take(number); s != nil {
			s.in.given <- strings.NewReader("")
		}
	}
}

// A standby is a script that was begun before anybody knew what it is to do: its orders come
// as its input.
type standby struct {
	in   later
	end  context.CancelFunc
	over chan struct{} // closed once it has ended, with
	text []byte
	err  error
}

// standBy begins the script after a while. It does not end with ctx: of one that is cut off
// nobody would know what it did.
func (x *shipment) standBy(ctx context.Context, body string, v vars, after time.Duration) *standby {
	script := x.script(heedLib+body, v)
	ctx, end := context.WithCancel(context.WithoutCancel(patient(ctx)))
	s := &standby{in: later{given: make(chan io.Reader, 1)}, end: end, over: make(chan struct{})}
	go func() {
		defer close(s.over)
		defer end()
		time.Sleep(after)
		s.text, s.err = x.m.Stream(ctx, script, &s.in)
	}()
	return s
}

// perform has the standby, or where there is none a session of its own, run the script with v.
func (x *shipment) perform(ctx context.Context, s *standby, body string, v vars, input io.Reader) ([]byte, error) {
	if s != nil {
		text, err := s.run(ctx, io.MultiReader(orders(v), input))
		if not := (*remote.NotStartedError)(nil); !errors.As(err, &not) {
			return text, err
		}
	}
	return x.m.Stream(patient(ctx), x.script(body, v), input)
}

// run returns what came of the script once it has read input.
func (s *standby) run(ctx context.Context, input io.Reader) ([]byte, error) {
	defer context.AfterFunc(ctx, s.end)()
	s.in.given <- input
	<-s.over
	return s.text, s.err
}

// orders are the variables, a line each, up to a dot.
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
