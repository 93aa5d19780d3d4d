package proc

import (
	"strings"
	"time"
)

// A Verdict is what became of one takeover.
type Verdict string

const (
	waiting  Verdict = ""
	taken    Verdict = "taken"    // by the right release, proven
	unproven Verdict = "unproven" // taken by processes whose release only the app itself can tell

	Ignored Verdict = "ignored"       // no new process was ever seen, the old one serves
	Refused Verdict = "refused"       // new ones came and died, the old one serves
	Hung    Verdict = "hung"          // a new one lives and does not serve
	Wrong   Verdict = "wrong release" // a new one serves another release
	Dead    Verdict = "dead"          // nothing serves any more, or systemd had to start it again
	Stalled Verdict = "stalled"       // neither old nor new alone
	Partial Verdict = "partial"       // some of the old workers stay, some new ones serve
	Split   Verdict = "split"         // several new ones serve, side by side and for ever
)

// How long a sign must last before it counts.
const (
	patience     = 10 * time.Second       // for a first new process
	afterDeath   = time.Second            // of the last new process
	afterGlimpse = 2 * time.Second        // a child was waited for, and none was seen
	deadFor      = 500 * time.Millisecond // nothing of the app was there
	wrongFor     = 300 * time.Millisecond // a wrapper may still exec
	splitFor     = 3 * time.Second        // several new roots
	looping      = 3                      // deaths of new workers, one after the other
)

// A watch turns looks at the host into a verdict. It asks nothing and has no
// clock: the same looks give the same verdict.
type watch struct {
	want    string
	before  *snapshot
	kind    trigger
	how     *Config // the system's kind
	timeout time.Duration

	born     map[key]process // new processes of the app that live
	dead     []process       // and those that died
	probe    bool            // the app itself can be asked for its version
	lastSeen time.Duration   // when a new one was last there
	faultsAt time.Duration   // when the old one was first seen to have waited for a child
	deadAt   time.Duration   // since when nothing is there
	wrongAt  time.Duration
	splitAt  time.Duration
	freshAt  time.Duration         // when only new ones were there
	seen     map[key]time.Duration // when new workers were first seen to serve
	listened map[key]bool          // of those that were born
	loops    int                   // of these, how many died
	restarts int                   // the lowest count of automatic restarts
}

// A trigger is how the takeover was asked for.
type trigger int

const (
	reload  trigger = iota // the old process is to hand over
	restart                // it is to be ended first
	start                  // nothing ran
)

const never = time.Duration(-1)

func newWatch(want string, before *snapshot, kind trigger, timeout time.Duration) *watch {
	w := &watch{want: want, before: before, kind: kind, timeout: timeout, born: map[key]process{}, how: &Config{},
		seen: map[key]time.Duration{}, listened: map[key]bool{}, faultsAt: never, deadAt: never, wrongAt: never, splitAt: never, freshAt: never, restarts: -1}
	if kind == reload {
		w.restarts = before.facts.unit.restarts
	}
	return w
}

// see judges what was there at a time after the trigger.
func (w *watch) see(f facts, at time.Duration) Verdict {
	w.note(f, at)
	old, fresh := w.before.split(f)
	switch {
	case w.crashed(f):
		return Dead
	case w.loops >= looping && w.how.restarts():
		return w.judgeLoop(old)
	case w.replaced(old, fresh):
		return w.judgeFresh(f, fresh, at)
	case len(old) > 0:
		return w.judgeOld(f, old, fresh, at)
	}
	return w.judgeNone(f, at)
}

// replaced is true when those who serve are new, but for a master that is to stay.
func (w *watch) replaced(old, fresh []*process) bool {
	mayStay := w.how.Kind == AnyKind || w.how.Kind == MasterWorker
	return len(fresh) > 0 && (len(old) == 0 || mayStay && w.before.constant(old))
}

// crashed is true when systemd starts the app again by itself: it ended, by our
// signal or by its own fault.
func (w *watch) crashed(f facts) bool {
	if w.restarts < 0 || f.unit.restarts < w.restarts {
		w.restarts = f.unit.restarts
	}
	again := strings.HasPrefix(f.unit.props["SubState"], "auto-restart") && f.unit.props["Job"] == ""
	return again || f.unit.restarts > w.restarts
}

func (w *watch) late(at time.Duration, v Verdict) Verdict {
	if at >= w.timeout {
		return v
	}
	return waiting
}
