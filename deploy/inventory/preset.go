package inventory

import "time"

// A preset is what is known of one way to take a release over.
type preset struct {
	method  string
	signal  string
	timeout time.Duration
	settle  time.Duration
}

// presets that work. Timeouts: tableflip gives a new process 60 s to be ready,
// and an ExecReload may stand for it; a restart is 30 s to stop, 30 to start.
var presets = map[string]preset{
	"tableflip":       {"signal", "HUP", 65 * time.Second, 2 * time.Second},
	"systemd-reload":  {"systemd", "", 65 * time.Second, 2 * time.Second},
	"systemd-restart": {"restart", "", 60 * time.Second, 2 * time.Second},
	"stop-start":      {"restart", "", 60 * time.Second, 2 * time.Second},
	"custom":          {"", "", 30 * time.Second, 2 * time.Second},
}

// presetNames is every preset that is or will be.
var presetNames = append([]string{
	"tableflip", "systemd-reload", "systemd-restart", "stop-start", "custom",
}, laterPresets...)

var signals = []string{"HUP", "USR1", "USR2", "WINCH", "QUIT", "TERM", "INT"}

func (b *builder) reload() Reload {
	s := b.section("reload")
	r := Reload{
		Preset:     s.word("preset", "custom", presetNames...),
		Install:    s.word("install", "symlink", "symlink", "replace"),
		Binary:     s.str("binary", "", innerPath),
		PIDFile:    s.str("pid_file", "", remotePath),
		PIDCommand: s.argv("pid_command"),
		Unit:       s.str("unit", "", unitName),
		Command:    s.argv("command"),
		Start:      s.argv("start"),
		Stop:       s.argv("stop"),
		Log:        s.str("log", "", remotePath),
	}
	p := presets[r.Preset]
	r.Method = s.word("method", p.method, "signal", "systemd", "command", "restart")
	r.Signal = s.word("signal", p.signal, signals...)
	r.Timeout = s.dur("timeout", p.timeout, time.Millisecond)
	r.Settle = s.dur("settle", p.settle, 0)
	b.reloadNeeds(s, r)
	return r.withUnit()
}

// reloadNeeds adds what the method cannot do without.
func (b *builder) reloadNeeds(s section, r Reload) {
	if r.Install == "replace" {
		s.need("binary", `install = "replace" renames the release over it`)
	}
	switch r.Method {
	case "":
		if !b.on("reload.preset") && !b.on("reload.method") && !isLater(r.Preset) {
			s.needOr("method", "how the running app takes a new release over",
				`set reload.preset, or reload.method; "stop-start" with a unit suits any app`)
		}
	case "signal":
		if r.Signal == "" {
			s.need("signal", `method = "signal" sends it`)
		}
	case "systemd":
		s.need("unit", `method = "systemd" reloads it`)
	case "restart":
		b.restartNeeds(s, r)
	}
}

func (b *builder) restartNeeds(s section, r Reload) {
	switch {
	case s.has("unit"):
	case r.Preset == "systemd-restart":
		s.need("unit", `preset = "systemd-restart" restarts it`)
	case !s.has("start") && !s.has("stop"):
		s.need("unit", `method = "restart" needs it, or start and stop`)
	default:
		s.need("start", "stop alone cannot restart: set both, or unit")
		s.need("stop", "start alone cannot restart: set both, or unit")
	}
}

// withUnit lets systemd start and stop the unit where nothing else is said.
func (r Reload) withUnit() Reload {
	if r.Unit != "" && r.Start == nil {
		r.Start = []string{"systemctl", "start", r.Unit}
	}
	if r.Unit != "" && r.Stop == nil {
		r.Stop = []string{"systemctl", "stop", r.Unit}
	}
	return r
}
