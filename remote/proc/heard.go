package proc

import (
	"context"
	"fmt"
)

// signalBits are the positions in the masks of /proc.
var signalBits = map[string]uint{"HUP": 1, "INT": 2, "QUIT": 3, "USR1": 10, "USR2": 12, "TERM": 15, "WINCH": 28}

// heard tells that a signal would be lost or fatal, before it is sent. Of Go's
// programs the kernel knows only that they catch everything.
func (a *App) heard(ctx context.Context, main *process) error {
	if a.cfg.startsBeside() {
		return nil // the signal is to end it, once another serves
	}
	n := signalBits[a.cfg.Signal]
	if n == 0 || main.uid < 0 {
		return nil
	}
	bit := uint64(1) << (n - 1)
	switch {
	case main.ignored&bit != 0:
		return &TakeoverError{Verdict: Ignored, hint: takeoverHints[Ignored], log: a.Log(ctx),
			text: fmt.Sprintf("pid %d ignores %s; nothing was sent", main.pid, a.cfg.Signal)}
	case main.caught&bit == 0 && a.cfg.Signal != "WINCH":
		return newError("reload", "FD-SIGNAL-KILLS", takeoverHints[Ignored],
			"pid %d has no handler for %s, which would end it; nothing was sent", main.pid, a.cfg.Signal)
	}
	return nil
}
