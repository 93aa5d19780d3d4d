package proc

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed modules.sh
var modulesScript string

// A Library is a Go module that hands sockets over, and how it is asked to.
type Library struct {
	Module string
	Preset string
	Signal string // "" when no signal does it
}

// Go is what is known of a Go program. The kernel tells nothing of its signals: the
// runtime catches them all, and what nobody asked for ends it or is dropped.
type Go struct {
	Modules []string // none: it was built without, and nothing can be told
	Notify  bool     // some of it asks for signals
}

// golangOf is nil for a program that is none of Go's, or that we may not read.
func (a *App) golangOf(ctx context.Context, p *process) *Go {
	if g, known := a.golang[p.ino]; known && p.ino != "" {
		return g
	}
	out, err := a.run.Run(ctx, header(map[string]string{"pid": strconv.Itoa(p.pid), "exe": p.exe})+modulesScript)
	if err != nil {
		return nil
	}
	g := parseGo(string(out))
	a.golang[p.ino] = g
	return g
}

func parseGo(text string) *Go {
	is, g := false, &Go{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		word, module, _ := strings.Cut(line, "\t")
		switch {
		case line == "Go buildinf:":
			is = true
		case word == "mod", word == "dep":
			g.Modules = append(g.Modules, strings.TrimSuffix(module, "\t"))
		case strings.HasPrefix(line, "os/signal.Notify"):
			g.Notify = true
		}
	}
	if !is {
		return nil
	}
	return g
}

// Mismatch is why a Go program cannot be asked by this configuration's signal; what
// names it, as in "pid 12" or "dist/shop". Nil when it can, or nobody can tell.
func (c *Config) Mismatch(g *Go, what string) error {
	if g == nil || len(g.Modules) == 0 || c.Method != Signal || len(c.Steps) > 0 {
		return nil
	}
	has := c.librariesOf(g)
	switch {
	case slices.ContainsFunc(c.Modules, g.has), len(c.Modules) == 0 && takes(has, c.Signal):
		return nil
	case len(c.Modules) > 0:
		return mismatch(has, "%s is a Go program without %s, which preset %q asks for", what, c.Modules[0], c.Preset)
	case len(has) > 0:
		return mismatch(has, "%s is a Go program with %s, which does not take over on %s", what, has[0].Module, c.Signal)
	case !g.Notify:
		return mismatch(nil, "%s is a Go program that asks for no signals: %s would end it or be lost", what, c.Signal)
	}
	return nil
}

func (g *Go) has(module string) bool {
	return slices.ContainsFunc(g.Modules, func(m string) bool { return m == module || strings.HasPrefix(m, module+"/v") })
}

func (c *Config) librariesOf(g *Go) (list []Library) {
	for _, l := range c.Libraries {
		if g.has(l.Module) {
			list = append(list, l)
		}
	}
	return list
}

func takes(list []Library, signal string) bool {
	return slices.ContainsFunc(list, func(l Library) bool { return l.Signal == signal })
}

func mismatch(has []Library, format string, args ...any) error {
	hint := `an app without a library that hands over needs reload.preset = "systemd-restart" or "stop-start"`
	if len(has) > 0 {
		hint = fmt.Sprintf("set reload.preset = %q, or \"systemd-restart\" for any app", has[0].Preset)
	}
	return newError("reload", "FD-PRESET-MISMATCH", hint, format, args...)
}

// fits is nil unless the program that runs would not take over on the signal.
func (a *App) fits(ctx context.Context, main *process) error {
	if a.cfg.Method != Signal {
		return nil
	}
	if strings.HasPrefix(main.name, "PM2 v") {
		return newError("reload", "FD-PRESET-MISMATCH", `set reload.preset = "pm2-reload"`,
			"pid %d is pm2's own daemon, which runs all its apps", main.pid)
	}
	return a.cfg.Mismatch(a.golangOf(ctx, main), fmt.Sprintf("pid %d", main.pid))
}

// Suggest is the library that a program has, nil without one.
func Suggest(g *Go, known []Library) *Library {
	c := Config{Libraries: known}
	if has := c.librariesOf(g); len(has) > 0 {
		return &has[0]
	}
	return nil
}
