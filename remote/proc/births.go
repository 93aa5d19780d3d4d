package proc

import "time"

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

// mayCome is true while something is there that may listen yet. A start command
// that ended well may have left a process behind that cannot be told for the app's.
func (w *watch) mayCome(f facts) bool {
	for _, p := range f.procs {
		if p.alive() && (p.key() == f.helper || f.belongs(p, w.before.main)) {
			return true
		}
	}
	blind := w.kind == start && len(w.dead) == 0 && f.ended() == "0"
	return f.unit.busy() || blind
}
