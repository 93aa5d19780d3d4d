package proc

import (
	_ "embed"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

//go:embed asked.sh
var askedScript string

// A note stands on the host from before the app is asked for a takeover. Whoever goes on
// with that, or undoes it, knows by it what came of it, and that it is not to be asked again.
type note struct {
	wish  string     // whose, which way, and which release
	since uint64     // what started later came of it, or after it
	stood []*process // the main process, then who served
}

// A way is forward, or back in an undo.
type way string

const (
	forward way = "forward"
	back    way = "back"
)

func (a *App) wish(w way, id string) string {
	return fmt.Sprintf("%s/%s/%s", a.rollout(), w, id)
}

func (a *App) rollout() string {
	if a.cfg.Rollout == nil {
		return "-"
	}
	return a.cfg.Rollout()
}

// leave has the next act leave a note before it does anything.
func (a *App) leave(id string) {
	words := []string{a.wish(a.way, id), a.before.main.word()}
	for k := range a.before.serving {
		words = append(words, a.before.facts.procs[k.pid].word())
	}
	a.note = strings.Join(words, " ")
}

// word is a process as a note has it.
func (p *process) word() string {
	return fmt.Sprintf("%d:%d:%d:%s", p.pid, p.start, p.image, p.ino)
}

func (f *facts) takeNote(rest string) {
	w := strings.Fields(rest)
	if len(w) < 3 { // the first to leave it died of it
		return
	}
	n := &note{wish: w[1]}
	n.since, _ = strconv.ParseUint(w[0], 10, 64)
	for _, word := range w[2:] {
		if p := processOf(word); p != nil {
			n.stood = append(n.stood, p)
		}
	}
	if len(n.stood) == len(w)-2 {
		f.note = n
	}
}

func processOf(word string) *process {
	w := strings.SplitN(word, ":", 4)
	if len(w) < 4 {
		return nil
	}
	p := &process{ino: w[3], state: "X", uid: -1}
	p.pid, _ = strconv.Atoi(w[0])
	p.start, _ = strconv.ParseUint(w[1], 10, 64)
	p.image, _ = strconv.ParseUint(w[2], 10, 64)
	return p
}

// stood is how the app stood when it was asked.
func (c *Config) stood(f facts, n *note) *snapshot {
	f.procs = maps.Clone(f.procs)
	for _, p := range n.stood {
		was := *p
		if now := f.procs[p.pid]; now.alive() && now.key() == p.key() {
			was = *now
			was.ino, was.image = p.ino, p.image
		}
		f.procs[p.pid] = &was
	}
	s := c.snapshot(f, spot{main: f.procs[n.stood[0].pid]})
	maps.DeleteFunc(s.ours, func(k key, _ bool) bool { return k.start >= n.since })
	clear(s.serving)
	for i, p := range n.stood {
		s.ours[p.key()] = true
		if i > 0 {
			s.serving[p.key()] = p.ino
		}
	}
	return s
}

// isUnderWay is true when this rollout has asked for release id already, and what serves
// since then is no other; or when another has, and its process has the socket beside the old
// one's. It is not asked for once more: some systems make two apps of that.
func (a *App) isUnderWay(f facts, id string) bool {
	if f.note == nil || f.note.since == a.vain {
		return false
	}
	before := a.cfg.stood(f, f.note)
	old, fresh := before.split(f)
	runs := f.allRun(fresh, id)
	ours := f.note.wish == a.wish(a.way, id) && (runs == yes || runs == unsure && before.main.alive())
	others := a.cfg.Kind == ChildTakeover && runs == yes && len(old) > 0 && f.runs(before.main, id) == no
	if ours || others {
		a.remember(f, spot{}, nil)
		a.before = before
	}
	return ours || others
}

// recall takes note of what an earlier run of the rollout asked for on its way forward, for
// the undo.
func (a *App) recall(f facts) {
	n := f.note
	if a.before != nil || n == nil || !strings.HasPrefix(n.wish, a.wish(forward, "")) {
		return
	}
	a.before = a.cfg.stood(f, n)
	if a.before.main.alive() {
		a.danced = min(1, len(a.cfg.Steps))
	}
}
