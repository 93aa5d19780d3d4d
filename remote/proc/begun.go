package proc

// begun is how the app stood before a takeover that another run has asked for and that is
// not over: below the only root there are listeners of another release. It is nil where
// there is none, where that cannot be told, and of systems whose workers are always so.
func (c *Config) begun(f facts) *snapshot {
	roots := f.roots()
	if c.Kind == MasterWorker || c.Kind == ReplaceAll || len(roots) != 1 {
		return nil
	}
	fresh := f.others(roots[0])
	if len(fresh) == 0 {
		return nil
	}
	before := c.snapshot(f, spot{main: roots[0]})
	for _, p := range fresh {
		delete(before.serving, p.key())
		delete(before.ours, p.key())
	}
	return before
}

// others are the listeners that run another release than main does, with those below them.
func (f *facts) others(main *process) (list []*process) {
	runs := f.releaseOf(main)
	other := func(p *process) bool {
		id := f.releaseOf(p)
		return f.listens(p) && id != runs && id != none && runs != none
	}
	for _, p := range f.listeners() {
		if other(p) || f.descends(p, other) {
			list = append(list, p)
		}
	}
	return list
}

// isUnderWay is true when another run has asked for release id already. It is not asked
// for once more: some systems make two apps of that. Of any kind, it may be a master with
// its workers.
func (a *App) isUnderWay(f facts, id string) bool {
	before := a.cfg.begun(f)
	if before == nil || a.cfg.Kind == AnyKind || !before.brings(f, id) {
		return false
	}
	a.remember(f, spot{main: before.main}, nil)
	a.before = before
	return true
}

// recall takes note of what another run began and release id is not of, for the undo.
func (a *App) recall(f facts, id string) {
	if a.before != nil {
		return
	}
	if before := a.cfg.begun(f); before != nil && !before.brings(f, id) {
		a.before, a.danced = before, min(1, len(a.cfg.Steps))
	}
}

func (s *snapshot) brings(f facts, id string) bool {
	_, fresh := s.split(f)
	return f.allRun(fresh, id) == yes
}
