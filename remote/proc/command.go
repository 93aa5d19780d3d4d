package proc

import (
	"strconv"
	"strings"
)

// A ran is the command that was begun last here.
type ran struct {
	rollout string
	key
}

func (f *facts) takeCommand(rest string) {
	w := strings.Split(rest, " ")
	if len(w) == 3 {
		f.ran.pid, _ = strconv.Atoi(w[0])
		f.ran.start, _ = strconv.ParseUint(w[1], 10, 64)
		f.ran.rollout = w[2]
	}
}

// whoRuns is the process of a command that this rollout began: its answer may have been
// lost, or it was another run that began it.
func (a *App) whoRuns(f facts) key {
	if p := f.procs[f.ran.pid]; a.helper == (key{}) && f.ran.rollout == a.rollout() && p.alive() && p.key() == f.ran.key {
		return f.ran.key
	}
	return a.helper
}

// commandOf is the process that a script says to have begun.
func commandOf(said string) (k key, begun bool) {
	word, rest, _ := strings.Cut(said, " ")
	pid, start, _ := strings.Cut(rest, " ")
	k.pid, _ = strconv.Atoi(pid)
	k.start, _ = strconv.ParseUint(start, 10, 64)
	return k, word == "pid"
}

// runsCommand is true while a command of ours runs; one that has become the app itself,
// or what the app descends from, is none.
func (f *facts) runsCommand() bool {
	is := func(p *process) bool { return p.key() == f.helper }
	for _, p := range f.listeners() {
		if is(p) || f.descends(p, is) {
			return false
		}
	}
	return f.commandLives() && f.ended() == ""
}

func (f *facts) commandLives() bool {
	p := f.procs[f.helper.pid]
	return p.alive() && p.key() == f.helper
}

// ended is the code that our command ended with; "" where it has not, or nobody knows. One
// that began before may write below what ours did.
func (f *facts) ended() string {
	said, is := strings.CutPrefix(f.command, "exit=")
	code, pid, _ := strings.Cut(said, " ")
	if !is || f.helper.pid == 0 || pid != strconv.Itoa(f.helper.pid) {
		return ""
	}
	return code
}

// commandRuns is true while a command that may replace more has not ended: what asks for
// the takeover, and what starts several processes, one after the other.
func (w *watch) commandRuns(f facts) bool {
	return (w.kind == reload || w.kind == start && w.how.Several) && f.runsCommand()
}

func (w *watch) commandFailed(f facts) bool {
	return w.kind == reload && f.ended() != "" && f.ended() != "0"
}

// stillAsking is a command of ours that has not ended, with what it started.
func (f *facts) stillAsking() (list []*process) {
	is := func(p *process) bool { return p.key() == f.helper }
	for _, p := range f.all() {
		if f.runsCommand() && p.alive() && (is(p) || f.descends(p, is)) {
			list = append(list, p)
		}
	}
	return list
}
