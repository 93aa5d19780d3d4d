package proc

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A TakeoverError tells what became of a takeover that did not come about.
type TakeoverError struct {
	Verdict Verdict
	text    string
	hint    string
	sent    bool     // the app was asked
	seen    []string // processes before and after
	log     []string
}

func (e *TakeoverError) Error() string { return "takeover: " + e.text }

// Code is stable: FD-TAKEOVER- and the verdict.
func (e *TakeoverError) Code() string {
	return "FD-TAKEOVER-" + strings.ToUpper(strings.ReplaceAll(string(e.Verdict), " ", "-"))
}

// Hint is the next step for a person.
func (e *TakeoverError) Hint() string { return e.hint }

// Evidence is the processes before and after, and what the app wrote since.
func (e *TakeoverError) Evidence() []string { return slices.Concat(e.seen, e.log) }

var takeoverHints = map[Verdict]string{
	Ignored: "name the signal that the app takes over on in reload.signal, or use reload.method = \"restart\"",
	Refused: "the new release does not start: its last words are above; try it by hand on the host",
	Hung:    "the new release starts and never gets ready: see its log above; raise reload.timeout if it only needs longer",
	Wrong:   "start the app by a path through `current` (not from inside it), so that it finds the new release there",
	Dead:    "the app ended instead of handing over: see its log above; an app without a graceful restart needs reload.method = \"restart\"",
	Stalled: "old and new were not told apart in time: set health.version_path, or raise reload.timeout",
	Partial: "some of the old ones stay: see the app's log above for what keeps them or ends the new ones; raise reload.timeout if they only need longer",
	Split:   "two triggers made two apps: find who else asks this app to take over; the undo ends one",
}

func (a *App) takeoverError(ctx context.Context, f facts, v Verdict, w *watch) *TakeoverError {
	hint := takeoverHints[v]
	if v == Dead {
		hint = orElse(w.cameAndWent(), hint)
		if more := a.unitWarnings(f); len(more) > 0 {
			hint = more[0]
		}
	}
	return &TakeoverError{Verdict: v, sent: true, text: w.tell(f, v, &a.cfg), hint: hint,
		seen: w.evidence(f), log: a.logSince(ctx, w.before.facts)}
}

// tell says in words what the verdict means here.
func (w *watch) tell(f facts, v Verdict, c *Config) string {
	switch v {
	case Ignored:
		return fmt.Sprintf("%s still serves and no new process was seen within %v", w.oldName(), min(patience, w.timeout))
	case Refused:
		if w.commandFailed(f) {
			return fmt.Sprintf("the command ended with %s; %s still serves", f.ended(), w.oldName())
		}
		return fmt.Sprintf("the new process%s ended before it served; %s still serves", w.deadName(), w.oldName())
	case Hung:
		if len(w.born) == 0 {
			return fmt.Sprintf("what was to ask for it has not ended after %v", w.timeout)
		}
		return fmt.Sprintf("the new process%s lives and does not serve after %v", w.bornName(), w.timeout)
	case Wrong:
		return fmt.Sprintf("the new process runs %s, not %s", w.freshRelease(f), w.want)
	case Dead:
		return w.tellDead(f, c)
	case Partial:
		old, fresh := w.before.split(f)
		return fmt.Sprintf("%d old and %d new processes serve after %v", len(old), len(fresh), w.timeout)
	case Split:
		_, fresh := w.before.split(f)
		return fmt.Sprintf("%d new processes serve side by side", len(fresh))
	}
	if w.loops >= looping {
		return fmt.Sprintf("new workers are started and end at once (pid %s): nothing answers", w.deadPids())
	}
	if old, fresh := w.before.split(f); v == Stalled && len(fresh) == 0 && w.before.constant(old) {
		return fmt.Sprintf("the old workers of %s have ended, and no new one serves after %v", w.oldName(), w.timeout)
	}
	return fmt.Sprintf("the new process%s serves, but not %s alone and provably after %v", w.bornName(), w.want, w.timeout)
}

func (w *watch) tellDead(f facts, c *Config) string {
	if w.restarts >= 0 && f.unit.restarts > w.restarts {
		return fmt.Sprintf("the app ended and systemd started it again (NRestarts %d, was %d)", f.unit.restarts, w.restarts)
	}
	if p := w.before.main; p != nil && w.kind == reload && !f.procs[p.pid].alive() {
		who := w.oldName() + " ended"
		if len(w.dead) > 0 {
			who += ", the new process" + w.deadName() + " too,"
		}
		return fmt.Sprintf("%s and nothing listens on port %d", who, c.Port)
	}
	text := fmt.Sprintf("nothing listens on port %d", c.Port)
	if code := f.ended(); code != "" {
		text += fmt.Sprintf("; the start command ended with %s", code)
	}
	return text
}

// cameAndWent is what to do where a new process was seen: the app did start one, which may
// even have taken over, and it ended before that was proven.
func (w *watch) cameAndWent() string {
	if len(w.dead) == 0 {
		return ""
	}
	return "the new release came and did not last: see its log above; try it by hand on the host"
}

func (w *watch) oldName() string {
	if w.before.main == nil {
		return "the old process"
	}
	return fmt.Sprintf("pid %d", w.before.main.pid)
}

func (w *watch) deadName() string {
	if len(w.dead) == 0 {
		return ""
	}
	return fmt.Sprintf(" (pid %d)", w.dead[len(w.dead)-1].pid)
}

func (w *watch) deadPids() string {
	var list []string
	for _, p := range w.dead[max(0, len(w.dead)-looping):] {
		list = append(list, fmt.Sprint(p.pid))
	}
	return strings.Join(list, ", ")
}

func (w *watch) bornName() string {
	for _, p := range w.born {
		return fmt.Sprintf(" (pid %d)", p.pid)
	}
	return ""
}

func (w *watch) freshRelease(f facts) string {
	_, fresh := w.before.split(f)
	for _, p := range fresh {
		if f.runs(p, w.want) == no {
			return f.releaseOf(p)
		}
	}
	return "a release that it does not name"
}

const evidenceRows = 8

// evidence is the processes that mattered, a line each.
func (w *watch) evidence(f facts) []string {
	var list []string
	for k := range w.before.serving {
		list = append(list, "before: "+w.before.facts.row(w.before.facts.procs[k.pid]))
	}
	for _, p := range w.dead {
		list = append(list, "ended: "+f.row(&p))
	}
	for _, p := range f.all() {
		if p.alive() && (w.before.ours[p.key()] || w.isBorn(p)) {
			list = append(list, "now: "+f.row(p))
		}
	}
	if len(f.unit.props) > 0 {
		list = append(list, f.unit.row())
	}
	return list[:min(len(list), evidenceRows)]
}

func (w *watch) isBorn(p *process) bool { _, ok := w.born[p.key()]; return ok }

func (f *facts) row(p *process) string {
	where := ""
	if f.listens(p) {
		where = ", listens"
	}
	return fmt.Sprintf("pid %d, start %d, exe %s (%s), release %s%s", p.pid, p.start,
		orElse(p.ino, "unseen"), orElse(p.exe, "unseen"), f.releaseOf(p), where)
}

func (u unit) row() string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(u.props)) {
		switch name {
		case "ActiveState", "SubState", "MainPID", "NRestarts", "Result", "ReloadResult":
			list = append(list, name+"="+u.props[name])
		}
	}
	return "unit: " + strings.Join(list, " ")
}

// logSince waits a moment for a journal that has not got the last words yet. Of an
// app that wrote nothing since, it is the last lines of before.
func (a *App) logSince(ctx context.Context, since facts) []string {
	for range 2 {
		if lines := a.readLog(ctx, since.now, since.logSize); len(lines) > 0 {
			return lines
		}
		if pause(ctx, 200*time.Millisecond) != nil {
			break
		}
	}
	return a.Log(ctx)
}
