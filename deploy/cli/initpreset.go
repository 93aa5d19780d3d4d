package cli

import (
	"debug/buildinfo"
	"fmt"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote/proc"
)

// propose takes the preset of the library that a Go program was built with. One that
// needs more than a unit is only told of.
func (d *draft) propose(file string) error {
	if file == "" {
		return nil
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return &deploy.Fault{Code_: "FD-INIT-FILE", Err: fmt.Errorf("--artifact: %w", err), Hint_: "give a Go program, or leave it out"}
	}
	g := &proc.Go{}
	for _, m := range info.Deps {
		g.Modules = append(g.Modules, m.Path)
	}
	l := proc.Suggest(g, libraries())
	if l == nil {
		d.notes = append(d.notes, file+" has no library that hands over to a new process: a host is restarted while it is out of rotation")
		return nil
	}
	for _, s := range inventory.Systems() {
		switch {
		case s.Name != l.Preset:
		case s.Install == "replace":
			d.notes = append(d.notes, fmt.Sprintf("%s has %s: preset = %q needs reload.binary, the path that it is started from", file, l.Module, l.Preset))
		default:
			d.preset, d.why = l.Preset, fmt.Sprintf("%s has %s; %s", file, l.Module, or(s.Note, s.What))
		}
	}
	return nil
}
