package proc

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	stopPatience = 10 * time.Second // before what does not end by itself is killed
	termPatience = 2 * time.Second
)

// replace stops the app and starts it again, proven. It does not stop what it could
// not start.
func (a *App) replace(ctx context.Context, id string) error {
	if len(a.cfg.Start) == 0 && a.cfg.Unit == "" {
		return a.command(ctx, nil, "start")
	}
	if err := a.stop(ctx); err != nil {
		return err
	}
	return a.start(ctx, id)
}

// stop returns once nothing of the app serves or listens.
func (a *App) stop(ctx context.Context) error {
	f, err := a.look(ctx)
	if err != nil {
		return lostError("stop", err)
	}
	if len(a.servers(f)) == 0 && !f.unit.up() {
		return nil
	}
	if err := a.askStop(ctx, f); err != nil && !unknownOutcome(err) {
		return err
	}
	left, err := a.untilStopped(ctx, min(a.cfg.Timeout, stopPatience))
	if err != nil || len(left) == 0 {
		return err
	}
	if err := a.signal(ctx, left, "KILL"); err != nil && !unknownOutcome(err) {
		return err
	}
	left, err = a.untilStopped(ctx, termPatience)
	if err == nil && len(left) > 0 {
		err = newError("stop", "FD-STOP", "see why on the host: a process in state D waits for its disk",
			"pid %d does not end, not even by KILL", left[0].pid)
	}
	return err
}

// askStop ends the app by its own processes only where the inventory has no other way.
func (a *App) askStop(ctx context.Context, f facts) error {
	if len(a.cfg.Stop) > 0 || a.cfg.Unit != "" {
		return a.command(ctx, a.cfg.Stop, "stop")
	}
	return a.signal(ctx, a.servers(f), "TERM")
}

// up is true while systemd runs the unit, or is about to.
func (u unit) up() bool { return u.well() || u.busy() }

// untilStopped tells what of the app is left when patience ends. A command that has not
// ended by then is ended: it would stop what is started next.
func (a *App) untilStopped(ctx context.Context, patience time.Duration) ([]*process, error) {
	began := time.Now()
	for {
		f, err := a.look(ctx)
		left := a.servers(f)
		// What something else starts again and again is ended only when the command is.
		busy := f.unit.up() || f.commandLives()
		switch late := time.Since(began) >= patience; {
		case err == nil && len(left) == 0 && (late || !busy):
			return nil, a.end(ctx, f.stillAsking())
		case late && err != nil:
			return nil, lostError("stop", err)
		case late:
			return left, nil
		}
		if err := pause(ctx, a.cfg.Poll); err != nil {
			return nil, fmt.Errorf("stop: %d processes left: %w", len(left), err)
		}
	}
}

// servers are the living processes that serve the app: never a stranger that
// happens to have its port, nor helpers that the app left behind.
func (a *App) servers(f facts) (list []*process) {
	var main *process
	if s, err := a.cfg.locate(f); err == nil && s.main != nil && a.cfg.related(f, s.main) {
		main = s.main
	}
	for _, p := range f.all() {
		if p.alive() && f.belongs(p, main) && a.serves(f, p, main) {
			list = append(list, p)
		}
	}
	return list
}

func (a *App) serves(f facts, p, main *process) bool {
	if f.listens(p) && (a.cfg.related(f, p) || main != nil) || len(f.native(p)) > 0 {
		return true
	}
	return main != nil && (p.key() == main.key() || sameProgram(p, main))
}

// end stops processes for good: TERM, two seconds, KILL.
func (a *App) end(ctx context.Context, list []*process) error {
	for _, signal := range []string{"TERM", "KILL"} {
		if len(list) == 0 {
			return nil
		}
		if err := a.signal(ctx, list, signal); err != nil && !unknownOutcome(err) {
			return fmt.Errorf("ending new processes: %w", err)
		}
		left, err := a.untilGone(ctx, list)
		if err != nil {
			return err
		}
		list = left
	}
	if len(list) == 0 {
		return nil
	}
	return newError("stop", "FD-STOP", "end it by hand on the host", "pid %d does not end, not even by KILL", list[0].pid)
}

func (a *App) untilGone(ctx context.Context, list []*process) (left []*process, err error) {
	for began := time.Now(); ; {
		f, err := a.look(ctx)
		late := time.Since(began) >= termPatience
		if err == nil {
			left = f.stillThere(list)
		}
		switch {
		case err == nil && (len(left) == 0 || late):
			return left, nil
		case late:
			return nil, lostError("undo", err)
		}
		if err := pause(ctx, a.cfg.Poll); err != nil {
			return nil, fmt.Errorf("ending new processes: %w", err)
		}
	}
}

func (f *facts) stillThere(list []*process) (left []*process) {
	for _, p := range list {
		if q := f.procs[p.pid]; q.alive() && q.key() == p.key() {
			left = append(left, q)
		}
	}
	return left
}

// signal reaches only processes that are still those of the list.
func (a *App) signal(ctx context.Context, list []*process, name string) error {
	var victims []string
	for _, p := range list {
		victims = append(victims, fmt.Sprintf("%d:%d", p.pid, p.start))
	}
	_, err := a.act(ctx, killScript, map[string]string{
		"victims": strings.Join(victims, " "), "signal": name, "sudo": onOff(a.cfg.Sudo), "me": strconv.Itoa(a.me),
	})
	return err
}
