package lb

import (
	"context"
	"fmt"
	"strings"
)

// stateFileSh prints what HAProxy's configuration says of its state file, where we may
// read it. %d is its process, as it numbers itself: in a container that is another's.
const stateFileSh = `case $(cat /proc/%[1]d/comm 2>/dev/null) in haproxy*) ;; *) exit 0 ;; esac
tr '\0' '\n' </proc/%[1]d/cmdline | awk 'f { print } { f = $0 == "-f" }' | while IFS= read -r c; do
  if [ -d "$c" ]; then cat -- "$c"/*.cfg; else cat -- "$c"; fi 2>/dev/null
done | awk '
  $1 == "server-state-base" { base = $2 "/" }
  $1 == "server-state-file" { file = $2 }
  $1 == "load-server-state-from-file" && $2 != "none" { from = $2 }
  END { if (from == "global") print (file ~ /^\// ? "" : base) file; if (from == "local") print base "*" }'
`

// stateFile is what a reload of this HAProxy makes of a host that is out, "" where that is
// the usual: it is forgotten, and set again by the next poll. HAProxy never writes the file.
func (h *HAProxy) stateFile(ctx context.Context, of generation) []string {
	out, err := h.read.Run(ctx, fmt.Sprintf(stateFileSh, of.pid))
	name := strings.TrimSpace(string(out))
	if err != nil || name == "" {
		return nil // no fault of this HAProxy
	}
	return []string{"state file " + name + ": a HAProxy reload has hosts stand as it says; write it anew before each reload " +
		"(show servers state), else one that is out is in rotation until the next poll"}
}
