package lb

import (
	"context"
	_ "embed"
	"strings"
)

//go:embed script/full.sh
var fullSh string

// Rights are what the SSH user needs of root on a balancer's machine.
type Rights struct {
	Sudo []string // commands that go through sudo, with full paths; none where they need not
	Root []string // why these rights amount to root, in words
}

func needed(out []byte, why string) (r Rights) {
	for line := range strings.Lines(string(out)) {
		if command, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "needs "); ok {
			r.Sudo = append(r.Sudo, command)
		}
	}
	if len(r.Sudo) > 0 && why != "" {
		r.Root = []string{why}
	}
	return r
}

// Rights tells what an edit and a reload of nginx need here, allowed or not.
func (n *Nginx) Rights(ctx context.Context) (Rights, error) {
	s, err := n.look(ctx, lookFiles)
	if err != nil {
		return Rights{}, err
	}
	out, err := n.read.Run(ctx, n.checkScript(s))
	if err != nil {
		return Rights{}, n.explain("asking nginx", err)
	}
	return needed(out, "nginx runs as root whatever its configuration says, and these commands write it"), nil
}

// Rights tells what HAProxy's sockets need here, allowed or not.
func (h *HAProxy) Rights(ctx context.Context) (Rights, error) {
	out, err := h.read.Run(ctx, h.script("", fullSh+socketRightsSh))
	if err != nil {
		return Rights{}, h.explain("asking HAProxy", err)
	}
	return needed(out, ""), nil
}

const socketRightsSh = `
fd_tool
for fd_s in "$FD_SOCK" "$FD_MASTER"; do
	case $fd_s in tcp://* | '') continue ;; esac
	[ "$FD_SUDO" = 1 ] && ! { [ -S "$fd_s" ] && [ -w "$fd_s" ]; } || continue
	case $fd_t in
	socat) fd_needs socat -T10 -t10 - "UNIX-CONNECT:$fd_s" ;;
	nc) fd_needs nc -U "$fd_s" ;;
	esac
done
`
