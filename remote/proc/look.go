package proc

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"al.essio.dev/pkg/shellescape"
)

//go:embed look.sh
var lookScript string

//go:embed look.awk
var lookAwk string

// props is all that is asked of systemd, in one call for whatever is to be known: it costs
// the host a quarter of a look, and hardly more for all of these than for one.
const props = "LoadState,ActiveState,SubState,MainPID,ControlPID,NRestarts,Job,ControlGroup," +
	"Type,PIDFile,NotifyAccess,KillMode,CanReload,Result,ReloadResult," +
	"User,ExecStart,FragmentPath,DropInPaths,EnvironmentFiles,ActiveEnterTimestampMonotonic,NeedDaemonReload"

// namesLast is how long the pid command's answer holds: it may cost more than a look.
const namesLast = time.Second

// look reads all facts with one script.
func (a *App) look(ctx context.Context) (facts, error) {
	a.looked, a.kept, a.seen = time.Now(), nil, nil
	out, err := a.run.Run(ctx, a.lookScript())
	if err != nil {
		return facts{}, err
	}
	f, complete := parse(out, &a.cfg)
	if !complete {
		return facts{}, errors.New("the host's answer is cut short")
	}
	a.me = f.me
	a.helper = a.whoRuns(f)
	f.helper = a.helper
	maps.Copy(f.adopted, a.adopts)
	if a.takeNames(&f); !f.asked && a.passed(f) {
		a.namedAt = time.Time{}
		return a.look(ctx)
	}
	a.cfg.narrow(&f)
	a.seen = &f
	return f, nil
}

// takeNames remembers what the pid command printed, if it was asked.
func (a *App) takeNames(f *facts) {
	if f.asked {
		a.named, a.namedAt = f.named, time.Now()
	}
	f.named = a.named
}

// passed is true when one that the pid command named has ended, or no longer listens as it
// did: it would name another now.
func (a *App) passed(f facts) bool {
	for _, pid := range f.named {
		if p := f.procs[pid]; !p.alive() || a.before != nil && a.before.main != nil && pid == a.before.main.pid && !f.listens(p) {
			return true
		}
	}
	return false
}

func (a *App) namesDue() bool {
	return len(a.cfg.PIDCommand) > 0 && time.Since(a.namedAt) >= namesLast
}

// keep leaves the last look to the next one who wants to know the same.
func (a *App) keep(f facts) { a.kept = &f }

// lookOnce takes the look that was kept, while it is younger than a poll; it is used
// once, and never across an act of ours.
func (a *App) lookOnce(ctx context.Context) (facts, error) {
	if f := a.kept; f != nil && time.Since(a.looked) < a.cfg.Poll {
		a.kept = nil
		return *f, nil
	}
	return a.look(ctx)
}

func (a *App) lookScript() string {
	prefix, suffix := a.cfg.entryPattern()
	names := ""
	if a.namesDue() {
		names = shellescape.QuoteCommand(a.cfg.filled(a.cfg.PIDCommand))
	}
	return header(map[string]string{
		"releases": a.cfg.ReleasesDir, "prefix": prefix, "suffix": suffix,
		"unit": a.cfg.Unit, "props": props, "pidfile": a.cfg.PIDFile, "pidcommand": names,
		"port": strconv.Itoa(a.cfg.Port), "address": a.cfg.Address, "sudo": onOff(a.cfg.Sudo),
		"known": a.known(), "log": a.cfg.Log, "notes": a.notes(),
		"tell": lookAwk,
	}) + lookScript
}

// known are the processes that the script tells of even when nothing else leads
// to them any more.
func (a *App) known() string {
	var pids []string
	for _, pid := range a.named {
		pids = append(pids, strconv.Itoa(pid))
	}
	for k := range a.born {
		pids = append(pids, strconv.Itoa(k.pid))
	}
	for _, s := range []*snapshot{a.before, a.after} {
		if s == nil {
			continue
		}
		for k := range s.ours {
			pids = append(pids, strconv.Itoa(k.pid))
		}
	}
	if a.helper.pid > 0 {
		pids = append(pids, strconv.Itoa(a.helper.pid))
	}
	return strings.Join(pids, " ")
}

// notes is where a start or stop command leaves its words.
func (a *App) notes() string { return a.cfg.home() + "/.flipdeploy/command.log" }

// header sets shell variables, all of them quoted.
func header(vars map[string]string) string {
	var b strings.Builder
	for name, value := range vars {
		fmt.Fprintf(&b, "%s=%s\n", name, shellescape.Quote(value))
	}
	return b.String()
}

func onOff(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// act runs a script that changes something, under the host's fence. Cut short on
// its way it is a syntax error and does nothing.
func (a *App) act(ctx context.Context, script string, vars map[string]string) (string, error) {
	a.kept, a.seen, a.namedAt = nil, nil, time.Time{}
	if a.note != "" {
		vars["note"], vars["asked"] = a.note, a.cfg.home()+"/.flipdeploy/asked"
		script, a.note = askedScript+script, ""
	}
	out, err := a.run.Run(ctx, a.cfg.Fence("{\n"+header(vars)+script+"\n}\n"))
	return strings.TrimSpace(string(out)), err
}

// pause returns early with the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
