package proc

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// A spot is where the app is on the host. main is nil when nothing runs.
type spot struct {
	main     *process
	deaf     bool       // main runs and does not listen on the port
	draining []*process // old ones that only finish their requests
	begun    bool       // another run has asked for the takeover
}

// An AmbiguousError tells that the configured sources do not name one process.
// Nothing was signalled.
type AmbiguousError struct {
	Why  string
	Says []string // what each source says
	// passing is true for what an upgrade that is under way looks like.
	passing bool
}

func (e *AmbiguousError) Error() string {
	return e.Why + ": " + strings.Join(e.Says, "; ")
}

// Code is FD-PID-AMBIGUOUS.
func (e *AmbiguousError) Code() string { return "FD-PID-AMBIGUOUS" }

// Hint is the next step for a person.
func (e *AmbiguousError) Hint() string {
	return "make reload.pid_file, reload.pid_command, reload.unit and app.port name the same process: " +
		"end the one that is too many, or leave out the source that is wrong"
}

// Evidence is what each source says, a line each.
func (e *AmbiguousError) Evidence() []string { return e.Says }

// locate finds the app's main process: root of those that listen, agreed to by
// the unit and the pid file where they are configured.
func (c *Config) locate(f facts) (spot, error) {
	if f.hidden {
		return spot{}, hiddenError(c.Port)
	}
	roots := f.roots()
	switch {
	case len(roots) == 0 && c.Workers == ByName && len(f.held) > 0: // it was asked as another user, perhaps
		return spot{}, c.ambiguous(f, "the pid command prints no process id", true)
	case len(roots) == 0:
		return c.locateDeaf(f), nil
	case c.Target == Named:
		return c.locateNamed(f)
	case len(roots) == 1, c.Several:
		return c.agree(f, roots[0])
	}
	return spot{}, c.ambiguous(f, fmt.Sprintf("%d processes listen side by side", len(roots)), true)
}

// narrow leaves listeners out that are certainly another's while one of ours is
// there: the same port may be in use on another address.
func (c *Config) narrow(f *facts) {
	var ours []int
	for _, p := range f.listeners() {
		mine := func(q *process) bool { return f.listens(q) && c.related(*f, q) }
		if mine(p) || f.descends(p, mine) {
			ours = append(ours, p.pid)
		}
	}
	if len(ours) > 0 {
		f.listen = ours
	}
	c.serving(f)
}

// serving counts those as listening who serve without the port being theirs.
func (c *Config) serving(f *facts) {
	f.held = slices.Clone(f.listen)
	switch c.Workers {
	case Children:
		for _, p := range f.all() {
			if master := f.procs[p.ppid]; master != nil && f.listens(master) && !f.listens(p) && f.akin(master, p) {
				f.listen = append(f.listen, p.pid)
			}
		}
	case ByName:
		f.listen = slices.DeleteFunc(slices.Clone(f.named), func(pid int) bool { return pid < 2 })
	}
}

// related is true when the unit, the pid file, the app's directory or the
// releases speak for p.
func (c *Config) related(f facts, p *process) bool {
	return p.pid == f.unit.main || p.pid == f.pidfile || slices.Contains(f.members, p.pid) || slices.Contains(f.named, p.pid) ||
		len(f.traces(p)) > 0 || strings.HasPrefix(p.exe, path.Dir(f.root)+"/")
}

// locateDeaf finds the app where nothing listens. A pid file may be left from
// long ago and its number be another's now, so it needs a second witness.
func (c *Config) locateDeaf(f facts) spot {
	if p := f.procs[f.unit.main]; p.alive() {
		return spot{main: p, deaf: true}
	}
	p := f.procs[f.pidfile]
	if p.alive() && (len(f.traces(p)) > 0 || slices.Contains(f.members, p.pid)) {
		return spot{main: p, deaf: true}
	}
	return spot{}
}

func (c *Config) agree(f facts, root *process) (spot, error) {
	s := spot{main: root}
	if up := f.procs[root.ppid]; c.Target == Parent && up != nil && up.pid > 1 && f.akin(up, root) {
		s.main = up
	}
	if c.Workers == ByName || c.Several {
		return s, nil // they stand side by side, and no source names them all
	}
	if err := c.agreeUnit(f, &s); err != nil {
		return spot{}, err
	}
	if err := c.agreePIDFile(f, &s); err != nil {
		return spot{}, err
	}
	return s, c.agreePIDCommand(f, s)
}

// agreePIDCommand: what it prints is the main process that the other sources name.
func (c *Config) agreePIDCommand(f facts, s spot) error {
	switch {
	case len(c.PIDCommand) == 0 || slices.Equal(f.named, []int{s.main.pid}):
		return nil
	case len(f.named) == 0:
		return c.ambiguous(f, "the pid command prints no process id", true)
	}
	return c.ambiguous(f, "the pid command prints another process than the one that listens", len(f.named) > 1)
}

// locateNamed takes the process that the sources name: it need not listen, but they
// have to agree.
func (c *Config) locateNamed(f facts) (spot, error) {
	var main *process
	for _, pid := range append([]int{f.unit.main, f.pidfile}, f.named...) {
		p := f.procs[pid]
		switch {
		case !p.alive() || main != nil && main.pid == pid:
		case main != nil:
			return spot{}, c.ambiguous(f, "the sources name several processes", true)
		default:
			main = p
		}
	}
	if main == nil {
		return spot{}, c.ambiguous(f, "the process to signal is named by none", true)
	}
	return spot{main: main}, nil
}

// agreeUnit: while an old parent drains, systemd still has it for the main process.
func (c *Config) agreeUnit(f facts, s *spot) error {
	if c.Unit == "" || f.unit.main == s.main.pid {
		return nil
	}
	main := f.procs[f.unit.main]
	switch {
	case f.unit.main == 0:
		return c.ambiguous(f, "the unit has no main process", f.unit.busy())
	case !main.alive() || f.listens(main):
		return c.ambiguous(f, "the unit's main process is another than the one that listens", true)
	case !f.above(main, s.main):
		return c.agreeOrphan(f, s, main)
	case len(f.native(main)) > 0 || sameProgram(main, s.main):
		s.draining = append(s.draining, main)
	}
	return nil // else a wrapper, such as sh, that started the app
}

// agreeOrphan: the new process may have left its parent's line already.
func (c *Config) agreeOrphan(f facts, s *spot, main *process) error {
	if slices.Contains(f.members, s.main.pid) && sameProgram(main, s.main) {
		s.draining = append(s.draining, main)
		return nil
	}
	return c.ambiguous(f, "the unit's main process is another than the one that listens", false)
}

// agreePIDFile: the file may name a master that does not listen itself.
func (c *Config) agreePIDFile(f facts, s *spot) error {
	if c.PIDFile == "" || f.pidfile == s.main.pid {
		return nil
	}
	named := f.procs[f.pidfile]
	switch {
	case !named.alive():
		return c.ambiguous(f, "the pid file names no living process", true)
	case f.above(named, s.main) && !slices.Contains(s.draining, named) && !f.listens(named):
		s.main = named
		return nil
	}
	return c.ambiguous(f, "the pid file names another process than the one that listens", f.above(s.main, named))
}

// above is true when p is an ancestor of child.
func (f *facts) above(p, child *process) bool {
	return f.descends(child, func(q *process) bool { return q.key() == p.key() })
}

func sameProgram(a, b *process) bool {
	return a.ino != "" && a.ino == b.ino || a.exe != "" && a.exe == b.exe
}

// akin are two of one program, or of two releases of it.
func (f *facts) akin(a, b *process) bool {
	return sameProgram(a, b) || len(f.native(a)) > 0 && len(f.native(b)) > 0
}

func (c *Config) ambiguous(f facts, why string, passing bool) *AmbiguousError {
	return &AmbiguousError{Why: why, Says: c.says(f), passing: passing}
}

// says is what each source says, for people.
func (c *Config) says(f facts) []string {
	list := []string{fmt.Sprintf("port %d: %s", c.Port, f.describe(f.held))}
	if c.Unit != "" {
		list = append(list, fmt.Sprintf("unit %s: %s, main %s", c.Unit,
			orElse(f.unit.props["ActiveState"], "not known"), f.describe([]int{f.unit.main})))
	}
	if len(c.PIDCommand) > 0 {
		list = append(list, fmt.Sprintf("pid_command: %s", f.describe(f.named)))
	}
	if c.PIDFile != "" {
		list = append(list, fmt.Sprintf("pid_file %s: %s", c.PIDFile, f.describe([]int{f.pidfile})))
	}
	return list
}

func (f *facts) describe(pids []int) string {
	var list []string
	for _, pid := range pids {
		switch p := f.procs[pid]; {
		case pid == 0:
		case !p.alive():
			list = append(list, fmt.Sprintf("pid %d, which does not run", pid))
		default:
			list = append(list, fmt.Sprintf("pid %d (parent %d, %s)", pid, p.ppid, orElse(p.exe, "unseen")))
		}
	}
	return orElse(strings.Join(list, ", "), "no process")
}
