//go:build fleet

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func rounds() int {
	if n, err := strconv.Atoi(os.Getenv("FLIPDEPLOY_ROUNDS")); err == nil {
		return n
	}
	return 2
}

func TestFirstRolloutOntoAnEmptyFleet(t *testing.T) {
	for _, h := range []string{"web1", "web2", "web3", "web4"} {
		mustVerb(t, "exec", h, "sh", "-c", "systemctl stop shop; rm -rf /srv/shop/* /srv/shop/.flipdeploy")
	}
	mustVerb(t, "exec", "edge1", "sh", "-c", "rm -rf /var/lib/flipdeploy")
	r := rollout(t, "v1", "ok").want(t, 0, "done")
	t.Logf("took %.1fs", r.took.Seconds())
	wantVersions(t, "v1")
	for host, h := range r.result["hosts"].(map[string]any) {
		if id := fmt.Sprint(h.(map[string]any)["release"]); !strings.HasPrefix(id, "v1-") {
			t.Errorf("%s: the result says it runs %s", host, id)
		}
	}
	noneLeft(t)
	rollout(t, "v1", "ok").want(t, 0, "nothing")
	flipdeploy(t, "rollback", "--json").want(t, 1, "refused")
}

func TestRolloutAndRollbackUnderLoad(t *testing.T) {
	fresh(t)
	for round := range rounds() {
		rev := fmt.Sprintf("r%d", round+1)
		w := under(t, func() {
			r := rollout(t, rev, "ok").want(t, 0, "done")
			wantVersions(t, rev)
			back := flipdeploy(t, "rollback", "--json", "--parallel", "2").want(t, 0, "done")
			t.Logf("rollout %.1fs, rollback %.1fs, least serving seen %v", r.took.Seconds(), back.took.Seconds(), r.result["min_serving_seen"])
		})
		w.none(t, 2, 2)
		wantVersions(t, "v0")
		if w.Load.Versions["v0"] == 0 || w.Load.Versions[rev] == 0 {
			t.Errorf("both releases should have served: %v", w.Load.Versions)
		}
	}
	noneLeft(t)
}

// settling waits as long as users do by default: a release that dies late does so a second
// after it took over.
func settling(t *testing.T) []string { return with(t, "settle = \"1s\"", "settle = \"2s\"") }

// The release that dies late is seen to serve first, or its death is that of a takeover: it
// gets longer than any look takes, and the settling longer still.
func TestBadReleasesAreUndone(t *testing.T) {
	fresh(t)
	patient := with(t, "settle = \"1s\"", "settle = \"4s\"")
	for _, c := range []struct{ mode, code, reason, log string }{
		{"unhealthy", "FD-UNHEALTHY", "/health answered 500", "health"},
		{"dies", "FD-TAKEOVER-REFUSED", "", "dies"},
		{"hangs", "FD-TAKEOVER-HUNG", "", ""},
		{"latedeath3", "FD-LATE-DEATH", "which took over, has ended", ""},
	} {
		t.Run(c.mode, func(t *testing.T) {
			var r run
			under(t, func() { r = rollout(t, "bad"+c.mode, c.mode, patient...).want(t, 7, "rolled_back") }).none(t, 2, 2)
			if r.result["code"] != c.code || !strings.Contains(fmt.Sprint(r.result["error"]), c.reason) {
				t.Errorf("code %v, error %v; want %s with %q", r.result["code"], r.result["error"], c.code, c.reason)
			}
			if !strings.Contains(r.stdout, `"evidence"`) {
				t.Errorf("no evidence shown: %s", r)
			}
			t.Logf("%s: %v (%.1fs)", c.mode, r.result["error"], r.took.Seconds())
			wantVersions(t, "v0")
			noneLeft(t)
		})
	}
}

func TestPauseStopsAndRollbackSettlesIt(t *testing.T) {
	fresh(t)
	under(t, func() {
		rollout(t, "badpause", "unhealthy@web3", "--on-failure", "pause").want(t, 3, "paused")
		rollout(t, "other", "ok").want(t, 6, "unfinished")
		flipdeploy(t, "rollback", "--json").want(t, 0, "done")
	}).none(t, 2, 2)
	wantVersions(t, "v0")
	noneLeft(t)
	rollout(t, "v1", "ok").want(t, 0, "done")
}

func TestSignalThatIsIgnored(t *testing.T) {
	fresh(t)
	rollout(t, "deaf", "ignores").want(t, 0, "done")
	var r run
	under(t, func() { r = rollout(t, "v9", "ok").want(t, 7, "rolled_back") }).none(t, 2, 2)
	if r.result["code"] != "FD-TAKEOVER-IGNORED" {
		t.Errorf("code %v: %v", r.result["code"], r.result["error"])
	}
	t.Logf("%v", r.result["error"])
	wantVersions(t, "deaf")
	noneLeft(t)
}

func TestHostOutByHandStaysOutAndUntouched(t *testing.T) {
	fresh(t)
	haproxy(t, "set server shop/web3 state maint")
	before := mustVerb(t, "exec", "web3", "sh", "-c", "cd /srv/shop && find . | sort; readlink current; cat /run/shop/pid")
	r := rollout(t, "v2", "ok").want(t, 0, "done")
	after := mustVerb(t, "exec", "web3", "sh", "-c", "cd /srv/shop && find . | sort; readlink current; cat /run/shop/pid")
	if before != after {
		t.Errorf("web3 was touched:\n%s\n%s", before, after)
	}
	if !strings.Contains(haproxy(t, "show servers state shop"), "web3 10.77.0.13 0 1 ") {
		t.Errorf("web3 is not in maint any more: %s", haproxy(t, "show servers state shop"))
	}
	if !strings.Contains(r.stdout, "FD-LEFT-OUT") {
		t.Errorf("no warning: %s", r)
	}
	haproxy(t, "set server shop/web3 state ready")
}

func TestFleetWhollyDownIsRepaired(t *testing.T) {
	fresh(t)
	for _, h := range []string{"web1", "web2", "web3", "web4"} {
		mustVerb(t, "exec", h, "systemctl", "stop", "shop")
	}
	rollout(t, "v3", "ok").want(t, 0, "done")
	wantVersions(t, "v3")
	noneLeft(t)
}

func TestSecondRolloutIsToldWhoHoldsTheLockAndAKillFreesIt(t *testing.T) {
	fresh(t)
	first := command(inventory("rollout", "--artifact", build(t, "v4", "ok"), "--revision", "v4", "--bake", "30s")...)
	var story bytes.Buffer
	first.Stdout, first.Stderr = &story, &story
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer first.Wait()
	await(t, "the first drain", func() bool {
		return strings.TrimSpace(mustVerb(t, "exec", "edge1", "sh", "-c", "ls /var/lib/flipdeploy/shop/own 2>/dev/null | head -1")) != ""
	})
	r := rollout(t, "v5", "ok").want(t, 5, "locked")
	if !strings.Contains(fmt.Sprint(r.result["error"]), "rollout ") || !strings.Contains(fmt.Sprint(r.result["error"]), "@") {
		t.Errorf("the holder is not named: %v", r.result["error"])
	}
	t.Logf("%v", r.result["error"])
	killed := time.Now()
	_ = syscall.Kill(-first.Process.Pid, syscall.SIGKILL)
	await(t, "a free lock", func() bool {
		return strings.TrimSpace(mustVerb(t, "exec", "edge1", "sh", "-c", "flock -n /var/lib/flipdeploy/shop/lease echo free || true")) == "free"
	})
	if d := time.Since(killed); d > time.Second {
		t.Errorf("the lock was free only after %s", d)
	} else {
		t.Logf("lock free after %s", d)
	}
	un := rollout(t, "v5", "ok").want(t, 6, "unfinished")
	t.Logf("%v", un.stdout)
	under(t, func() { flipdeploy(t, "rollback", "--json").want(t, 0, "done") }).none(t, 2, 2)
	wantVersions(t, "v0")
	noneLeft(t)
}

func await(t *testing.T, what string, ready func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ready() {
			return
		}
	}
	t.Fatalf("%s did not come", what)
}
