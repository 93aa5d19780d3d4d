package proc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// none marks a process of which no release can be told.
const none = "?"

// entryPattern is what stands before and behind a release id in its entry's path.
func (c *Config) entryPattern() (prefix, suffix string) {
	const mark = "\x01"
	prefix, suffix, _ = strings.Cut(c.EntryOf(mark), mark)
	return prefix, suffix
}

// native are the releases whose program the process is: by dev:inode, which holds
// through rename, flip and prune, else by the path that the kernel tells.
// A program that was found and adopted is that release, from wherever it was started.
func (f *facts) native(p *process) []string {
	if id := f.adopted[p.sign]; id != "" && p.sign != "" {
		return []string{id}
	}
	if ids := f.entries[p.ino]; len(ids) > 0 {
		return ids
	}
	rest, ok := strings.CutPrefix(p.exe, f.root+"/")
	if !ok {
		return nil
	}
	id, _, _ := strings.Cut(strings.TrimSuffix(rest, " (deleted)"), "/")
	return []string{id}
}

// traces are the releases that the process is seen in. Those of the program itself
// count alone.
func (f *facts) traces(p *process) []string {
	if ids := f.native(p); len(ids) > 0 {
		return ids
	}
	return p.in
}

// releaseOf is the one release that p runs, "?" when that cannot be told.
func (f *facts) releaseOf(p *process) string {
	if ids := f.traces(p); len(ids) > 0 && (len(ids) == 1 || len(f.native(p)) > 0) {
		return ids[0]
	}
	return none
}

// An answer may be missing.
type answer int

const (
	unsure answer = iota
	yes
	no
)

// runs tells whether p runs release id.
func (f *facts) runs(p *process, id string) answer {
	native, traces := f.native(p), f.traces(p)
	switch {
	case len(traces) == 0:
		return unsure
	case len(native) > 0 && slices.Contains(native, id):
		return yes // identical entry files may belong to several releases
	case len(traces) == 1 && traces[0] == id:
		return yes
	}
	return no
}

// allRun tells whether each of list that can be told runs release id.
func (f *facts) allRun(list []*process, id string) answer {
	sum := unsure
	for _, p := range list {
		switch f.runs(p, id) {
		case no:
			return no
		case yes:
			sum = yes
		}
	}
	return sum
}

// inUseFor is how long a look tells which releases are in use. What a person starts in an old
// one after it could as well be started between a look of its own and the removal.
const inUseFor = 2 * time.Second

// InUse are the releases whose program some process runs, or that it stands in or has a
// file of: a master that stays may be in one that was replaced long ago. A rollout ends
// with a look at every host, which tells it.
func (a *App) InUse(ctx context.Context) ([]string, error) {
	f := a.seen
	if f == nil || time.Since(a.looked) >= inUseFor {
		now, err := a.look(ctx)
		if err != nil {
			return nil, fmt.Errorf("processes: %w", err)
		}
		f = &now
	}
	var ids []string
	for _, p := range f.all() {
		if p.alive() {
			ids = slices.Concat(ids, f.native(p), p.in)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// runs tells whether those who serve run release id.
func (c *Config) runs(f facts, id string) answer { return f.allRun(c.workers(f), id) }

func (f *facts) anyNative(list []*process) bool {
	return slices.ContainsFunc(list, func(p *process) bool { return len(f.native(p)) > 0 })
}

// interpreters run programs that are not their own executable.
var interpreters = []string{"node", "nodejs", "python", "ruby", "perl", "php", "java", "bash", "sh",
	"dash", "busybox", "deno", "bun", "beam.smp", "dotnet", "lua", "uwsgi"}

func interpreted(p *process) bool {
	name := strings.TrimSuffix(p.exe[strings.LastIndex(p.exe, "/")+1:], " (deleted)")
	return slices.Contains(interpreters, strings.TrimRight(name, "0123456789.-"))
}
