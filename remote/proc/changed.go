package proc

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
)

//go:embed changed.sh
var changedScript string

// changes tell what no reload in place brings: a unit, or a file of its environment,
// that was changed since the app was started.
func (a *App) changes(ctx context.Context) (list []string) {
	said := a.changed(ctx)
	for _, file := range said["changed"] {
		what := "a reload in place does not bring it: set reload.on_env_change = \"restart\", or restart the app"
		if a.cfg.RestartChanged {
			what = "the app is restarted while the host is drained"
		}
		list = append(list, fmt.Sprintf("%s was changed since %s was started; %s", file, a.cfg.Unit, what))
	}
	if said["stale"] != nil {
		list = append(list, fmt.Sprintf("systemd has not read the files of %s since they were changed: run `systemctl daemon-reload`", a.cfg.Unit))
	}
	return list
}

// changed is nothing where it cannot be asked, or where every change arrives anyway.
func (a *App) changed(ctx context.Context) map[string][]string {
	if a.cfg.Unit == "" || a.cfg.Method == Restart {
		return nil
	}
	out, err := a.run.Run(ctx, header(map[string]string{"unit": a.cfg.Unit})+changedScript)
	if err != nil {
		return nil
	}
	return answers(out)
}

// mustRestart is true where the app has to be started anew to get what was changed.
func (a *App) mustRestart(ctx context.Context) bool {
	if !a.cfg.RestartChanged || !a.cfg.canStart() {
		return false
	}
	files := a.changed(ctx)["changed"]
	if len(files) == 0 {
		return false
	}
	a.cfg.Say("FD-RESTARTED", fmt.Sprintf("%s changed since the app was started: it is restarted while the host is drained", strings.Join(files, ", ")))
	return true
}
