package proc

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"al.essio.dev/pkg/shellescape"
)

//go:embed check.sh
var checkScript string

// Check reads what runs, and whether a takeover can be asked for and proven here;
// it changes nothing. Warnings are what may go wrong later, in words. All that was
// found wrong is in the error.
func (a *App) Check(ctx context.Context) (r Running, warnings []string, err error) {
	f, err := a.look(ctx)
	if err != nil {
		return r, nil, fmt.Errorf("processes: %w", err)
	}
	if f.hidepid {
		return r, nil, newError("processes", "FD-PROC-RIGHTS", "mount /proc with a gid= that the SSH user belongs to",
			"/proc is mounted with hidepid: the app's processes cannot be seen")
	}
	s, err := a.cfg.locate(f)
	if err != nil {
		return r, nil, err
	}
	if s.main != nil {
		r = a.told(ctx, f, s, a.cfg.running(f, s))
	}
	warnings = slices.Concat(a.unitWarnings(f), a.changes(ctx, f), a.pinned(ctx, f, s), a.failWarnings(s), a.signalWarnings(ctx, s))
	return r, warnings, errors.Join(a.checkUnit(f), a.checkProof(f, s), a.checkFit(ctx, s), a.checkStart(ctx, s), a.checkRights(ctx, f, s))
}

func (a *App) checkFit(ctx context.Context, s spot) error {
	if s.main == nil || s.deaf {
		return nil
	}
	return a.fits(ctx, s.main)
}

// failWarnings: some systems cannot go on after a takeover that failed.
func (a *App) failWarnings(s spot) []string {
	if s.main == nil || !a.cfg.RestartFailed || a.cfg.canStart() {
		return nil
	}
	return []string{fmt.Sprintf("after a takeover that failed an app of preset %q needs a restart, and the inventory does not say how: "+
		"set reload.unit, or reload.start and reload.stop", a.cfg.Preset)}
}

// signalWarnings: a Go program that asks for signals, and has no library that we know,
// may ask for others than this one.
func (a *App) signalWarnings(ctx context.Context, s spot) []string {
	if s.main == nil || a.cfg.Method != Signal || len(a.cfg.Modules) > 0 || len(a.cfg.Steps) > 0 {
		return nil
	}
	g := a.golangOf(ctx, s.main)
	if g == nil || !g.Notify || len(a.cfg.librariesOf(g)) > 0 {
		return nil
	}
	return []string{fmt.Sprintf("pid %d is a Go program without a library known to take over on %s: "+
		"if it does not ask for that signal itself, %s ends it or is lost", s.main.pid, a.cfg.Signal, a.cfg.Signal)}
}

func (a *App) checkUnit(f facts) error {
	u := f.unit
	switch {
	case a.cfg.Unit == "" && a.cfg.Method == Systemd:
		return newError("unit", "FD-UNIT-MISSING", "set reload.unit", "reload.method = \"systemd\" needs a unit")
	case a.cfg.Unit == "":
	case !u.is("LoadState", "loaded"):
		return newError("unit", "FD-UNIT-MISSING", "install the unit on the host, then `systemctl daemon-reload`",
			"%s is %s", a.cfg.Unit, orElse(u.props["LoadState"], "not known: systemctl gave no answer"))
	case a.cfg.Method == Systemd && !u.is("CanReload", "yes") && u.well():
		return newError("unit", "FD-UNIT-NO-RELOAD", "add ExecReload= to the unit, or set reload.method = \"restart\"",
			"%s cannot be reloaded: it has no ExecReload", a.cfg.Unit)
	}
	return nil
}

// checkProof: of a running app it can be seen whether its program, its directory or
// a file of it tells the release.
func (a *App) checkProof(f facts, s spot) error {
	p := s.main
	if p != nil && a.cfg.Kind == SamePID && a.cfg.foreign(p) && p.image == 0 {
		return newError("proof", "FD-PROOF-IMPOSSIBLE", "use an SSH user that the app runs as, or reload.preset = \"systemd-restart\"",
			"the SSH user may not see when pid %d executes itself anew", p.pid)
	}
	if p == nil || a.cfg.VersionProbe != nil {
		return nil
	}
	switch {
	case a.cfg.copies(f, p):
		return newError("proof", "FD-PROOF-IMPOSSIBLE", "set health.version_path",
			"the workers of pid %d are copies of it: their directory does not tell what code they have", p.pid)
	case len(f.traces(p)) > 0:
	case p.ino == "":
		return newError("proof", "FD-PROOF-IMPOSSIBLE", "set health.version_path, or reload.sudo = true with `stat` and `ls` in sudoers",
			"the SSH user may not see which program pid %d runs", p.pid)
	case a.cfg.foreign(p):
		return newError("proof", "FD-PROOF-IMPOSSIBLE", "set health.version_path",
			"pid %d runs %s, and neither its directory nor an open file tells the release", p.pid, p.exe)
	}
	return nil
}

// copies is true for workers that a master which stays makes of itself: it may change its
// directory and still hand on code that it read before, as gunicorn does with --preload.
func (c *Config) copies(f facts, main *process) bool {
	stays := c.Method != Restart && (c.Kind == MasterWorker || c.Kind == AnyKind)
	below := func(p *process) bool { return p.ppid == main.pid && sameProgram(p, main) }
	return stays && len(f.native(main)) == 0 && f.listens(main) && slices.ContainsFunc(f.listeners(), below)
}

func (a *App) checkStart(ctx context.Context, s spot) error {
	if s.main == nil && len(a.cfg.Start) == 0 && a.cfg.Unit == "" {
		return a.command(ctx, nil, "start")
	}
	return nil
}

// unitWarnings: an app that hands over to a child takes the unit down with its old
// process, unless systemd is told of the new one.
func (a *App) unitWarnings(f facts) (list []string) {
	u := f.unit
	if a.cfg.Unit == "" || a.cfg.Method == Restart || a.cfg.Kind == SamePID || a.cfg.Kind == MasterWorker {
		return nil
	}
	simple := slices.Contains([]string{"simple", "exec", "forking"}, u.props["Type"])
	if simple && u.props["PIDFile"] == "" {
		list = append(list, fmt.Sprintf("unit %s is Type=%s without PIDFile=: when an app that hands over to a child "+
			"ends its old process, systemd ends the new one too", a.cfg.Unit, u.props["Type"]))
	}
	if strings.HasPrefix(u.props["Type"], "notify") && u.is("NotifyAccess", "main") {
		list = append(list, fmt.Sprintf("unit %s has NotifyAccess=main: the message of a new process is not heard; "+
			"an app that hands over to a child needs NotifyAccess=all", a.cfg.Unit))
	}
	return list
}

func (a *App) checkRights(ctx context.Context, f facts, s spot) error {
	out, err := a.run.Run(ctx, header(a.rightsVars(ctx, f, s))+checkScript)
	if err != nil {
		return fmt.Errorf("processes: %w", err)
	}
	said := answers(out)
	if missing := said["missing"]; len(missing) > 0 {
		return newError("processes", "FD-HOST-TOOL", "install what is missing on the host",
			"the host has no %s", strings.Join(missing, ", "))
	}
	return deniedError(strings.Join(said["user"], ""), said["denied"], patterns(said))
}

func (a *App) rightsVars(ctx context.Context, f facts, s spot) map[string]string {
	const nobody, somebody = -1, -2 // who it is we may not see as yet
	owner, needs := nobody, ""
	switch {
	case s.main != nil:
		owner = s.main.uid
	case f.hidden:
		owner = somebody
	}
	if a.cfg.Unit != "" {
		needs = "systemctl"
	}
	command := ""
	if a.cfg.Method == Command {
		command = shellescape.QuoteCommand(a.cfg.filled(a.cfg.Command))
	}
	return map[string]string{
		"command": command, "check": shellescape.QuoteCommand(a.checkWords(ctx, s)), "commandsudo": onOff(a.cfg.CommandSudo),
		"sudo": onOff(a.cfg.Sudo), "owner": strconv.Itoa(owner), "method": string(a.cfg.Method),
		"signals": strings.Join(a.cfg.signals(), " "), "unit": a.cfg.Unit, "needs": needs, "me": strconv.Itoa(f.me),
		"files": f.unit.files(), "program": f.unit.program(), "runsas": f.unit.props["User"],
		"pidfile": a.cfg.PIDFile, "port": strconv.Itoa(a.cfg.Port),
		"start": shellescape.QuoteCommand(a.cfg.Start), "stop": shellescape.QuoteCommand(a.cfg.Stop),
	}
}

// signals are all that a takeover and its way back send.
func (c *Config) signals() []string {
	all := []string{c.Signal}
	for _, s := range slices.Concat(c.Steps, c.Back) {
		if s.Signal != "" && !slices.Contains(all, s.Signal) {
			all = append(all, s.Signal)
		}
	}
	return all
}

func deniedError(user string, denied []string, p Patterns) error {
	if len(denied) == 0 {
		return nil
	}
	e := newError("processes", "FD-PROC-RIGHTS",
		"allow the lines above without a password: sudo visudo -f /etc/sudoers.d/flipdeploy",
		"sudo does not let %s run: %s", user, strings.Join(denied, "; "))
	for _, line := range denied {
		e.evidence = append(e.evidence, SudoersLine(user, line, p))
	}
	return e
}
