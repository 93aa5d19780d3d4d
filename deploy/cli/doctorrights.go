package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"al.essio.dev/pkg/shellescape"
	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/proc"
)

// rights are what root has to do or to allow once on one machine.
type rights struct {
	User    string   `json:"user"`
	Sudoers []string `json:"sudoers"` // lines for a file in /etc/sudoers.d
	Run     []string `json:"run"`     // commands for root, once
	Root    []string `json:"root"`    // why the lines amount to root
}

func (d *diagnosis) enter(machine string, r rights) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rights[machine] = r
}

// allow adds lines of sudoers, and why they amount to root.
func (r rights) allow(lines, root []string) rights {
	r.Sudoers, r.Root = append(r.Sudoers, lines...), append(r.Root, root...)
	return r
}

func newRights(user string) rights {
	return rights{User: user, Sudoers: []string{}, Run: []string{}, Root: []string{}}
}

// rights are those of a host. What could not be asked Check has told.
func (h *host) rights(ctx context.Context, path string) rights {
	need, _ := h.Rights(ctx)
	r := newRights(or(need.User, h.facts.User)).allow(need.Sudoers, need.Root)
	if f := h.facts; h.observed && (!f.Exists || !f.Writable && !slices.Contains(f.Foreign, path)) {
		r.Run = append(r.Run, installLine(r.User, path))
	}
	for _, dir := range h.facts.Foreign {
		r.Run = append(r.Run, installLine(r.User, dir))
	}
	return r
}

// balancerRights are those of a balancer: its driver's, and the directory of our own.
func balancerRights(ctx context.Context, m *remote.Machine, user, dir string, from driver) rights {
	out, _ := m.Run(ctx, "id -un\n[ -d "+shellescape.Quote(dir)+" ] && [ -w "+shellescape.Quote(dir)+" ] || echo missing\n")
	name, missing, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	r := newRights(or(name, user))
	if asked, ok := from.(interface {
		Rights(ctx context.Context) (lb.Rights, error)
	}); ok {
		need, _ := asked.Rights(ctx)
		for _, command := range need.Sudo {
			r = r.allow([]string{proc.SudoersLine(r.User, command, proc.Wildcards)}, nil)
		}
		r = r.allow(nil, need.Root)
	}
	if missing != "" {
		r.Run = append(r.Run, installLine(r.User, dir))
	}
	return r
}

func installLine(user, dir string) string {
	return fmt.Sprintf("install -d -m 0755 -o %s %s", shellescape.Quote(user), shellescape.Quote(dir))
}
