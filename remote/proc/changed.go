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
func (a *App) changes(ctx context.Context, f facts) (list []string) {
	changed, err := a.changed(ctx, f.unit)
	if err != nil && a.cfg.RestartChanged {
		list = append(list, "the app cannot be reloaded: "+strings.TrimSpace(err.Error()))
	}
	for _, file := range changed {
		what := "a reload in place does not bring it: set reload.on_env_change = \"restart\", or restart the app"
		if a.cfg.RestartChanged {
			what = "the app is restarted while the host is drained"
		}
		list = append(list, fmt.Sprintf("%s was changed since %s was started; %s", file, a.cfg.Unit, what))
	}
	if a.reloads() && f.unit.is("NeedDaemonReload", "yes") {
		list = append(list, fmt.Sprintf("systemd has not read the files of %s since they were changed: run `systemctl daemon-reload`", a.cfg.Unit))
	}
	return list
}

// reloads is false for what is no unit, and where every change of it arrives anyway.
func (a *App) reloads() bool { return a.cfg.Unit != "" && a.cfg.Method != Restart }

// changed are the files of the unit that are younger than its start.
func (a *App) changed(ctx context.Context, u unit) ([]string, error) {
	since := u.props["ActiveEnterTimestampMonotonic"]
	if !a.reloads() || since == "0" {
		return nil, nil
	}
	const asking = "asking what changed since the app was started: %w"
	if since == "" {
		return nil, fmt.Errorf(asking, fmt.Errorf("systemctl tells nothing of %s", a.cfg.Unit))
	}
	out, err := a.run.Run(ctx, header(map[string]string{"files": u.files() + " " + u.environment(), "since": since})+changedScript)
	if err != nil {
		return nil, fmt.Errorf(asking, err)
	}
	return answers(out)["changed"], nil
}

// environment are the files that the unit has it from, patterns of such among them.
func (u unit) environment() string {
	var files []string
	for line := range strings.Lines(u.props["EnvironmentFiles"]) {
		file, _, _ := strings.Cut(line, " (ignore_errors=")
		files = append(files, file)
	}
	return strings.Join(files, " ")
}

// mustRestart is true where the app has to be started anew to get what was changed. It
// is an error where that cannot be told: what is reloaded in place would lack it for good.
func (a *App) mustRestart(ctx context.Context, u unit) (bool, error) {
	if !a.cfg.RestartChanged || !a.cfg.canStart() {
		return false, nil
	}
	files, err := a.changed(ctx, u)
	if err != nil || len(files) == 0 {
		return false, err
	}
	a.cfg.Say("FD-RESTARTED", fmt.Sprintf("%s changed since the app was started: it is restarted while the host is drained", strings.Join(files, ", ")))
	return true, nil
}
