package proc

import (
	"context"
	"errors"
	"fmt"
)

// Restore undoes a takeover, once the disk holds release id again. It ends what was
// born after the trigger and does not serve, and returns once the app provably runs
// id: as it is, by one reload, or stopped and started. An empty id stops the app.
func (a *App) Restore(ctx context.Context, id string) error {
	if id == "" {
		return a.stop(ctx)
	}
	a.way = back
	f, err := a.look(ctx)
	if err != nil {
		return lostError("undo", err)
	}
	a.recall(f)
	if f, err = a.stepBack(ctx, f); err != nil {
		return err
	}
	if err := a.end(ctx, a.upstarts(f)); err != nil {
		return err
	}
	before, proven := a.before, a.after != nil
	s, err := a.steady(ctx, id)
	if err != nil && !answered(err) {
		return lostError("undo", err)
	}
	failed := a.failed
	a.failed = false
	if err == nil && failed && a.cfg.RestartFailed && a.cfg.canStart() {
		a.cfg.Say("FD-RESTARTED", fmt.Sprintf("after a takeover that failed an app of preset %q is of no use any more: it is restarted while the host is drained", a.cfg.Preset))
		return a.startOver(ctx, id)
	}
	if err == nil && a.intact(before, s, id, proven) {
		a.after = a.before
		return nil
	}
	if a.canHandOver(s, err) {
		err = a.handOver(ctx, id, s)
		if err == nil || unknownOutcome(err) || ctx.Err() != nil {
			return err
		}
	}
	return a.startOver(ctx, id)
}

// answered is true for what was found out, unlike an answer that did not come.
func answered(err error) bool {
	var found *Error
	var many *AmbiguousError
	return errors.As(err, &found) || errors.As(err, &many)
}

func (a *App) canHandOver(s spot, err error) bool {
	inPlace := a.cfg.Method != Restart && (!a.cfg.RestartFailed || a.cfg.Kind == ChildTakeover || !a.cfg.canStart())
	return err == nil && s.main != nil && !s.deaf && inPlace
}

func (a *App) startOver(ctx context.Context, id string) error {
	if err := a.replace(ctx, id); err != nil {
		return fmt.Errorf("undo: %w", err)
	}
	return nil
}

// intact is true when the app serves release id: seen from its process, or because those
// that served before still do, and nobody else, after a takeover that was not proven.
func (a *App) intact(before *snapshot, s spot, id string, proven bool) bool {
	if s.main == nil || s.deaf || s.begun || len(s.draining) > 0 {
		return false
	}
	f := a.before.facts
	if a.cfg.Unit != "" && !f.unit.well() {
		return false
	}
	switch a.cfg.runs(f, id) {
	case yes:
		return true
	case unsure:
		return !proven && before != nil && before.untouched(f, s.main)
	}
	return false
}

// upstarts are the processes born after the trigger that do not serve, what asks for the
// takeover and has not ended, and what they started. The unit's main process is left to
// systemd, which might start it again behind our back.
func (a *App) upstarts(f facts) (list []*process) {
	var main *process
	if s, err := a.cfg.locate(f); err == nil && !s.deaf {
		main = s.main
	}
	upstart := func(p *process) bool {
		kept := main != nil && (p.key() == main.key() || f.belowNew(a, main, p))
		return p.alive() && !kept && p.pid != f.unit.main && (a.isUpstart(f, p) || a.isAsking(f, p))
	}
	for _, p := range f.all() {
		if upstart(p) || p.alive() && f.descends(p, upstart) {
			list = append(list, p)
		}
	}
	return list
}

// belowNew is true for the workers of a main process that is new itself.
func (f *facts) belowNew(a *App, main, p *process) bool {
	return a.before != nil && !a.before.ours[main.key()] && f.above(main, p)
}

// isAsking is true for a command of ours, or the unit's ExecReload.
func (a *App) isAsking(f facts, p *process) bool {
	reloads := a.cfg.Method == Systemd && f.unit.is("ActiveState", "reloading")
	return f.runsCommand() && p.key() == f.helper || reloads && p.pid == f.unit.control
}

func (a *App) isUpstart(f facts, p *process) bool {
	if a.before == nil {
		return false
	}
	_, seen := a.born[p.key()]
	return seen || a.before.newcomer(f, p) && a.before.lookalike(f, p)
}
