package deploy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A soaking is one simulated rollout of the shipping engine under virtual time, with
// whatever settles it afterwards.
type soaking struct {
	s     *sim
	story story
	tell  bool
	told  []string
	begun time.Time

	d      *deployer
	stop   context.CancelFunc
	paused chan struct{}
	next   int // of the story's ways
	turn   map[string]uint64
	calls  int
	phase  map[string]Phase // of each host, as events say
	moved  time.Time
	over   []chan struct{}
	seen   *coverage
	err    error
	res    Result
}

// soakTiming keeps the waits of a simulated rollout few.
var soakTiming = Timing{Drain: 10 * time.Second, LBReady: 20 * time.Second, Host: time.Minute, Progress: 3 * time.Minute,
	Poll: time.Second, BakePoll: time.Second, Sample: time.Minute, Grace: 6 * time.Second, Blocked: 5 * time.Second}

// run lives a story and returns what was broken in it.
func (y story) run(t *testing.T, seen *coverage, tell bool) (k *soaking) {
	synctest.Test(t, func(*testing.T) {
		k = &soaking{s: y.fleet(), story: y, tell: tell, seen: seen, turn: map[string]uint64{}, phase: map[string]Phase{}, begun: time.Now()}
		k.live()
	})
	return k
}

func (k *soaking) live() {
	s := k.s
	s.timing, s.rules = soakTiming, k.story.rules
	s.strike, s.jitter = k.strikes, k.takes
	s.after = k.after
	r := s.rollout(k.story.to(), k.story.wish)
	k.story.fit(&r.Plan)
	s.plan = r.Plan
	if r.Plan.Floor() != nil || r.Plan.Changes() == 0 {
		return
	}
	k.as(s.all[0], func(ctx, stop context.Context) (Result, error) {
		s.all[0].emit, r.Paused = k.event, k.paused
		return r.Run(ctx, stop), nil
	})
	for range 6 {
		if s.standing().closed || s.wrong() || k.next >= len(k.story.ways) {
			break
		}
		how := k.story.ways[k.next]
		k.next++
		d := s.another()
		k.as(d, func(ctx, stop context.Context) (Result, error) {
			d.emit = k.event
			return d.settle(ctx, stop, how)
		})
	}
	for _, c := range k.over {
		<-c
	}
	k.finally()
}

// as has a deployer work until it ends or dies.
func (k *soaking) as(d *deployer, work func(ctx, stop context.Context) (Result, error)) {
	ctx, kill := context.WithCancelCause(context.Background())
	stop, cancel := context.WithCancel(context.Background())
	d.kill, k.d, k.stop, k.paused, k.moved = kill, d, cancel, make(chan struct{}), time.Now()
	over := make(chan struct{})
	k.over = append(k.over, over)
	var res Result
	var err error
	began := time.Now()
	go func() {
		defer close(over)
		defer cancel()
		res, err = work(ctx, stop)
	}()
	select {
	case <-over:
	case <-ctx.Done():
	}
	if d.dead {
		return
	}
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	kill(nil)
	k.err, k.res = err, res
	k.rested(d, time.Since(began))
}

func (k *soaking) rested(d *deployer, took time.Duration) {
	if gap := time.Since(k.moved); gap > soakTiming.Progress+2*soakTiming.Host+time.Minute {
		k.s.violated("I9: ended %s after its last progress, %s after its start", gap, took)
	}
	if k.err == nil {
		k.s.hidesNone(k.res)
		d.provesAll(k.res)
	}
}

func (k *soaking) event(e Event) {
	k.s.mu.Lock() // of two deployers, one of whom is dying
	defer k.s.mu.Unlock()
	if e.Kind == KindHost {
		k.phase[e.Host] = e.Phase
	}
}

// takes has a call last as long as its place in the story says: no two things happen
// at one moment, and a seed tells all.
func (k *soaking) takes(c *call) time.Duration {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	at := c.host + c.op + c.lb
	k.turn[at]++
	r := mix(k.story.seed, at, k.turn[at])
	return c.takes/2 + time.Duration(r%uint64(c.takes+time.Millisecond)) + time.Microsecond
}

// strikes is what the story has happen with the call that takes effect now, and beside it.
func (k *soaking) strikes(c *call) simFault {
	k.calls++
	f := fine
	for _, b := range k.story.blows {
		if b.at == k.calls {
			f = k.blow(c, b)
		}
	}
	return f
}

func (k *soaking) after(c *call, f simFault, err error) {
	if c.op == "journal" && err == nil && !strings.HasPrefix(c.arg, "int") {
		k.moved = time.Now()
	}
	if !k.tell {
		return
	}
	line := fmt.Sprintf("%6.2fs  %s", time.Since(k.begun).Seconds(), c)
	if f != fine {
		line += ": " + f.String()
	} else if err != nil {
		line += ": " + err.Error()
	}
	k.told = append(k.told, line)
}

// finally: where nothing but the deployer went wrong, all is well in the end.
func (k *soaking) finally() {
	if !k.story.mends() || k.res.Outcome == OutcomeNothing {
		return
	}
	s := k.s
	if !s.standing().closed {
		s.violated("settled: unfinished (%s: %s, %v)", k.res.Outcome, k.res.Error, k.err)
	}
	for _, n := range s.names {
		h := s.hosts[n]
		if h.runs != s.hosts[s.names[0]].runs || h.current != h.runs {
			s.violated("settled: %s runs %q, its disk has %q", n, h.runs, h.current)
		}
		for _, lb := range s.lbs {
			if lb.carries(n) && (lb.state[n] != StateReady || lb.mark[n] != "") {
				s.violated("settled: %s is %s on %s, mark %q", n, lb.state[n], lb.name, lb.mark[n])
			}
		}
	}
}
