package cli

import (
	"context"
	"fmt"
	"path"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/remote/proc"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// find learns what is here that flipdeploy did not install. It is an error when there
// would be no way back to it, unless nobody wants one.
func (h *host) find(ctx context.Context, f site.Facts, r proc.Running) error {
	h.found, h.kept = site.Find{}, false
	foreign, err := h.foreign(ctx, f, r.Release)
	if err != nil || !foreign {
		return err
	}
	p := site.Program{PID: r.PID, Exe: r.Exe, Sign: r.Sign, Interpreted: r.Interpreted}
	if h.found, err = h.site.Find(ctx, p); err != nil {
		return err
	}
	switch {
	case h.found.ID != "":
		h.Adopt(h.found.Sign, h.found.ID)
	case h.found.Why == "":
	case h.found.NoEntry && f.Current != site.Unmanaged:
		return h.noEntry(f.Current)
	case !h.noUndo:
		return h.noWayBack(h.found.Why, r.Detail)
	}
	return nil
}

// foreign tells whether what runs, or else what is installed, is no release of ours.
func (h *host) foreign(ctx context.Context, f site.Facts, runs string) (bool, error) {
	id := or(runs, f.Current)
	switch {
	case id == site.Unmanaged:
		return true, nil
	case id == "": // perhaps a binary that nothing points at
		return h.binary != "", nil
	case f.Releases[id] != "":
		return false, nil
	}
	there, err := h.site.Has(ctx, id)
	return !there, err
}

// withFound has what was found run as the release that it becomes.
func (h *host) withFound(r deploy.Running) deploy.Running {
	if h.found.ID != "" && !h.kept {
		r.Adopts = h.found.Source
		if r.Release != "" {
			r.Release = h.found.ID
		}
	}
	r.NoWay = h.found.Why
	if r.NoWay != "" && r.Release != "" {
		r.Release = site.Unmanaged
	}
	return r
}

// keep makes what was found a release, the way back.
func (h *host) keep(ctx context.Context) error {
	if h.found.ID == "" || h.kept {
		return nil
	}
	err := h.site.Adopt(ctx, h.found)
	h.kept = err == nil
	return err
}

func (h *host) noWayBack(why string, evidence ...string) error {
	return &deploy.Fault{Code_: "FD-NO-WAY-BACK", Err: fmt.Errorf("flipdeploy did not install what is here, and there is no way back to it: %s", why),
		Hint_: "mend that, or go on without a way back: flipdeploy rollout --no-undo", Evidence_: evidence}
}

func orWhy(why string) string { return or(why, "it was not kept when it was replaced") }

func (h *host) noEntry(current string) error {
	return &deploy.Fault{Code_: "FD-ENTRY", Err: fmt.Errorf("current points at %s, which has no program %s: there would be no way back to it", current, path.Base(h.site.EntryPath(current))),
		Hint_: "set app.entry to the program's name in every release, or remove the link when the release is gone"}
}
