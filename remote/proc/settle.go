package proc

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// unitGrace is how long systemd may take to follow the pid file once the old
// process has ended.
const unitGrace = 2 * time.Second

// Settled returns once what served before has ended, where it has to, and the app has then kept
// running id for the settle time: the same process, listening, its unit active with
// it as the main process and not started again by itself.
func (a *App) Settled(ctx context.Context, id string) error {
	if err := a.recognise(ctx, id); err != nil {
		return err
	}
	if a.cfg.Settle <= 0 { // else the last look is one that was made here
		a.kept = nil
	}
	if err := a.untilOldGone(ctx, id); err != nil {
		return err
	}
	return a.stayWell(ctx, id)
}

// Alive reads the proof once more: what Reload proved still runs id. Right after
// Settled its last look is that proof.
func (a *App) Alive(ctx context.Context, id string) error {
	if err := a.recognise(ctx, id); err != nil {
		return err
	}
	for began := time.Now(); ; {
		f, err := a.lookOnce(ctx)
		if err != nil {
			return lostError("alive", err)
		}
		if err := a.holds(f, id); err != nil {
			return a.lateDeath(ctx, err)
		}
		lag := a.unitLags(f)
		if lag == nil || f.unit.busy() || !a.oldGone(f) {
			return nil
		}
		if time.Since(began) >= unitGrace || pause(ctx, a.cfg.Poll) != nil { // systemd may be about to follow
			return a.lateDeath(ctx, lag)
		}
	}
}

// recognise proves anew what another run took over.
func (a *App) recognise(ctx context.Context, id string) error {
	if a.after != nil {
		return nil
	}
	f, err := a.look(ctx)
	if err != nil {
		return lostError("alive", err)
	}
	s, err := a.cfg.locate(f)
	if err != nil {
		return err
	}
	if s.main == nil || s.deaf || !a.proven(ctx, f, id) {
		return a.lateDeath(ctx, fmt.Errorf("%s does not serve: %w", id, errors.New(a.cfg.says(f)[0])))
	}
	a.after = a.cfg.snapshot(f, spot{main: f.roots()[0]})
	return nil
}

// proven has each of several workers speak, where only their word tells the release: most
// systems hand connections out in turn.
func (a *App) proven(ctx context.Context, f facts, id string) bool {
	switch a.cfg.runs(f, id) {
	case yes:
		return true
	case unsure:
		k := &asking{want: id, probe: a.cfg.VersionProbe, need: max(askRise, 2*len(a.cfg.workers(f)))}
		return k.probe != nil && k.rise(ctx)
	}
	return false
}

func (a *App) untilOldGone(ctx context.Context, id string) error {
	began := time.Now()
	for wait := a.soon(); ; wait = a.cfg.Poll {
		f, err := a.lookOnce(ctx)
		late := time.Since(began) >= a.cfg.Drain
		if err == nil {
			if err := a.holds(f, id); err != nil {
				return a.lateDeath(ctx, err)
			}
			if a.oldGone(f) || a.cfg.OldMayStay {
				a.keep(f)
				return nil
			}
		}
		switch {
		case late && err != nil:
			return lostError("settle", err)
		case late:
			return a.oldStays(f)
		}
		if err := pause(ctx, wait); err != nil {
			return fmt.Errorf("settle: waiting for the old process to end: %w", err)
		}
	}
}

func (a *App) oldStays(f facts) error {
	e := newError("settle", "FD-OLD-PROCESS-STAYS",
		"see what keeps it: long requests or open tunnels; raise reload.timeout when they may last longer",
		"the old process has not ended within %v", a.cfg.Drain)
	for _, p := range a.old(f) {
		e.evidence = append(e.evidence, "now: "+f.row(p))
	}
	return e
}

// old is what served before and still lives, but for a master that is to stay.
func (a *App) old(f facts) (list []*process) {
	if a.before == nil {
		s, _ := a.cfg.locate(f)
		return s.draining
	}
	for k := range a.before.serving {
		p := f.procs[k.pid]
		if p.alive() && a.before.same(p) && !a.after.same(p) {
			list = append(list, p)
		}
	}
	return list
}

func (a *App) oldGone(f facts) bool { return len(a.old(f)) == 0 }

// stayWell counts the settle time from when systemd has followed. A look costs the host
// more than anything else here, and a process that ended in between is missed by none: four
// in that time, the last at its end.
func (a *App) stayWell(ctx context.Context, id string) error {
	began, well, lost := time.Now(), time.Time{}, time.Time{}
	for {
		f, err := a.lookOnce(ctx)
		now, wait := time.Now(), a.cfg.Poll
		if err != nil { // asked again, while it does not last
			lost = orElse(lost, now)
			if now.Sub(lost) >= a.cfg.Timeout {
				return lostError("settle", err)
			}
		} else {
			lost = time.Time{}
			if well, err = a.stillWell(f, id, began, well, now); err != nil {
				return a.lateDeath(ctx, err)
			}
			if !well.IsZero() {
				wait = min(max(wait, a.cfg.Settle/4), a.cfg.Settle-now.Sub(well))
			}
			if wait <= 0 {
				a.keep(f)
				return nil
			}
		}
		if err := pause(ctx, wait); err != nil {
			return fmt.Errorf("settle: %v of %v passed: %w", now.Sub(began).Round(time.Millisecond), a.cfg.Settle, err)
		}
	}
}

func (a *App) stillWell(f facts, id string, began, well, now time.Time) (time.Time, error) {
	if err := a.holds(f, id); err != nil {
		return well, err
	}
	lag := a.unitLags(f)
	if a.cfg.OldMayStay && !a.oldGone(f) {
		lag = nil // systemd follows when the old process ends
	}
	grace := unitGrace
	if f.unit.busy() {
		grace = a.cfg.Timeout
	}
	switch {
	case lag == nil:
		return orElse(well, now), nil
	case well.IsZero() && now.Sub(began) < grace:
		return well, nil
	}
	return well, lag
}

// holds tells why the takeover that was proven is no more.
func (a *App) holds(f facts, id string) error {
	main := a.after.main
	p := f.procs[main.pid]
	switch {
	case !p.alive() || p.key() != main.key():
		return fmt.Errorf("pid %d, which took over, has ended", main.pid)
	case !a.after.same(p):
		return fmt.Errorf("pid %d runs another program than the one that took over", main.pid)
	case !f.listens(p):
		return fmt.Errorf("pid %d no longer listens on port %d", main.pid, a.cfg.Port)
	case a.workersGone(f):
		return fmt.Errorf("pid %d lives, and all the workers that took over have ended", main.pid)
	case a.cfg.runs(f, id) == no && a.cfg.VersionProbe == nil:
		return fmt.Errorf("pid %d does not run %s", main.pid, id)
	}
	return a.unitHolds(f)
}

// workersGone is true once none of the workers that took over is left: a master starts
// others for as long as it likes.
func (a *App) workersGone(f facts) bool {
	if len(a.after.serving) < 2 { // no master, or one whose workers do not listen
		return false
	}
	for k := range a.after.serving {
		if p := f.procs[k.pid]; k != a.after.main.key() && p.alive() && p.key() == k {
			return false
		}
	}
	return true
}

func (a *App) unitHolds(f facts) error {
	u := f.unit
	switch {
	case a.cfg.Unit == "":
	case u.restarts > a.after.facts.unit.restarts:
		return fmt.Errorf("systemd has started the app again (NRestarts %d, was %d)", u.restarts, a.after.facts.unit.restarts)
	case !u.up():
		return fmt.Errorf("unit %s is %s (%s)", a.cfg.Unit, u.props["ActiveState"], u.props["SubState"])
	}
	return nil
}

// unitLags tells how systemd's view differs from the app's.
func (a *App) unitLags(f facts) error {
	main := f.procs[f.unit.main]
	switch {
	case a.cfg.Unit == "":
	case !f.unit.well():
		return fmt.Errorf("unit %s is %s", a.cfg.Unit, f.unit.props["ActiveState"])
	case main == nil:
		return fmt.Errorf("unit %s has no main process", a.cfg.Unit)
	case a.cfg.Target == Named:
	case !f.listens(main) && !f.above(main, a.after.main):
		return fmt.Errorf("unit %s has pid %d for its main process, which does not listen", a.cfg.Unit, main.pid)
	}
	return nil
}

func (a *App) lateDeath(ctx context.Context, why error) error {
	e := &Error{Doing: "settle", Err: why, code: "FD-LATE-DEATH",
		hint: "the release took over and did not last: see its log above; under systemd an app that hands over " +
			"to a child needs PIDFile= or Type=notify with NotifyAccess=all"}
	var since facts
	if a.before != nil {
		since = a.before.facts
	}
	e.evidence = a.logSince(ctx, since)
	return e
}
