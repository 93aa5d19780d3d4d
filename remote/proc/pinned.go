package proc

import (
	"context"
	_ "embed"
	"fmt"
	"path"
	"strconv"
)

//go:embed pinned.sh
var pinnedScript string

// pinned tells of an app that was started inside a release instead of through
// current: asked to take over, it executes the old release again. Of a program of its
// own Through tells that.
func (a *App) pinned(ctx context.Context, f facts, s spot) []string {
	if s.main == nil || !a.cfg.foreign(s.main) || a.cfg.Method == Restart {
		return nil
	}
	out, err := a.run.Run(ctx, header(map[string]string{"home": a.cfg.home(), "pid": strconv.Itoa(s.main.pid), "unit": a.cfg.Unit, "starts": f.unit.props["ExecStart"]})+pinnedScript)
	dir := answers(out)["pinned"]
	if err != nil || len(dir) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("pid %d was started inside %s, not through current: a reload in place may start that release again; start it by a path through %s",
		s.main.pid, dir[0], path.Join(a.cfg.home(), "current"))}
}
