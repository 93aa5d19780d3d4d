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

func (w *watch) judgeFresh(f facts, fresh []*process, at time.Duration) Verdict {
	switch runs := f.allRun(fresh, w.want); {
	case w.commandRuns(f): // it may be about to replace more
		return w.late(at, Partial)
	case !w.lasting(fresh, at):
		return w.flapping(at)
	case w.kind == reload && !w.how.Several && len(f.roots()) > 1:
		return w.judgeSplit(at)
	case w.how.Alone && w.how.Kind == MasterWorker && len(fresh)-len(f.rootsOf(fresh)) > 1: // its master was told twice
		return w.judgeSplit(at)
	case w.how.Alone && w.how.Kind != MasterWorker && len(f.listeners()) > 1:
		return w.late(at, Partial)
	case runs == yes && w.probe && w.how.Foreign: // it has the socket from its start, and may not answer yet
		return unproven
	case runs == yes:
		return taken
	case runs == unsure, w.probe && !f.anyNative(fresh):
		return unproven
	}
	if w.wrongAt == never {
		w.wrongAt = at
	}
	if at-w.wrongAt >= wrongFor {
		return Wrong
	}
	return waiting
}

// lasting is true once one of the workers that a master started has lived for a moment.
func (w *watch) lasting(fresh []*process, at time.Duration) bool {
	if w.how.Kind != MasterWorker {
		return true
	}
	for _, p := range fresh {
		first, known := w.seen[p.key()]
		if !known {
			w.seen[p.key()] = at
		}
		if known && at-first >= steadyFor {
			return true
		}
	}
	return false
}

// flapping: a new worker may just have come, or others come and go.
func (w *watch) flapping(at time.Duration) Verdict {
	if w.freshAt == never {
		w.freshAt = at
	}
	if at-w.freshAt < 4*steadyFor {
		return waiting
	}
	return w.late(at, Stalled)
}

// judgeSplit: two that were started by one trigger each, or by two.
func (w *watch) judgeSplit(at time.Duration) Verdict {
	if w.splitAt == never {
		w.splitAt = at
	}
	if at-w.splitAt >= splitFor {
		return Split
	}
	return w.late(at, Split)
}

// judgeOld: what served before still listens.
func (w *watch) judgeOld(f facts, old, fresh []*process, at time.Duration) Verdict {
	switch {
	case w.commandRuns(f):
		return w.late(at, Hung)
	case len(fresh) > 0 && len(old) < len(w.before.serving) && w.how.Kind != ChildTakeover:
		return w.late(at, Partial)
	case len(w.born) > 0:
		return w.late(at, w.lateBirth(f, fresh))
	case w.commandFailed(f) && at >= afterDeath:
		return Refused
	case len(w.dead) > 0 && at-w.lastSeen >= afterDeath:
		return Refused
	case w.faultsAt != never && at-w.faultsAt >= afterGlimpse:
		return Refused
	case len(w.dead) > 0 || w.faultsAt != never:
		return w.late(at, Refused)
	case w.how.Kind == MasterWorker && w.before.constant(old):
		return w.late(at, Stalled) // its workers have ended
	case w.kind == reload && w.how.startsBeside() && at >= patience:
		return Refused // it was started, and ended before anybody saw it
	case f.unit.busy():
		return w.late(at, Hung)
	case at >= patience, w.reloadFailed(f) && at >= afterDeath:
		return Ignored
	}
	return w.late(at, Ignored)
}

// judgeLoop: the master starts new workers, and they end, again and again.
func (w *watch) judgeLoop(old []*process) Verdict {
	switch {
	case len(old) == 0, w.before.constant(old):
		return Stalled
	case len(old) < len(w.before.serving):
		return Partial
	}
	return Refused
}

// commandRuns is true while the command that asks for the takeover has not ended.
func (w *watch) commandRuns(f facts) bool { return w.kind == reload && f.runsCommand() }

// runsCommand is true while a command of ours runs; one that has become the app itself,
// or what the app descends from, is none.
func (f *facts) runsCommand() bool {
	is := func(p *process) bool { return p.key() == f.helper }
	for _, p := range f.listeners() {
		if is(p) || f.descends(p, is) {
			return false
		}
	}
	return f.commandLives() && !strings.HasPrefix(f.command, "exit=")
}

func (f *facts) commandLives() bool {
	p := f.procs[f.helper.pid]
	return p.alive() && p.key() == f.helper
}

func (w *watch) commandFailed(f facts) bool {
	return w.kind == reload && f.helper.pid > 0 && strings.HasPrefix(f.command, "exit=") && f.command != "exit=0"
}

// lateBirth: one that the pid file or systemd takes for the main process already
// did take over, beside the old one.
func (w *watch) lateBirth(f facts, fresh []*process) Verdict {
	switch {
	case len(w.how.Steps) > 0 && f.allRun(fresh, w.want) == no:
		return Wrong
	case len(w.how.Steps) > 0: // the new one is named long before the old one ends
		return Hung
	}
	for k := range w.born {
		if k.pid == f.pidfile || k.pid == f.unit.main {
			return Stalled
		}
	}
	return Hung
}

// reloadFailed is true when the unit's ExecReload ended with an error.
func (w *watch) reloadFailed(f facts) bool {
	r := f.unit.props["ReloadResult"]
	return w.kind == reload && r != "" && r != "success" && f.unit.props["Job"] == ""
}

// judgeNone: nothing listens.
func (w *watch) judgeNone(f facts, at time.Duration) Verdict {
	switch {
	case len(w.born) > 0:
		w.deadAt = never
		return w.late(at, Hung)
	case w.mayCome(f):
		w.deadAt = never
	case w.deadAt == never:
		w.deadAt = at
	case at-w.deadAt >= deadFor:
		return Dead
	}
	return w.late(at, Dead)
}

// mayCome is true while something is there that may listen yet. A start command
// that ended well may have left a process behind that cannot be told for the app's.
func (w *watch) mayCome(f facts) bool {
	for _, p := range f.procs {
		if p.alive() && (p.key() == f.helper || f.belongs(p, w.before.main)) {
			return true
		}
	}
	blind := w.kind == start && f.helper.pid > 0 && len(w.dead) == 0 && f.command == "exit=0"
	return f.unit.busy() || blind
}

func (w *watch) late(at time.Duration, v Verdict) Verdict {
	if at >= w.timeout {
		return v
	}
	return waiting
}

// note keeps account of births and deaths.
func (w *watch) note(f facts, at time.Duration) {
	for k, p := range w.born {
		if q := f.procs[k.pid]; !q.alive() || q.key() != k {
			w.dead = append(w.dead, p)
			if w.listened[k] {
				w.loops++
			}
			delete(w.born, k)
		}
	}
	for _, p := range f.all() {
		w.noteBirth(f, p, at)
	}
	if len(w.born) > 0 {
		w.lastSeen = at
	}
	if w.faultsAt == never && w.waitedFor(f) {
		w.faultsAt = at
	}
}

func (w *watch) noteBirth(f facts, p *process, at time.Duration) {
	switch {
	case !w.before.newcomer(f, p):
	case p.alive() && w.before.lookalike(f, p):
		w.born[p.key()] = *p
		w.listened[p.key()] = w.listened[p.key()] || f.listens(p)
	case !p.alive() && w.faultsAt == never: // a zombie: its program can no longer be seen
		w.faultsAt = at
	}
}

// waitedFor is true when the old main process has taken note of a child's end: one
// that lives for a few milliseconds is never seen, but its page faults are added up.
func (w *watch) waitedFor(f facts) bool {
	if w.before.main == nil {
		return false
	}
	p := f.procs[w.before.main.pid]
	for k := range w.before.ours { // one of those that we knew may be what it waited for
		if q := f.procs[k.pid]; !q.alive() || q.key() != k {
			return false
		}
	}
	return p != nil && p.key() == w.before.main.key() && p.faults > w.before.main.faults
}

// newcomer is true for a process of the app that the snapshot does not know.
func (s *snapshot) newcomer(f facts, p *process) bool {
	return !s.ours[p.key()] && f.belongs(p, s.main)
}
