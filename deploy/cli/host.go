package cli

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/proc"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// A host joins the app's directory and the app's processes on one machine.
type host struct {
	*proc.App
	name     string
	machine  *sureMachine
	site     *site.Site
	artifact *site.Artifact // nil where the release must be there already
	cargo    *site.Cargo    // of the artifact, once it is on its way
	facts    site.Facts     // of the preflight
	observed bool
	warnings []string
	found    site.Find // an app that flipdeploy did not install
	kept     bool      // found is a release by now
	binary   string    // with replace: what is renamed over
	noUndo   bool      // nobody wants a way back
	gone     string    // what to do where a release is gone; "": what is usual

	version func(ctx context.Context) (string, error) // asks the app itself
	well    func(ctx context.Context) error           // looks for what its health check needs
	say     func(code, text string)                   // tells people while it goes on
	rollout func() string                             // in hand
}

var _ deploy.Host = (*host)(nil)

func newHost(inv *inventory.Inventory, h inventory.Host, m *remote.Machine) *host {
	at := site.Config{Path: h.Path, Install: inv.Reload.Install, Binary: inv.Reload.Binary, Keep: inv.App.Keep, User: h.User}
	sure := &sureMachine{Machine: m, turns: site.New(at, m).Turn}
	x := &host{name: h.Name, binary: inv.Reload.Binary, machine: sure, site: site.New(at, sure)}
	c := takeoverOf(inv)
	c.Port, c.Sudo, c.CommandSudo = h.Ports[0], h.ReloadSudo, h.CommandSudo
	c.ReleasesDir, c.EntryOf = path.Join(h.Path, "releases"), x.site.EntryPath
	c.Fence = func(script string) string { return x.site.Guard(script) }
	c.Say = func(code, text string) { x.say(code, text) }
	c.Rollout = func() string { return x.rollout() }
	if inv.Health.VersionPath != "" {
		c.VersionProbe = func(ctx context.Context) (string, error) { return x.version(ctx) }
	}
	x.App = proc.New(c, guarded{sure, x})
	return x
}

// guarded tells of a fence that shut us out in the site's own words.
type guarded struct {
	*sureMachine
	host *host
}

func (g guarded) Run(ctx context.Context, script string) ([]byte, error) {
	out, err := g.sureMachine.Run(ctx, script)
	return out, g.host.site.Explain(err)
}

// setEntry names the program inside releases.
func (h *host) setEntry(name string) { *h.site = *h.site.WithEntry(name) }

func (h *host) Name() string { return h.name }

func (h *host) Running(ctx context.Context) (deploy.Running, error) {
	r, err := h.App.Running(ctx)
	return h.withFound(asRunning(r)), err
}

func asRunning(r proc.Running) deploy.Running {
	return deploy.Running{Release: r.Release, PID: r.PID, Detail: r.Detail}
}

func (h *host) Current(ctx context.Context) (string, error) {
	if h.found.ID != "" && !h.kept {
		return h.found.ID, nil
	}
	return h.site.Current(ctx)
}

func (h *host) Flip(ctx context.Context, id string) error {
	if id == site.Unmanaged {
		return h.noWayBack(orWhy(h.found.Why))
	}
	return h.site.Flip(ctx, id)
}

func (h *host) Prune(ctx context.Context, protect []string) error {
	used, err := h.InUse(ctx)
	if err != nil {
		return err
	}
	return h.site.Prune(ctx, slices.DeleteFunc(append(used, protect...), func(id string) bool { return id == site.Unmanaged }))
}

// Stage keeps what was found, sends the artifact where the release is its own, and
// makes sure that any other release is there already.
func (h *host) Stage(ctx context.Context, r deploy.Release, tell func(n, of int64)) (deploy.Sent, error) {
	if err := h.keep(ctx); err != nil {
		return deploy.Sent{}, err
	}
	if h.artifact != nil && r.SHA256 == h.artifact.SHA256 {
		done, err := h.site.Ship(ctx, r.ID, h.cargo, tell)
		if done.NoPull != nil && h.artifact.CanPull(h.facts.Tools) { // else the preflight has said so
			h.say(deploy.CodeOf(done.NoPull), "it did not fetch "+h.artifact.From.String()+", and got the release from here: "+done.NoPull.Error())
		}
		return deploy.Sent{Bytes: done.Sent, How: done.How, Note: done.Note}, err
	}
	return deploy.Sent{}, h.has(ctx, r)
}

// has is nil when the release is there, or will be once what was found is kept.
func (h *host) has(ctx context.Context, r deploy.Release) error {
	if r.ID == h.found.ID {
		return nil
	}
	if r.ID == site.Unmanaged {
		return h.noWayBack("it was not kept")
	}
	if there, err := h.site.Has(ctx, r.ID); there || err != nil {
		return err
	}
	return &deploy.Fault{Code_: "FD-RELEASE-GONE", Err: fmt.Errorf("release %s is not here (any more)", r.ID),
		Hint_: or(h.gone, "give the file it was made from with --artifact PATH, or go back to another revision with --to")}
}

// fence reads the highest epoch that acted here; the preflight has seen it, if
// there was one.
func (h *host) fence(ctx context.Context) (int64, error) {
	if h.observed {
		return h.facts.Fence, nil
	}
	f, err := h.site.Observe(ctx)
	return f.Fence, err
}

// raise shuts earlier runs out.
func (h *host) raise(ctx context.Context, epoch int64) error {
	if err := h.site.Fence(ctx, epoch); err != nil {
		return err
	}
	*h.site = *h.site.WithEpoch(epoch)
	h.machine.fenced(epoch)
	return nil
}

// A sight is what the preflight saw on a host.
type sight struct {
	current string
	running deploy.Running
	seen    bool
}

// check looks at the host and for all that would fail later; nothing is changed.
func (h *host) check(ctx context.Context, release func(*site.Artifact) string) (sight, error) {
	f, err := h.site.Observe(ctx)
	if err != nil {
		return sight{}, err
	}
	h.facts, h.observed = f, true
	r, warnings, wrong := h.Check(ctx)
	saw := sight{current: f.Current, running: asRunning(r), seen: true}
	h.warnings = warnings
	noWay := both(
		func() error { return h.find(ctx, f, r) },
		func() error { return h.Through(ctx, r, h.binary) },
	)
	if h.found.ID != "" {
		saw.current = h.found.ID
	}
	saw.running = h.withFound(saw.running)
	var room []error
	if h.artifact != nil {
		f.FreeBytes = max(0, f.FreeBytes-h.found.Bytes) // it is kept beside
		room = h.site.Preflight(f, release(h.artifact), h.artifact)
		if h.artifact.From != nil && !h.artifact.CanPull(f.Tools) {
			h.warnings = append(h.warnings, h.artifact.NoPull(f.Tools)+": it gets the release from here, not from "+h.artifact.From.String())
		}
	}
	return saw, errors.Join(append(room, wrong, noWay, h.well(ctx))...)
}
