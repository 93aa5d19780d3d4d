package proc

import "time"

func (w *watch) judgeFresh(f facts, fresh []*process, at time.Duration) Verdict {
	switch runs := f.allRun(fresh, w.want); {
	case w.commandRuns(f): // it may be about to replace more
		return w.late(at, Partial)
	case !w.lasting(fresh, at):
		return w.flapping(at)
	case w.unmanned(fresh):
		return w.late(at, Stalled)
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

// unmanned is true of a new master alone where one served with workers: they have not
// come yet, or have ended.
func (w *watch) unmanned(fresh []*process) bool {
	return w.how.Kind == ChildTakeover && len(w.how.Steps) > 0 && len(w.before.serving) > 1 && len(fresh) == 1
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
