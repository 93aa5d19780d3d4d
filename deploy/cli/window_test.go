package cli

import (
	"fmt"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
)

func TestOnlyManyHostsShareConnections(t *testing.T) {
	for _, c := range []struct {
		hosts, parallel int
		files           uint64
		want            string
	}{
		{3, 1, 64, "each its own"},
		{256, 1, 1024, "each its own"},
		{257, 1, 1024, "257"},
		{10000, 500, 1 << 30, "756"},
		{10000, 500, 700, "666"},
		{200, 2, 128, "94"},
		{200, 100, 128, "FD-FILES: 128 files may be open here, and 100 hosts at a time need 142 (ulimit -n 284, or fewer hosts at a time)"},
	} {
		inv := &inventory.Inventory{LBs: make([]inventory.LB, 1), Hosts: make([]inventory.Host, c.hosts)}
		inv.Rollout.Parallel.N = c.parallel
		w, err := windowFor(inv, c.files)
		got := "each its own"
		switch {
		case err != nil:
			got = fmt.Sprintf("%s: %v (%s)", deploy.CodeOf(err), err, deploy.HintOf(err))
		case w != nil:
			got = fmt.Sprint(w.Limit())
		}
		if got != c.want {
			t.Errorf("%d hosts, %d at a time, %d files: got %s, want %s", c.hosts, c.parallel, c.files, got, c.want)
		}
	}
	if got, want := unhurried(10*time.Second, 10000), 204880*time.Millisecond; got != want || unhurried(time.Second, 4) != time.Second {
		t.Errorf("got %s, want %s", got, want)
	}
	if openFiles() < 20 {
		t.Errorf("%d files", openFiles())
	}
}
