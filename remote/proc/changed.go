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
	said, err := a.changed(ctx)
	if err != nil && a.cfg.RestartChanged {
		list = append(list, "the app cannot be reloaded: "+strings.TrimSpace(err.Error()))
	}
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

// changed is nothing where every change arrives anyway.
func (a *App) changed(ctx context.Context) (map[string][]string, error) {
	if a.cfg.Unit == "" || a.cfg.Method == Restart {
		return nil, nil
	}
	out, err := a.run.Run(ctx, header(map[string]string{"unit": a.cfg.Unit})+changedScript)
	if err != nil {
		return nil, fmt.Errorf("asking what changed since the app was started: %w", err)
	}
	return answers(out), nil
}

// mustRestart is true where the app has to be started anew to get what was changed. It
// is an error where that cannot be told: what is reloaded in place would lack it for good.
func (a *App) mustRestart(ctx context.Context) (bool, error) {
	if !a.cfg.RestartChanged || !a.cfg.canStart() {
		return false, nil
	}
	said, err := a.changed(ctx)
	files := said["changed"]
	if err != nil || len(files) == 0 {
		return false, err
	}
	a.cfg.Say("FD-RESTARTED", fmt.Sprintf("%s changed since the app was started: it is restarted while the host is drained", strings.Join(files, ", ")))
	return true, nil
}
