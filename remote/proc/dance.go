package proc

import (
	"context"
	"fmt"
	"time"
)

// dance leads a takeover that takes several signals, one step after the other, each
// sent once and only after the one before has brought what it should. The old release
// can go on until the last. Of one that another run began, the first step is not repeated;
// the later ones change nothing when they are.
func (a *App) dance(ctx context.Context, id string, begun bool) error {
	w := newWatch(id, a.before, reload, a.cfg.Timeout)
	w.how, w.probe = &a.cfg, a.cfg.VersionProbe != nil
	a.born = w.born
	asked := &asking{want: id, probe: a.cfg.VersionProbe, timeout: a.cfg.Timeout, first: never}
	began := time.Now()
	for i, s := range a.cfg.Steps {
		a.danced = i + 1
		if i > 0 || !begun {
			if err := a.step(ctx, s, a.before.facts); err != nil && !unknownOutcome(err) {
				return err
			}
		}
		over, err := a.until(ctx, s.Until, w, asked, began)
		if err != nil {
			return err
		}
		if over {
			break
		}
	}
	a.danced = 0
	return a.prove(ctx, id, reload, nil)
}

// step does what one step says, to the processes of f.
func (a *App) step(ctx context.Context, s Step, f facts) error {
	if s.Start {
		return a.command(ctx, a.cfg.Start, "start")
	}
	for _, p := range a.partners(s, f) {
		said, err := a.send(ctx, p, s.Signal)
		if err != nil {
			return triggerError("reload", fmt.Errorf("sending %s to pid %d: %w", s.Signal, p.pid, err))
		}
		if said != "sent" {
			return a.notSent(said, p)
		}
	}
	return nil
}

// partners are whom a step signals: the main process, or all that stand side by side.
func (a *App) partners(s Step, f facts) (list []*process) {
	old, fresh := a.before.split(f)
	switch {
	case s.ToNew:
		return f.rootsOf(fresh)
	case a.cfg.Several:
		return f.rootsOf(old)
	}
	return []*process{a.before.main}
}

// rootsOf are those of list whose parent does not listen.
func (f *facts) rootsOf(list []*process) (roots []*process) {
	for _, p := range list {
		if up := f.procs[p.ppid]; up == nil || !f.listens(up) {
			roots = append(roots, p)
		}
	}
	return roots
}

// until looks until a step has brought what it should, or the whole dance is over. A
// verdict that is certain before is the error.
func (a *App) until(ctx context.Context, what Until, w *watch, asked *asking, began time.Time) (over bool, err error) {
	for wait := a.soon(); ; wait = a.cfg.Poll {
		f, err := a.look(ctx)
		at := time.Since(began)
		switch {
		case err != nil && at >= a.cfg.Timeout:
			return false, lostError("takeover", err)
		case err == nil:
			v := w.see(f, at)
			over = v == taken || v == unproven
			switch {
			case over, v == waiting && a.reached(ctx, what, w, f, at, asked):
				return over, nil
			case v != waiting:
				return false, a.takeoverError(ctx, f, v, w)
			}
		}
		if err := pause(ctx, wait); err != nil {
			return false, fmt.Errorf("takeover: not proven after %v: %w", at.Round(time.Millisecond), err)
		}
	}
}

// reached tells whether a step has brought what it should.
func (a *App) reached(ctx context.Context, what Until, w *watch, f facts, at time.Duration, asked *asking) bool {
	old, fresh := w.before.split(f)
	switch what {
	case NewServes:
		return w.stand(fresh, at) && a.right(ctx, f, fresh, asked, false)
	case NewAlone:
		return len(fresh) > 0 && len(old) <= 1 && a.right(ctx, f, fresh, asked, true)
	case OldGone:
		return len(old) == 0
	}
	return true
}

// stand is true once new ones have listened for a moment, as many as a master with its
// workers where there was one.
func (w *watch) stand(fresh []*process, at time.Duration) bool {
	lasting := 0
	for _, p := range fresh {
		first, known := w.seen[p.key()]
		if !known {
			w.seen[p.key()] = at
		} else if at-first >= steadyFor {
			lasting++
		}
	}
	return lasting >= min(2, len(w.before.serving))
}

// right is true when the new ones run the release. Beside the old ones their own word is
// asked for once, alone as often as a takeover needs.
func (a *App) right(ctx context.Context, f facts, fresh []*process, asked *asking, alone bool) bool {
	switch runs := f.allRun(fresh, asked.want); {
	case runs == no && (asked.probe == nil || f.anyNative(fresh)):
		return false
	case asked.probe == nil, runs == yes && f.anyNative(fresh):
		return runs == yes
	case alone:
		return asked.rise(ctx)
	}
	for range askRise {
		if right, _ := asked.ask(ctx); right {
			return true
		}
	}
	return false
}

// stepBack ends a dance that was not finished: the old process serves as before. A new
// one that ends meanwhile is what is wanted.
func (a *App) stepBack(ctx context.Context, f facts) (facts, error) {
	if a.danced == 0 || a.before == nil {
		return f, nil
	}
	for _, s := range a.cfg.Back {
		if main := a.before.main; !s.ToNew && !f.procs[main.pid].alive() {
			continue
		}
		if err := a.step(ctx, s, f); err != nil && !unknownOutcome(err) && !moved(err) {
			return f, err
		}
	}
	f, err := a.look(ctx)
	if err != nil {
		return f, lostError("undo", err)
	}
	a.danced = 0
	return f, nil
}
