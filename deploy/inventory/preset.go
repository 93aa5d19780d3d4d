package inventory

import (
	"fmt"
	"slices"
	"time"
)

var signals = []string{"HUP", "USR1", "USR2", "WINCH", "QUIT", "TERM", "INT"}

func (b *builder) reload() Reload {
	s := b.section("reload")
	p := system(s.word("preset", "custom", presetNames()...))
	r := Reload{
		Preset:      p.Name,
		Install:     s.word("install", p.Install, "symlink", "replace"),
		Binary:      s.str("binary", "", innerPath),
		PIDFile:     s.str("pid_file", "", remotePath),
		Unit:        s.str("unit", "", unitName),
		Start:       s.argv("start"),
		Stop:        s.argv("stop"),
		Log:         s.str("log", "", remotePath),
		OnEnvChange: s.word("on_env_change", "warn", "warn", "restart"),
	}
	r.Method = s.word("method", p.Method, "signal", "systemd", "command", "restart")
	r.Signal = s.word("signal", p.Signal, signals...)
	r.Command = b.commandOr(s, "command", r, p.Command)
	r.Check = b.commandOr(s, "check", r, p.Check)
	r.PIDCommand = b.commandOr(s, "pid_command", r, p.PIDCommand)
	r.Timeout = s.dur("timeout", time.Duration(p.Timeout), time.Millisecond)
	r.Settle = s.dur("settle", time.Duration(p.Settle), 0)
	b.reloadNeeds(s, r)
	b.presetNeeds(s, r, p)
	return r.withUnit()
}

// commandOr is the command as given, else the preset's where its method is left.
func (b *builder) commandOr(s section, key string, r Reload, preset []string) []string {
	p := system(r.Preset)
	if s.has(key) || r.Method != p.Method {
		return s.argv(key)
	}
	return r.filled(preset, b.inv.App.Name)
}

// presetNeeds adds what the preset cannot do without, and what it cannot live with.
func (b *builder) presetNeeds(s section, r Reload, p System) {
	if r.Method != p.Method {
		return
	}
	for _, key := range p.Needs {
		s.need(key, fmt.Sprintf("preset = %q needs it", p.Name))
	}
	for key, why := range p.Never {
		if s.has(key) {
			s.fault(key, fmt.Sprintf("does not go with preset = %q: %s", p.Name, why), "")
		}
	}
	if p.OnlyInstall && r.Install != p.Install {
		s.fault("install", fmt.Sprintf("preset = %q needs %q: %s", p.Name, p.Install, p.Note), "")
	}
}

// reloadNeeds adds what the method cannot do without.
func (b *builder) reloadNeeds(s section, r Reload) {
	if r.Install == "replace" {
		s.need("binary", `install = "replace" renames the release over it`)
	}
	switch r.Method {
	case "":
		if !b.on("reload.preset") && !b.on("reload.method") {
			s.needOr("method", "how the running app takes a new release over",
				`set reload.preset, or reload.method; "stop-start" with a unit suits any app`)
		}
	case "signal":
		if r.Signal == "" {
			s.need("signal", `method = "signal" sends it`)
		}
	case "systemd":
		s.need("unit", `method = "systemd" reloads it`)
	case "command":
		if r.Command == nil && !slices.Contains(system(r.Preset).Needs, "command") {
			s.need("command", `method = "command" runs it`)
		}
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
