package proc

import "slices"

// A snapshot is what ran at one moment, kept to be told from what comes later.
type snapshot struct {
	facts   facts
	main    *process
	serving map[key]string // listeners, with their dev:inode
	ours    map[key]bool   // all processes of the app
}

func (c *Config) snapshot(f facts, s spot) *snapshot {
	shot := &snapshot{facts: f, main: s.main, serving: map[key]string{}, ours: map[key]bool{}}
	for _, p := range f.listeners() {
		shot.serving[p.key()] = p.ino
	}
	for _, p := range f.procs {
		if f.belongs(p, s.main) {
			shot.ours[p.key()] = true
		}
	}
	return shot
}

// belongs is true for the app's processes: listeners, members of the unit's
// control group, main and what descends from these, and orphans that run out of
// the releases. A release's program that someone runs by hand is none, nor is one that
// another service of systemd's runs.
func (f *facts) belongs(p, main *process) bool {
	head := func(q *process) bool {
		return f.listens(q) || slices.Contains(f.members, q.pid) || main != nil && q.key() == main.key()
	}
	started := func(q *process) bool { return head(q) || q.key() == f.helper }
	return head(p) || f.descends(p, started) || p.ppid == 1 && len(f.native(p)) > 0 && !f.elsewhere(p, main)
}

// elsewhere is true for a part of a service that is neither the unit nor main's.
func (f *facts) elsewhere(p, main *process) bool {
	return p.service != "" && p.service != f.unit.name && (main == nil || p.service != main.service)
}

// same is true while p is the process that listened at the time, in the same program.
func (s *snapshot) same(p *process) bool {
	ino, ok := s.serving[p.key()]
	if !ok {
		return false
	}
	if was := s.facts.procs[p.pid]; was != nil && was.image != 0 && p.image != 0 && was.image != p.image {
		return false
	}
	return ino == p.ino || ino == "" || p.ino == ""
}

// split parts the listeners of f in those of the snapshot and new ones.
func (s *snapshot) split(f facts) (old, fresh []*process) {
	for _, p := range f.listeners() {
		if s.same(p) {
			old = append(old, p)
		} else {
			fresh = append(fresh, p)
		}
	}
	return old, fresh
}

// untouched is true when main served before, and nobody serves who did not.
func (s *snapshot) untouched(f facts, main *process) bool {
	_, fresh := s.split(f)
	return s.same(main) && len(fresh) == 0
}

// constant is true when old is no more than a master that stays while its workers,
// which the snapshot knew, were all replaced.
func (s *snapshot) constant(old []*process) bool {
	return len(old) == 1 && len(s.serving) > 1 && s.main != nil && old[0].key() == s.main.key()
}

// lookalike is true when p may serve the app, unlike a helper that the app runs:
// it listens, runs out of a release, or is the program that served before.
func (s *snapshot) lookalike(f facts, p *process) bool {
	if f.listens(p) || len(f.native(p)) > 0 {
		return true
	}
	for k := range s.serving {
		if old := s.facts.procs[k.pid]; old != nil && sameProgram(old, p) {
			return true
		}
	}
	return false
}
