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
	argv := a.cfg.filled(a.cfg.Check)
	if len(argv) == 0 {
		return nil
	}
	own := argv[0] == ownArgv
	if own {
		argv = argv[1:]
	}
	out, err := a.run.Run(ctx, header(map[string]string{"home": a.cfg.home(), "argv": shellescape.QuoteCommand(argv),
		"own": onOff(own), "pid": strconv.Itoa(main.pid), "sudo": onOff(a.cfg.Sudo)})+checkedScript)
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	first, rest, _ := strings.Cut(string(out), "\n")
	code := strings.TrimPrefix(first, "ended ")
	if code == "0" || first == "" {
		return nil
	}
	e := newError("reload", "FD-RELOAD-CHECK", "see its words above; try it by hand on the host, or set reload.check",
		"the check before it ended with %s: %s; nothing was sent", code, strings.Join(a.cfg.Check, " "))
	e.evidence = clean(rest)
	return e
}
