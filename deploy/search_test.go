package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A search walks every run of the shipping engine on a simulated fleet that the
// choices of a fault set allow: which of the calls that are under way takes effect next,
// and with which fault; who does what to the fleet meanwhile; where the deployer dies.
// A run is replayed from its choices alone. What was reached before, by whichever way,
// is not walked again. Runs with fewer choices that are out of the ordinary come first:
// what is found is a shortest story.
type search struct {
	set    faultSet
	mutant simRules
	seen   map[uint64]uint64 // states, and to which an ordinary choice led from there
	due    [][]*trail        // by what is out of the ordinary in them
	limit  int               // of states, 0 for none

	states, steps, runs, deepest int
	astray                       int            // replays that did not come where they should
	unlike                       int            // states come to again, from which an ordinary choice led elsewhere: two were taken for one
	ends                         map[string]int // outcomes of finished runs
	found                        []string       // the story of a broken invariant
}

// A trail is a run's choices, but for the ordinary ones.
type trail struct {
	before *trail
	step   int
	pick   int
	size   int
}

// picks are the choices of a trail by step.
func (tr *trail) picks() map[int]int {
	m := map[int]int{}
	for ; tr != nil; tr = tr.before {
		m[tr.step] = tr.pick
	}
	return m
}

func (q *search) push(tr *trail) {
	for len(q.due) <= tr.size {
		q.due = append(q.due, nil)
	}
	q.due[tr.size] = append(q.due[tr.size], tr)
}

// all walks until nothing is left, something is found, or the limit is reached.
func (q *search) all(t *testing.T) {
	q.seen, q.ends = map[uint64]uint64{}, map[string]int{}
	q.walk(t, nil)
	for size := 0; size < len(q.due); size++ {
		for len(q.due[size]) > 0 && q.found == nil && (q.limit == 0 || q.states < q.limit) {
			last := len(q.due[size]) - 1
			tr := q.due[size][last]
			q.due[size] = q.due[size][:last]
			q.walk(t, tr)
		}
	}
}

func (q *search) complete() bool {
	for _, due := range q.due {
		if len(due) > 0 {
			return false
		}
	}
	return q.found == nil
}

// walk replays a trail and goes on from its end by ordinary choices, as long as it
// comes where nobody was.
func (q *search) walk(t *testing.T, tr *trail) {
	q.runs++
	synctest.Test(t, func(*testing.T) {
		st := newStage(q.set, q.mutant)
		picks, last, before := tr.picks(), -1, uint64(0)
		if tr != nil {
			last = tr.step
		}
		for step := 0; ; step++ {
			choices := st.choices()
			if len(choices) == 0 || len(st.s.broken) > 0 {
				break
			}
			if step > last {
				key := st.key()
				if before != 0 {
					q.seen[before] = key
				}
				if before = key; !q.enter(key, tr, step, len(choices)) {
					q.compare(st, key, choices)
					st.close()
					return
				}
			}
			pick := picks[step]
			if pick >= len(choices) {
				q.astray++
				break
			}
			st.take(choices[pick])
			q.steps++
			q.deepest = max(q.deepest, step)
		}
		q.judge(st)
		st.close()
	})
}

// enter is false where a state was entered before.
func (q *search) enter(key uint64, tr *trail, step, n int) bool {
	if _, ok := q.seen[key]; ok {
		return false
	}
	q.seen[key] = 0
	q.states++
	size := 1
	if tr != nil {
		size = tr.size + 1
	}
	for pick := 1; pick < n; pick++ {
		q.push(&trail{tr, step, pick, size})
	}
	return true
}

// compare goes one step on from a state that was entered before, on another way.
func (q *search) compare(st *stage, key uint64, choices []choice) {
	was := q.seen[key]
	if was == 0 || strings.Contains(choices[0].about, " seats ") { // which of those who share a question asks it, is left to chance
		return
	}
	st.take(choices[0])
	if next := st.choices(); len(next) > 0 && len(st.s.broken) == 0 && st.key() != was {
		q.unlike++
	}
}

func (q *search) judge(st *stage) {
	if st.over() {
		q.ends[st.ending()]++
		st.finally()
	}
	if len(st.s.broken) > 0 && q.found == nil {
		q.found = append(slices.Clone(st.told), st.s.broken...)
	}
}

func (q *search) String() string {
	how := "complete"
	if !q.complete() {
		how = "not complete"
	}
	return fmt.Sprintf("| %-36s | %s | %8d | %9d | %8d | %d astray, %d unlike | %s | %v", q.set.name, q.set.on(), q.states, q.steps, q.runs, q.astray, q.unlike, how, q.ends)
}

// A stage is one run of a search under way.
type stage struct {
	s      *sim
	set    faultSet
	left   budget
	calls  []*call // under way
	lates  []*call // that a dead deployer left under way
	told   []string
	d      *deployer
	stop   context.CancelFunc
	paused chan struct{}
	ended  chan struct{}
	frozen []func() // ends of deployers that were stopped, and go on as if nothing had been
	began  time.Time
	moved  time.Time // when something was last finished
	bidden time.Time // when the run was told to stop
	res    Result
	err    error
	ran    bool
	hist   map[string]uint64
	begun  map[string]time.Time // when each host was last seen in nobody's hands
	busy   map[string]bool
	known  *run
	how    settling // what the deployer is at
}

func newStage(set faultSet, rules simRules) *stage {
	st := &stage{s: set.fleet(), set: set, left: set.budget}
	st.s.timing = searchTiming
	st.s.rules = rules
	st.s.park = st.wait
	st.s.after = st.remember
	r := st.s.rollout(set.to(), set.wish)
	set.plan(&r.Plan)
	st.s.plan = r.Plan
	st.start(st.s.all[0], func(ctx, stop context.Context) (Result, error) {
		r.Paused = st.paused
		if err := st.d.Append(ctx, Record{Rollout: "us", Kind: "plan"}); err != nil {
			return Result{}, err
		}
		return r.Run(ctx, stop), nil
	})
	return st
}

// searchTiming: a call takes no time; all that waits does so by the second, and no two
// things are due at one moment, so that a replay goes the same way.
var searchTiming = Timing{Drain: 2070 * time.Millisecond, LBReady: 2050 * time.Millisecond, Host: 5030 * time.Millisecond,
	Progress: 11090 * time.Millisecond, Poll: time.Second, BakePoll: 990 * time.Millisecond, Sample: 5010 * time.Millisecond,
	Grace: 2110 * time.Millisecond, Blocked: 1010 * time.Millisecond}

// start has a deployer work.
func (st *stage) start(d *deployer, work func(ctx, stop context.Context) (Result, error)) {
	ctx, kill := context.WithCancelCause(context.Background())
	stop, cancel := context.WithCancel(context.Background())
	d.kill = kill
	st.d, st.stop, st.ended, st.paused = d, cancel, make(chan struct{}), make(chan struct{})
	st.bidden = time.Time{}
	st.began, st.moved, st.ran, st.hist = time.Now(), time.Now(), true, map[string]uint64{}
	st.begun, st.busy = map[string]time.Time{}, map[string]bool{}
	ended := st.ended
	go func() {
		defer close(ended)
		st.res, st.err = work(ctx, stop)
	}()
}

// wait parks a call until the search has it take effect.
func (st *stage) wait(ctx context.Context, c *call) error {
	st.s.mu.Lock()
	if c.by.dead {
		st.s.mu.Unlock()
		return errDead
	}
	c.ctx, c.answer, c.since = ctx, make(chan error, 1), time.Now()
	if c.by == st.d {
		st.calls = append(st.calls, c)
	} else {
		st.lates = append(st.lates, c)
	}
	st.s.mu.Unlock()
	return <-c.answer
}

// settled waits until everybody waits, and time passes when nobody waits for the
// search; false when the deployer has come to its end.
func (st *stage) settled() bool {
	for {
		synctest.Wait()
		if st.isOver() {
			return false
		}
		if !st.bidden.IsZero() && time.Since(st.bidden) > searchTiming.Grace+1500*time.Millisecond {
			st.s.violated("I9: still at it %s after it was told to stop", time.Since(st.bidden))
			return false
		}
		if time.Since(st.moved) > searchTiming.Progress+2*searchTiming.Host+time.Minute {
			st.s.violated("I9: no progress, and no end")
			return false
		}
		if slices.ContainsFunc(st.calls, func(c *call) bool { return c.hung.IsZero() || c.gaveUp() }) {
			inOrder(st.calls)
			inOrder(st.lates)
			st.forget()
			return true
		}
		st.handOver()
		time.Sleep(250 * time.Millisecond)
	}
}

// handOver ends a turn of the search: what it has read until now is read before
// anybody writes again, and the race detector can see that.
func (st *stage) handOver() {
	st.s.mu.Lock()
	defer st.s.mu.Unlock()
}

func inOrder(calls []*call) {
	slices.SortFunc(calls, func(a, b *call) int { return strings.Compare(a.String(), b.String()) })
}

func (st *stage) isOver() bool {
	select {
	case <-st.ended:
		return true
	default:
		return false
	}
}

func (st *stage) over() bool { return st.isOver() && len(st.s.broken) == 0 }

func (c *call) String() string {
	return strings.Join([]string{c.host, c.op, c.arg, c.lb, fmt.Sprint(c.by.epoch)}, " ")
}

// close ends all that is left of the run.
func (st *stage) close() {
	st.s.mu.Lock()
	for _, d := range st.s.all {
		d.late = false
		if d != st.d {
			d.die()
		}
	}
	lates := st.lates
	st.lates = nil
	st.s.mu.Unlock()
	for _, c := range lates {
		st.handOver()
		c.answer <- errDead
	}
	st.die()
	for _, end := range st.frozen {
		end()
	}
	synctest.Wait()
}

// die kills the deployer and waits until nothing of it is left.
func (st *stage) die() {
	st.s.mu.Lock()
	st.d.die()
	calls := st.calls
	st.calls = nil
	st.s.mu.Unlock()
	for _, c := range calls {
		st.handOver()
		c.answer <- errDead
	}
	<-st.ended
	st.stop()
}
