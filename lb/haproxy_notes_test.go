package lb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

func TestHAProxyNotesSayWhatKeepsClients(t *testing.T) {
	t.Parallel()
	const then = ": a host that leaves has its clients until they pause, then it goes to maint"
	for pools, want := range map[string]string{
		plainPool:  "",
		stickyPool: "shop has a cookie" + then,
		"backend shop\n  stick-table type ip size 1k\n  stick on src\n  server web1 @web1\n  server web2 @web2\n": "stick-table shop keeps clients with a server" + then,
	} {
		_, d, _ := start(t, 2, pools, nil, "shop")
		notes, err := d.Notes(lbtest.Within(t, 5*time.Second))
		must(t, err)
		if got := strings.Join(notes, "; "); got != want {
			t.Errorf("%s\nsays %q, want %q", pools, got, want)
		}
	}
}
