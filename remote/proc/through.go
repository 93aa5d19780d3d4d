package proc

import (
	"context"
	_ "embed"
	"fmt"
	"path"
	"strconv"
	"strings"
)

//go:embed through.sh
var throughScript string

// Through is nil when a new process of the app would come by current, or by binary
// (relative to the app's root, "" for none), or when that cannot be told. Else a
// flip changes nothing of what it would execute: an app is executed again by the name
// that it was started by, a unit by its ExecStart.
func (a *App) Through(ctx context.Context, r Running, binary string) error {
	if r.PID == 0 || r.Sign == "" || r.Interpreted {
		return nil
	}
	out, err := a.run.Run(ctx, header(map[string]string{"home": a.cfg.home(), "binary": binary, "pid": strconv.Itoa(r.PID),
		"exe": r.Exe, "sign": r.Sign, "starts": r.starts, "sudo": onOff(a.cfg.Sudo)})+throughScript)
	if err != nil {
		return fmt.Errorf("processes: %w", err)
	}
	said := map[string]string{}
	for line := range strings.Lines(string(out)) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		said[word] = rest
	}
	asked := "argv"
	if a.cfg.Method == Restart {
		asked = "unit"
	}
	name, astray := strings.CutPrefix(said[asked], "astray ")
	if !astray {
		return nil
	}
	return a.astray(r, name)
}

func (a *App) astray(r Running, name string) error {
	current := path.Join(a.cfg.home(), "current", strings.TrimPrefix(a.cfg.EntryOf("x"), path.Join(a.cfg.ReleasesDir, "x")+"/"))
	hint := fmt.Sprintf("have the unit start %s", current)
	if rel, ok := strings.CutPrefix(name, a.cfg.home()+"/"); ok {
		hint = fmt.Sprintf("set reload.install = \"replace\" and reload.binary = %q, or %s", rel, hint)
	}
	e := newError("proof", "FD-NOT-THROUGH-CURRENT", hint,
		"the app is executed again as %s, which does not come by %s/current: a flip would change nothing of what it runs", name, a.cfg.home())
	e.evidence = []string{r.Detail}
	if r.starts != "" {
		e.evidence = append(e.evidence, fmt.Sprintf("unit %s: ExecStart=%s", a.cfg.Unit, r.starts))
	}
	return e
}
