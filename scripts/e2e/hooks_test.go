//go:build fleet

package e2e

import "testing"

// A rollback whose deployer died goes on to its end though a hook fails, as it began to.
func TestNoHookStopsTheWayBackThatIsGoneOnWith(t *testing.T) {
	fresh(t)
	k := newKiller(t, "[rollout]\n", "[hooks]\nbefore = [\"false\"]\nbefore_host = [\"false\"]\n\n[rollout]\n")
	rollout(t, "h1", "ok").want(t, 0, "done")
	var r run
	w := under(t, func() {
		if died, r := k.run(t, []string{"rollback", "--json"}, at(onFlip, "kill -KILL $PID")...); !died {
			t.Fatalf("it was not killed: %s", r)
		}
		r = flipdeploy(t, append([]string{"resume", "--json"}, k.inv...)...).want(t, 0, "done")
	})
	w.none(t, 2, 1)
	wantText(t, r.stdout, "FD-HOOK")
	wantVersions(t, "v0")
	noneLeft(t)
	t.Logf("%d served, %d failed", w.Load.Served, w.Load.Failed)
}
