package lb

import (
	"context"
	"sort"
	"strings"
)

// Cut ends every session of a host that stands as we left it, those of old HAProxy
// workers too, where the master socket is known.
func (h *HAProxy) Cut(ctx context.Context, act Runner, host string) error {
	s, err := h.look(ctx, "")
	if err != nil {
		return err
	}
	l, _ := h.Left(host)
	if _, err := l.stands(host, s); err != nil {
		return err
	}
	var keys []string
	for _, v := range s.of(host) {
		keys = append(keys, v.key())
	}
	sort.Strings(keys)
	out, err := act.Run(ctx, h.script("", cutSh, "FD_KEYS", strings.Join(keys, " ")))
	if err != nil {
		return h.explain("cutting sessions", err)
	}
	if words := strings.TrimSpace(string(out)); words != "" {
		return fault("FD-LB-REPLY", "cut them by hand: `shutdown sessions server BACKEND/SERVER`", "HAProxy did not cut the sessions: %s", words)
	}
	return nil
}

// An answer that is not empty is a refusal. Old workers may be gone by the time they
// are asked, and each says its name first: their words are not kept.
const cutSh = `
fd_workers() {
	fd_ask "$FD_MASTER" 'show proc' | awk '/^# old workers/ { o = 1; next } /^#/ { o = 0 } o && $2 == "worker" { print $1 }'
}
fd_open "$FD_SOCK"
for fd_k in $FD_KEYS; do
	fd_ask "$FD_SOCK" "shutdown sessions server $fd_k" | grep .
	[ -n "$FD_MASTER" ] || continue
	for fd_p in $(fd_workers); do fd_ask "$FD_MASTER" "@!$fd_p shutdown sessions server $fd_k" >/dev/null; done
done
exit 0
`
