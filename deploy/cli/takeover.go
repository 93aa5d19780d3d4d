package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy/health"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote/proc"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// takeoverOf is how the app takes releases over, in the words of those who watch its
// processes; what is a host's own is missing.
func takeoverOf(inv *inventory.Inventory) proc.Config {
	r := inv.Reload
	s := r.System()
	c := proc.Config{
		Method: proc.Method(r.Method), Signal: r.Signal, PIDFile: r.PIDFile, PIDCommand: r.PIDCommand, Unit: r.Unit,
		Command: r.Command, Check: r.Check, Start: r.Start, Stop: r.Stop,
		Timeout: r.Timeout, Drain: drainOf(r, s), Settle: r.Settle,
		OldMayStay: inv.Rollout.OnDrainTimeout == "proceed", Log: r.Log,
		Preset: r.Preset, Kind: proc.Kind(s.Kind), Target: proc.Target(s.Target), Workers: proc.Workers(s.Workers),
		Foreign: s.Foreign, Alone: s.Alone, Several: s.Several, Steps: steps(s.Steps), Back: steps(s.Back),
		RestartIgnored: s.OnIgnored == "restart", RestartFailed: s.OnFailure == "restart",
		RestartChanged: r.OnEnvChange == "restart", Modules: s.Modules, Libraries: libraries(),
	}
	if r.Install == "replace" {
		c.Binary = r.Binary
	}
	return c
}

// drainOf: who gives the takeover longer gives it to the old process, too.
func drainOf(r inventory.Reload, s inventory.System) time.Duration {
	return max(s.DrainTime(), r.Timeout)
}

func steps(list []inventory.Step) (all []proc.Step) {
	for _, s := range list {
		all = append(all, proc.Step{Start: s.Run == "start", Signal: s.Signal, ToNew: s.To == "new", Until: proc.Until(s.Until)})
	}
	return all
}

// libraries are all Go modules that some preset is for.
func libraries() (list []proc.Library) {
	for _, s := range inventory.Systems() {
		for _, m := range s.Modules {
			list = append(list, proc.Library{Module: m, Preset: s.Name, Signal: s.Signal})
		}
	}
	return list
}

// fits is nil unless the artifact is a program that would not take the next release
// over the way that the inventory says.
func (s *session) fits(art *site.Artifact) error {
	c := takeoverOf(s.inv)
	return c.Mismatch(golang(art), "the artifact")
}

// golang is nil for an artifact that is no Go program, or none yet.
func golang(art *site.Artifact) *proc.Go {
	if art == nil || len(art.Modules) == 0 {
		return nil
	}
	return &proc.Go{Modules: art.Modules, Notify: art.Notify}
}

// better names a preset by which the artifact would not need a restart, "" for none.
func (s *session) better(art *site.Artifact) string {
	g := golang(art)
	if g == nil || s.inv.Reload.Method != "restart" {
		return ""
	}
	if l := proc.Suggest(g, libraries()); l != nil {
		return fmt.Sprintf("the artifact has %s: with reload.preset = %q it may take over without a stop", l.Module, l.Preset)
	}
	return ""
}

// versionOf asks an app what it runs, on one fresh connection, from the first machine
// that it can be asked from.
func (c *checker) versionOf(ctx context.Context, host string) (string, error) {
	err := errors.New("there is nobody to ask it")
	for _, v := range append(append([]health.Vantage{}, c.from[host]...), c.own[host]) {
		var said string
		if said, err = c.check.Version(ctx, v.Dialer, v.Addr); err == nil {
			return said, nil
		}
	}
	return "", err
}
