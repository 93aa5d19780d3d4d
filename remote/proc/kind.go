package proc

import (
	"path"
	"strings"
	"time"
)

// A Kind is what a takeover of a system looks like in its processes.
type Kind string

const (
	AnyKind       Kind = ""               // whichever of these is seen
	ChildTakeover Kind = "child-takeover" // a new process listens, the old one ends
	SamePID       Kind = "same-pid"       // the process executes itself anew
	MasterWorker  Kind = "master-worker"  // the master stays, every worker is new
	ReplaceAll    Kind = "replace-all"    // all are new
)

// A Target is the process that a signal goes to.
type Target string

const (
	Serving Target = ""       // the root of those that listen
	Parent  Target = "parent" // its parent, where that is the same program
	Named   Target = "named"  // the one that unit, pid file or pid command name; it need not listen
)

// Workers says who serves.
type Workers string

const (
	Listeners Workers = ""         // whoever has the port
	Children  Workers = "children" // the children of the one that has it
	ByName    Workers = "named"    // those that the pid command prints
)

// A Step is one of a dance: a signal to the old or the new main process, or the
// start command, and what is waited for then.
type Step struct {
	Start  bool
	Signal string
	ToNew  bool
	Until  Until
}

// Until is what a step of a dance waits for.
type Until string

const (
	NewServes Until = "new-serves" // new ones listen, run the release, and last
	NewAlone  Until = "new-alone"  // of the old ones no more than the main process is left
	OldGone   Until = "old-gone"   // no old one listens
)

// steadyFor is how long a new worker must have been there: one that dies at its start
// is replaced at once, and one or the other is always seen.
const steadyFor = 500 * time.Millisecond

// workers are the processes that serve, without a master whose program is whatever
// it was started from.
func (c *Config) workers(f facts) []*process {
	list := f.listeners()
	roots := f.roots()
	if c.Kind != MasterWorker || len(roots) != 1 || len(list) == 1 {
		return list
	}
	var below []*process
	for _, p := range list {
		if p.key() != roots[0].key() {
			below = append(below, p)
		}
	}
	return below
}

// release is the one that all workers run, "?" when that cannot be told.
func (c *Config) release(f facts, main *process) string {
	list := c.workers(f)
	if len(list) == 0 || c.Kind != MasterWorker && !c.Several {
		return f.releaseOf(main)
	}
	id := f.releaseOf(list[0])
	for _, p := range list[1:] {
		if f.releaseOf(p) != id {
			return none
		}
	}
	return id
}

// restarts is true where something starts workers again that end.
func (c *Config) restarts() bool {
	return c.Kind == MasterWorker || c.Workers == ByName || len(c.Steps) > 0
}

// program is the path by which the app is started and executed again.
func (c *Config) program() string {
	if c.Binary != "" {
		return path.Join(c.home(), c.Binary)
	}
	return path.Join(c.home(), "current", strings.TrimPrefix(c.EntryOf("x"), path.Join(c.ReleasesDir, "x")+"/"))
}

// filled puts the host's paths into a command.
func (c *Config) filled(argv []string) []string {
	fill := strings.NewReplacer("{program}", c.program(), "{current}", path.Join(c.home(), "current"))
	var list []string
	for _, w := range argv {
		list = append(list, fill.Replace(w))
	}
	return list
}

// foreign is true for a program that runs others, or that is none of the releases'.
func (c *Config) foreign(p *process) bool { return c.Foreign || interpreted(p) }

// canStart is true where the inventory says how to start the app.
func (c *Config) canStart() bool { return len(c.Start) > 0 || c.Unit != "" }

// startsBeside is true for a takeover that begins with another app beside the first.
func (c *Config) startsBeside() bool { return len(c.Steps) > 0 && c.Steps[0].Start }
