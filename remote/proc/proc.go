// Package proc knows the app's processes on one host: which one to ask for a
// takeover, whether that came to pass, and how to undo it. It asks the host with
// short scripts that print facts; what the facts mean is decided here, in Go.
package proc

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"
)

// A Runner runs a POSIX sh script on the host. The error is nil only for exit 0;
// one that has OutcomeUnknown() == true tells that nobody knows how it ended.
type Runner interface {
	Run(ctx context.Context, script string) (stdout []byte, err error)
}

// A Method is how the running app is asked to take a release over.
type Method string

const (
	Signal  Method = "signal"  // one signal to the main process
	Systemd Method = "systemd" // systemctl reload
	Command Method = "command" // a command of the inventory
	Restart Method = "restart" // systemctl restart, or stop and start
)

// Config tells of one app on one host. Port, ReleasesDir and EntryOf are needed.
type Config struct {
	Method  Method
	Signal  string // HUP, USR2; default HUP
	PIDFile string
	// PIDCommand prints the process id, or with Workers ByName those of all workers.
	PIDCommand []string
	Unit       string
	Command    []string // asks for the takeover, with Method Command
	Check      []string // must end with 0 before anything is sent
	Binary     string   // renamed over on each flip, relative to the app's root; "" for none
	Port       int
	Address    string // when several apps share the port: only this address, or all, counts
	Start      []string
	Stop       []string
	Sudo       bool
	// CommandSudo: Command and Check go through sudo, too.
	CommandSudo bool
	Timeout     time.Duration // of a takeover; default 30s
	Drain       time.Duration // for old processes to end after it; default Timeout
	Settle      time.Duration

	Preset  string // its name, for people
	Kind    Kind
	Target  Target
	Workers Workers
	Foreign bool   // the program that runs is not the release's own
	Alone   bool   // nothing else may listen when it is done; of a master's workers, one
	Several bool   // several may listen side by side
	Steps   []Step // a dance instead of one signal
	Back    []Step // what undoes a dance that was not finished
	// RestartIgnored restarts an app that did not answer; RestartFailed one whose takeover
	// failed, instead of asking it ever again.
	RestartIgnored, RestartFailed bool
	RestartChanged                bool      // restart where the unit changed since the app was started
	Modules                       []string  // the program must have one of them
	Libraries                     []Library // all that are known
	// Say is told what a person should know, while it goes on; nil tells nobody.
	Say func(code, text string)
	// OldMayStay: what served before may live on beside what took over, for the
	// sessions it still has, once it no longer listens.
	OldMayStay bool
	Poll       time.Duration // default 150ms
	Log        string        // a file; "" is the unit's journal

	ReleasesDir string
	EntryOf     func(id string) string // absolute path of a release's entry file

	// VersionProbe asks the app on one fresh connection; nil when it cannot be asked.
	VersionProbe func(ctx context.Context) (string, error)
	// Rollout names the rollout in hand, which may be another run's; nil is none.
	Rollout func() string
	// Fence wraps a script that changes something; nil leaves it as it is.
	Fence func(script string) string
}

// An App is the app on one host. It remembers the last takeover, for Settled,
// Alive and Restore, and is used by one goroutine at a time.
type App struct {
	cfg    Config
	run    Runner
	before *snapshot         // as it was when Reload was called
	born   map[key]process   // seen since, and alive when last looked
	after  *snapshot         // as the takeover was proven
	me     int               // uid of the SSH user, as of the last look
	helper key               // runs a start, stop or reload command
	way    way               // that it is asked for
	note   string            // that the next act leaves
	vain   uint64            // the note that nothing came of
	adopts map[string]string // sign of a program that is to be adopted -> release id
	failed bool              // the last takeover did, after it was asked for
	danced int               // steps of a dance that were begun and not brought to an end
	golang map[string]*Go    // what is known of programs, by dev:inode

	named   []int // what the pid command printed
	namedAt time.Time
	looked  time.Time // when the last look began
	kept    *facts    // it, while nothing was done since and nobody used it
	seen    *facts    // it, while nothing was done since, whoever used it
}

// A Running is what runs on the host now.
type Running struct {
	Release string // release id; "" when nothing runs, "?" when it is none of ours
	PID     int
	Start   uint64 // clock ticks between the machine's boot and the process's start
	Exe     string // as the kernel tells it, " (deleted)" included
	Detail  string
	Sign    string // inode:size:mtime of its file; "" when we may not see it
	// Interpreted: the program is one that runs others, such as python.
	Interpreted bool
	starts      string // what the unit would start
}

// New does no I/O.
func New(cfg Config, run Runner) *App {
	cfg.Signal = strings.TrimPrefix(orElse(cfg.Signal, "HUP"), "SIG")
	cfg.Method = orElse(cfg.Method, Signal)
	cfg.Timeout = orElse(cfg.Timeout, 30*time.Second)
	cfg.Poll = orElse(cfg.Poll, 150*time.Millisecond)
	cfg.Drain = orElse(cfg.Drain, cfg.Timeout)
	if cfg.Say == nil {
		cfg.Say = func(_, _ string) {}
	}
	if cfg.Fence == nil {
		cfg.Fence = func(script string) string { return script }
	}
	return &App{cfg: cfg, run: run, me: -1, born: map[key]process{}, golang: map[string]*Go{}}
}

func orElse[T comparable](v, other T) T {
	var zero T
	if v == zero {
		return other
	}
	return v
}

// Running tells what runs. All configured sources must name one app; when they do
// not, the error is an *AmbiguousError.
func (a *App) Running(ctx context.Context) (Running, error) {
	f, err := a.look(ctx)
	if err != nil {
		return Running{}, fmt.Errorf("processes: %w", err)
	}
	s, err := a.cfg.locate(f)
	if err != nil || s.main == nil {
		return Running{}, err
	}
	return a.told(ctx, f, s, a.cfg.running(f, s)), nil
}

func (c *Config) running(f facts, s spot) Running {
	p := s.main
	r := Running{Release: c.release(f, p), PID: p.pid, Start: p.start, Exe: p.exe, Sign: p.sign, Interpreted: c.foreign(p), starts: f.unit.program()}
	r.Detail = fmt.Sprintf("pid %d runs %s", p.pid, orElse(p.exe, "a program that we may not see"))
	if s.deaf {
		r.Detail += ", does not listen"
	}
	if n := len(s.draining); n > 0 {
		r.Detail += fmt.Sprintf(", %d old still draining", n)
	}
	return r
}

// home is the app's root on the host.
func (c *Config) home() string { return path.Dir(path.Clean(c.ReleasesDir)) }
