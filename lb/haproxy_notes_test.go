package lb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

func TestHAProxyNotesSayWhatKeepsClients(t *testing.T) {
	t.Parallel()
	const fresh = ": a HAProxy reload has hosts stand as it says; write it anew before each reload (show servers state), else one that is out is in rotation until the next poll"
	const then = ": a host that leaves has its clients until they pause, then it goes to maint"
	for pools, want := range map[string]string{
		plainPool:  "",
		stickyPool: "shop has a cookie" + then,
		"backend shop\n  stick-table type ip size 1k\n  stick on src\n  server web1 @web1\n  server web2 @web2\n":                          "stick-table shop keeps clients with a server" + then,
		"global\n  server-state-base /var/lib/haproxy\n  server-state-file state\n" + plainPool + "  load-server-state-from-file global\n": "state file /var/lib/haproxy/state" + fresh,
		plainPool + "  load-server-state-from-file none\n":                                                                                 "",
	} {
		_, d, _ := start(t, 2, pools, nil, "shop")
		notes, err := d.Notes(lbtest.Within(t, 5*time.Second))
		must(t, err)
		if got := strings.Join(notes, "; "); got != want {
			t.Errorf("%s\nsays %q, want %q", pools, got, want)
		}
	}
}
