package proc

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"al.essio.dev/pkg/shellescape"
)

//go:embed signal.sh
var signalScript string

//go:embed kill.sh
var killScript string

//go:embed unit.sh
var unitScript string

//go:embed command.sh
var commandScript string

// start brings the app up where nothing of it runs any more and proves it.
func (a *App) start(ctx context.Context, id string) error {
	if err := a.refresh(ctx); err != nil {
		return err
	}
	return a.launch(ctx, id)
}

// bringUp starts the app where nothing of it runs, unless another run's command is about to.
func (a *App) bringUp(ctx context.Context, id string) error {
	if !a.before.facts.runsCommand() {
		return a.launch(ctx, id)
	}
	err := a.prove(ctx, id, start, nil)
	var e *TakeoverError
	if !errors.As(err, &e) || e.Verdict != Dead { // that one was to stop it, or failed
		return err
	}
	return a.start(ctx, id)
}

// launch starts the app where the last account saw nothing of it.
func (a *App) launch(ctx context.Context, id string) error {
	err := a.command(ctx, a.cfg.Start, "start")
	if err != nil && !unknownOutcome(err) {
		return err
	}
	return a.prove(ctx, id, start, err)
}

// refresh takes a new snapshot: what is there now is not what was started.
func (a *App) refresh(ctx context.Context) error {
	f, err := a.look(ctx)
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	a.remember(f, spot{}, nil)
	return nil
}

// command runs a start or stop command of the inventory, or else asks the unit.
// It returns when that has begun.
func (a *App) command(ctx context.Context, argv []string, verb string) error {
	var said string
	var err error
	switch {
	case len(argv) > 0:
		said, err = a.spawn(ctx, argv)
	case a.cfg.Unit != "":
		said, err = a.askUnit(ctx, verb, "")
	default:
		return newError(verb, "FD-NO-START", "set reload.unit, or reload.start and reload.stop",
			"the inventory does not say how to %s the app", verb)
	}
	if err != nil {
		return triggerError(verb, err)
	}
	if k, is := commandOf(said); is {
		a.helper = k
	}
	return nil
}

// spawn starts argv. A unit that failed too often is first made startable again.
func (a *App) spawn(ctx context.Context, argv []string) (string, error) {
	if a.cfg.Unit != "" {
		if said, err := a.askUnit(ctx, "reset-failed", ""); err != nil && unknownOutcome(err) {
			return said, err
		}
	}
	return a.runCommand(ctx, argv, a.cfg.Sudo)
}

// runCommand returns once the command has begun, with the process that runs it.
func (a *App) runCommand(ctx context.Context, argv []string, sudo bool) (string, error) {
	words := shellescape.QuoteCommand(argv)
	if sudo && a.me != 0 {
		words = "sudo -n " + words
	}
	return a.act(ctx, commandScript, map[string]string{
		"home": a.cfg.home(), "notes": a.notes(), "argv": words, "rollout": a.rollout(),
	})
}
