package proc

import (
	"context"
	_ "embed"
	"fmt"
	"strconv"
	"strings"

	"al.essio.dev/pkg/shellescape"
)

//go:embed checked.sh
var checkedScript string

// ownArgv stands in a check for the command line of the main process.
const ownArgv = "{argv}"

// checked is nil when the check that is to go before anything is sent ended well.
func (a *App) checked(ctx context.Context, main *process) error {
	if len(a.cfg.Check) == 0 {
		return nil
	}
	out, err := a.runCheck(ctx, main, "")
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	first, rest, _ := strings.Cut(out, "\n")
	code := strings.TrimPrefix(first, "ended ")
	if code == "0" || first == "" {
		return nil
	}
	e := newError("reload", "FD-RELOAD-CHECK", "see its words above; try it by hand on the host, or set reload.check",
		"the check before it ended with %s: %s; nothing was sent", code, strings.Join(a.cfg.Check, " "))
	e.evidence = clean(rest)
	return e
}

// checkWords are the check as it would be run, for sudoers.
func (a *App) checkWords(ctx context.Context, s spot) []string {
	if len(a.cfg.Check) == 0 || s.main == nil {
		return nil
	}
	out, err := a.runCheck(ctx, s.main, "1")
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(out, "\n"), "\n")
}

func (a *App) runCheck(ctx context.Context, main *process, show string) (string, error) {
	argv := a.cfg.filled(a.cfg.Check)
	own := argv[0] == ownArgv
	if own {
		argv = argv[1:]
	}
	out, err := a.run.Run(ctx, header(map[string]string{"home": a.cfg.home(), "argv": shellescape.QuoteCommand(argv), "show": show,
		"own": onOff(own), "pid": strconv.Itoa(main.pid), "owner": strconv.Itoa(main.uid), "sudo": onOff(a.cfg.CommandSudo), "me": strconv.Itoa(a.me)})+checkedScript)
	return string(out), err
}
