package proc

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Reload asks the app once to take release id over, or starts it where nothing
// runs, and returns once the takeover is proven: a process listens that did not
// before, it runs that release, and none of those before listens. When that does
// not come about, the error is a *TakeoverError, the earliest that is certain.
func (a *App) Reload(ctx context.Context, id string) error {
	a.way = forward
	s, err := a.steady(ctx, id)
	if err != nil {
		return fmt.Errorf("reload: %w", err)
	}
	if s.main == nil {
		return a.bringUp(ctx, id)
	}
	anew := s.deaf || a.cfg.Method == Restart && a.cfg.Unit == ""
	if !anew {
		if anew, err = a.mustRestart(ctx, a.before.facts.unit); err != nil {
			return fmt.Errorf("reload: %w", err)
		}
	}
	if anew {
		return a.replace(ctx, id)
	}
	err = a.handOver(ctx, id, s)
	var e *TakeoverError
	a.failed = errors.As(err, &e)
	if a.failed && e.sent && a.cfg.RestartIgnored && a.cfg.canStart() && a.lossy(e.Verdict) != "" {
		a.cfg.Say("FD-RESTARTED", fmt.Sprintf("pid %d %s %s, which happens with preset %q: it is restarted while the host is drained",
			s.main.pid, a.lossy(e.Verdict), a.cfg.Signal, a.cfg.Preset))
		return a.replace(ctx, id)
	}
	return err
}

// lossy says what came of a signal that a system lost, or took twice; "" of any other.
func (a *App) lossy(v Verdict) string {
	switch {
	case v == Ignored:
		return "did not answer"
	case v == Split && a.cfg.Alone:
		return "started two workers on one"
	case v == Stalled && a.cfg.Kind == ChildTakeover: // the child's word to its parent is lost, too
		return "did not end once another process took over on"
	}
	return ""
}

// steady looks until no earlier upgrade is under way: an app that has not ended its
// old process refuses the next one. One by the same release is gone on with.
func (a *App) steady(ctx context.Context, id string) (spot, error) {
	began := time.Now()
	for {
		f, err := a.lookOnce(ctx)
		if err != nil {
			return spot{}, err
		}
		if a.isUnderWay(f, id) {
			return spot{main: a.before.main, begun: true}, nil
		}
		s, err := a.cfg.locate(f)
		if a.steadyEnough(f, s, err, time.Since(began)) {
			a.remember(f, s, err)
			return s, err
		}
		if err := pause(ctx, a.cfg.Poll); err != nil {
			return spot{}, fmt.Errorf("waiting for an earlier takeover to end: %w", err)
		}
	}
}

// remember begins a new account; of a host that cannot be told there is none.
func (a *App) remember(f facts, s spot, err error) {
	a.before, a.after, a.born, a.helper = nil, nil, map[key]process{}, key{}
	if err == nil {
		a.before = a.cfg.snapshot(f, s)
	}
}

// steadyEnough: draining may last as long as a takeover, a pid file may be missing
// for a second or so, and what does not pass is not waited for.
func (a *App) steadyEnough(f facts, s spot, err error, waited time.Duration) bool {
	var e *AmbiguousError
	switch {
	case f.hidden: // or it has only just begun to listen
		return waited >= min(a.cfg.Timeout, time.Second)
	case errors.As(err, &e):
		return !e.passing || waited >= min(a.cfg.Timeout, 5*time.Second)
	case len(s.draining) > 0:
		return waited >= a.cfg.Timeout
	case f.unit.well() && f.unit.busy(): // somebody else reloads it, or our reload was just ended
		return waited >= min(a.cfg.Timeout, 5*time.Second)
	}
	return true
}

// handOver sends the one trigger. When nobody knows whether it arrived, the host
// is asked what came of it; it is never sent again.
func (a *App) handOver(ctx context.Context, id string, s spot) error {
	if len(s.draining) > 0 {
		return newError("reload", "FD-OLD-PROCESS-STAYS", "see what keeps it: long requests or open tunnels; "+
			"end it by hand, or raise reload.timeout",
			"pid %d of an earlier takeover has not ended within %v", s.draining[0].pid, a.cfg.Timeout)
	}
	if s.begun {
		return a.goOn(ctx, id)
	}
	if err := a.mayTrigger(ctx, s.main); err != nil {
		return err
	}
	if err := a.checked(ctx, s.main); err != nil {
		return err
	}
	a.leave(id)
	if len(a.cfg.Steps) > 0 {
		return a.dance(ctx, id, false)
	}
	said, err := a.trigger(ctx, s.main)
	if err != nil && !unknownOutcome(err) {
		return triggerError("reload", fmt.Errorf("asking the app to take over: %w", err))
	}
	if err == nil && !a.sent(said) {
		return a.notSent(said, s.main)
	}
	return a.prove(ctx, id, a.cfg.asks(), err)
}

// goOn proves a takeover that was asked for before, and asks for what is left of it. What
// nothing came of is asked for once more.
func (a *App) goOn(ctx context.Context, id string) error {
	vain := a.before.facts.note.since
	var err error
	if len(a.cfg.Steps) > 0 {
		err = a.dance(ctx, id, true)
	} else {
		err = a.prove(ctx, id, a.cfg.asks(), nil)
	}
	var e *TakeoverError
	if !errors.As(err, &e) || e.Verdict != Ignored {
		return err
	}
	a.vain = vain
	s, lost := a.steady(ctx, id)
	if lost != nil || s.main == nil || s.deaf {
		return errors.Join(err, lost)
	}
	return a.handOver(ctx, id, s)
}

func (c *Config) asks() trigger {
	if c.Method == Restart {
		return restart
	}
	return reload
}

// sent takes note of the process that runs the command, if it was one.
func (a *App) sent(said string) bool {
	if k, is := commandOf(said); is {
		a.helper = k
		return true
	}
	return said == "sent"
}

func (a *App) trigger(ctx context.Context, main *process) (string, error) {
	switch a.cfg.Method {
	case Systemd:
		return a.askUnit(ctx, "reload", strconv.Itoa(a.before.facts.unit.main))
	case Restart:
		return a.askUnit(ctx, "restart", "")
	case Command:
		return a.runCommand(ctx, a.cfg.filled(a.cfg.Command), a.cfg.CommandSudo)
	}
	return a.send(ctx, main, a.cfg.Signal)
}

// send signals one process, while it is the one that was looked at.
func (a *App) send(ctx context.Context, p *process, signal string) (string, error) {
	return a.act(ctx, signalScript, map[string]string{
		"pid": strconv.Itoa(p.pid), "start": strconv.FormatUint(p.start, 10),
		"exe": p.ino, "uid": strconv.Itoa(p.uid),
		"signal": signal, "sudo": onOff(a.cfg.Sudo), "me": strconv.Itoa(a.me),
	})
}

func (a *App) askUnit(ctx context.Context, verb, main string) (string, error) {
	return a.act(ctx, unitScript, map[string]string{
		"verb": verb, "unit": a.cfg.Unit, "main": main, "sudo": onOff(a.cfg.Sudo), "me": strconv.Itoa(a.me),
	})
}

// mayTrigger refuses a process that only the port speaks for, and a signal that
// would end a program without taking over.
func (a *App) mayTrigger(ctx context.Context, main *process) error {
	if !a.cfg.related(a.before.facts, main) {
		return &AmbiguousError{Why: "nothing but the port says that this is the app", Says: a.cfg.says(a.before.facts)}
	}
	if a.cfg.Method != Signal {
		return nil
	}
	if err := a.fits(ctx, main); err != nil {
		return err
	}
	return a.heard(ctx, main)
}

func (a *App) notSent(said string, main *process) error {
	if said == "denied" {
		return newError("reload", "FD-PROC-RIGHTS", "set reload.sudo = true and allow `kill` in sudoers",
			"pid %d belongs to uid %d: the SSH user may not signal it", main.pid, main.uid)
	}
	return newError("reload", codeMoved, "something else starts or ends the app: find it, then repeat",
		"pid %d is not the process any more that was looked at (%s); nothing was sent", main.pid, orElse(said, "no answer"))
}

// prove looks until the takeover is certain, one way or the other.
func (a *App) prove(ctx context.Context, id string, kind trigger, lost error) error {
	w := newWatch(id, a.before, kind, a.cfg.Timeout)
	w.how, w.probe = &a.cfg, a.cfg.VersionProbe != nil
	a.born = w.born
	asked := &asking{want: id, probe: a.cfg.VersionProbe, timeout: a.cfg.Timeout, first: never}
	began := time.Now()
	for wait := a.soon(); ; wait = a.cfg.Poll {
		f, err := a.look(ctx)
		at := time.Since(began)
		switch {
		case err == nil:
			if done, err := a.conclude(ctx, f, at, w, asked); done {
				return unheard(err, lost)
			}
		case at >= a.cfg.Timeout:
			return lostError("takeover", err)
		}
		if err := pause(ctx, wait); err != nil {
			return fmt.Errorf("takeover: not proven after %v: %w", at.Round(time.Millisecond), err)
		}
	}
}

// soon is the first pause of a wait for what mostly takes a few milliseconds.
func (a *App) soon() time.Duration { return a.cfg.Poll / 3 }

// unheard adds to a failed takeover that nobody knows whether it was asked for.
func unheard(err, lost error) error {
	if err == nil || lost == nil {
		return err
	}
	return fmt.Errorf("%w (the answer to the trigger was lost: %w)", err, lost)
}

func (a *App) conclude(ctx context.Context, f facts, at time.Duration, w *watch, asked *asking) (bool, error) {
	v := w.see(f, at)
	if v == unproven {
		v = asked.again(ctx, at)
	}
	switch v {
	case waiting:
		return false, nil
	case taken:
		a.after = a.cfg.snapshot(f, spot{main: served(w.before, f)})
		if a.cfg.Unit == "" || f.unit.well() { // else the unit was asked before the app was up
			a.keep(f)
		}
		return true, nil
	}
	return true, a.takeoverError(ctx, f, v, w)
}

// served is the root of the listeners, or of the new ones.
func served(before *snapshot, f facts) *process {
	if roots := f.roots(); len(roots) == 1 {
		return roots[0]
	}
	_, fresh := before.split(f)
	return fresh[0]
}
