package cli

import (
	"fmt"
	"syscall"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote"
)

const (
	manyConnections = 256 // hosts that may each keep theirs for the whole run
	otherFiles      = 32  // open beside connections
)

// windowFor bounds the connections to the hosts where each cannot have its own for the
// whole run: there are many, or fewer files may be open than there are hosts. Nil: each
// has. Those in hand have one in any case.
func windowFor(inv *inventory.Inventory, files uint64) (*remote.Window, error) {
	hosts, room := len(inv.Hosts), int(min(files, 1<<20))-otherFiles-2*len(inv.LBs)
	if hosts <= manyConnections && hosts <= room {
		return nil, nil
	}
	parallel := max(1, inv.Rollout.Parallel.Resolve(hosts, false))
	if least := min(hosts, parallel+8); room < least {
		need := int(min(files, 1<<20)) - room + least
		return nil, &deploy.Fault{Code_: "FD-FILES", Err: fmt.Errorf("%d files may be open here, and %d hosts at a time need %d", files, parallel, need),
			Hint_: fmt.Sprintf("ulimit -n %d, or fewer hosts at a time", 2*need)}
	}
	return remote.NewWindow(min(manyConnections+parallel, room)), nil
}

// openFiles is how many this process may have open.
func openFiles() uint64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 1 << 20 // as if there were no bound
	}
	return l.Cur
}

// unhurried is a time to wait for a whole fleet: of many hosts only some are asked at once.
func unhurried(d time.Duration, hosts int) time.Duration {
	return d + time.Duration(max(0, hosts-manyConnections))*20*time.Millisecond
}
