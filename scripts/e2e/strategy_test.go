//go:build fleet

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var webs = []string{"web1", "web2", "web3", "web4"}

// with is an inventory with words of it replaced, as a flag.
func with(t *testing.T, pairs ...string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fleetDir, "inventory.toml"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(pairs...).Replace(string(data))
	if text == string(data) {
		t.Fatalf("%q changes nothing", pairs)
	}
	name := filepath.Join(fleetDir, "inventory-"+strings.ReplaceAll(t.Name(), "/", "-")+".toml")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{"-i", name}
}

// phases are where a run left each host.
func (r run) phases() map[string]string {
	m := map[string]string{}
	hosts, _ := r.result["hosts"].(map[string]any)
	for name, h := range hosts {
		m[name] = fmt.Sprint(h.(map[string]any)["phase"])
	}
	return m
}

func (r run) wantPhases(t *testing.T, want ...string) {
	t.Helper()
	if got := r.phases(); fmt.Sprint(got["web1"], got["web2"], got["web3"], got["web4"]) != fmt.Sprint(want[0], want[1], want[2], want[3]) {
		t.Errorf("phases %v, want %v: %s", got, want, r)
	}
}

func versions(t *testing.T) string {
	t.Helper()
	var all []string
	for _, h := range webs {
		all = append(all, version(t, h))
	}
	return strings.Join(all, " ")
}

func pids(t *testing.T) string {
	t.Helper()
	var all []string
	for _, h := range webs {
		all = append(all, strings.TrimSpace(mustVerb(t, "exec", h, "cat", "/run/shop/pid")))
	}
	return strings.Join(all, " ")
}

func wants(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestContinueGoesOnAfterFailures(t *testing.T) {
	fresh(t)
	under(t, func() {
		r := rollout(t, "most", "unhealthy@web2", "--on-failure", "continue").want(t, 3, "paused")
		r.wantPhases(t, "done", "rolled_back", "done", "done")
		wants(t, "code", fmt.Sprint(r.result["code"]), "FD-UNHEALTHY")
		wants(t, "versions", versions(t), "most v0 most most")
		flipdeploy(t, "rollback", "--json", "--parallel", "2").want(t, 0, "done")
	}).none(t, 2, 2)
	wantVersions(t, "v0")
	noneLeft(t)
}

func TestFailuresAreCountedInTheWholeFleet(t *testing.T) {
	if sampled(t) {
		return
	}
	fresh(t)
	r := rollout(t, "one", "unhealthy@web2", "--max-failures", "1").want(t, 3, "paused")
	r.wantPhases(t, "done", "rolled_back", "done", "done")
	flipdeploy(t, "rollback", "--json", "--parallel", "2").want(t, 0, "done")
	rollout(t, "all", "unhealthy", "--max-failures", "1").want(t, 7, "rolled_back")
	wantVersions(t, "v0")
	noneLeft(t)
}

func TestOnlyTheHostsThatWereAskedFor(t *testing.T) {
	if sampled(t) {
		return
	}
	fresh(t)
	before := strings.Fields(pids(t))
	r := rollout(t, "some", "ok", "--hosts", "web[12]").want(t, 0, "done")
	r.wantPhases(t, "done", "done", "pending", "pending")
	wants(t, "versions", versions(t), "some some v0 v0")
	after := strings.Fields(pids(t))
	wants(t, "pids of the others", strings.Join(after[2:], " "), strings.Join(before[2:], " "))
	flipdeploy(t, "rollback", "--json").want(t, 0, "done")
	wantVersions(t, "v0")
	flipdeploy(t, "rollout", "--json", "--artifact", build(t, "some", "ok"), "--hosts", "db*").want(t, 2, "refused")
}

func TestUnreachableHostsAreSkippedWhenToldTo(t *testing.T) {
	fresh(t)
	mustVerb(t, "exec", "web3", "systemctl", "stop", "ssh", "ssh.socket")
	rollout(t, "v1", "ok").want(t, 1, "refused")
	wantVersions(t, "v0")
	under(t, func() {
		r := rollout(t, "v1", "ok", "--skip-unreachable", "1").want(t, 3, "paused")
		r.wantPhases(t, "done", "done", "unknown", "done")
		wants(t, "code", fmt.Sprint(r.result["code"]), "FD-SKIPPED")
	}).none(t, 2, 2)
	mustVerb(t, "exec", "web3", "systemctl", "start", "ssh")
	wants(t, "versions", versions(t), "v1 v1 v0 v1")
	flipdeploy(t, "rollback", "--json", "--parallel", "2").want(t, 0, "done")
	wantVersions(t, "v0")
	noneLeft(t)
}

func TestHostsThatAreOutAreChangedInPlace(t *testing.T) {
	fresh(t)
	haproxy(t, "set server shop/web4 state drain")
	admin := func() string {
		for line := range strings.Lines(haproxy(t, "show servers state shop")) {
			if f := strings.Fields(line); len(f) > 8 && f[3] == "web4" {
				return f[6]
			}
		}
		return ""
	}
	before := admin()
	under(t, func() {
		r := rollout(t, "v1", "ok", "--include-out").want(t, 0, "done")
		r.wantPhases(t, "done", "done", "done", "left_out")
		wantVersions(t, "v1")
		rollout(t, "bad", "unhealthy@web4", "--include-out").want(t, 7, "rolled_back")
		wantVersions(t, "v1")
		flipdeploy(t, "rollback", "--json", "--parallel", "2").want(t, 0, "done")
	}).none(t, 1, 3)
	wants(t, "versions", versions(t), "v0 v0 v0 v1")
	wants(t, "admin state of web4", admin(), before)
}

func TestFloorThatCannotBeKeptAndDowntime(t *testing.T) {
	fresh(t)
	rollout(t, "v1", "ok", "--min-serving", "4").want(t, 1, "refused")
	wantVersions(t, "v0")
	flipdeploy(t, "rollout", "--json", "--artifact", build(t, "v1", "ok"), "--revision", "v1", "--allow-downtime").want(t, 2, "refused")
	flipdeploy(t, "rollout", "--json", "--artifact", build(t, "v1", "ok"), "--revision", "v1", "--allow-downtime", "--yes").want(t, 0, "done")
	wantVersions(t, "v1")
	r := rollout(t, "v2", "ok", "--parallel", "50%").want(t, 0, "done")
	if !strings.Contains(r.stdout, "2 at a time") {
		t.Errorf("50%% of four is not two: %s", r)
	}
	noneLeft(t)
}

func TestRestartIsANewProcessEverywhere(t *testing.T) {
	fresh(t)
	before := pids(t)
	under(t, func() { flipdeploy(t, "restart", "--json", "--parallel", "2").want(t, 0, "done") }).none(t, 2, 2)
	for i, pid := range strings.Fields(pids(t)) {
		if pid == strings.Fields(before)[i] {
			t.Errorf("%s: pid %s is the old one", webs[i], pid)
		}
	}
	wantVersions(t, "v0")
	noneLeft(t)
	flipdeploy(t, "rollback", "--json").want(t, 1, "refused") // a restart is nothing to go back from
}

func TestDrainAndReadyByHand(t *testing.T) {
	fresh(t)
	under(t, func() {
		flipdeploy(t, "drain", "--json", "web2").want(t, 0, "done")
		flipdeploy(t, "drain", "--json", "web2").want(t, 0, "nothing")
		r := rollout(t, "v1", "ok").want(t, 0, "done")
		r.wantPhases(t, "done", "left_out", "done", "done")
		wants(t, "versions", versions(t), "v1 v0 v1 v1")
		r = flipdeploy(t, "drain", "--json", "--min-serving", "3", "web1").want(t, 1, "refused")
		wants(t, "code", fmt.Sprint(r.result["code"]), "FD-FLOOR")
		flipdeploy(t, "ready", "--json", "web2").want(t, 0, "done")
		flipdeploy(t, "ready", "--json", "web2").want(t, 0, "nothing")
		haproxy(t, "set server shop/web3 state maint")
		r = flipdeploy(t, "ready", "--json", "web3").want(t, 1, "refused")
		wants(t, "code", fmt.Sprint(r.result["code"]), "FD-NOT-OURS")
		flipdeploy(t, "ready", "--json", "--force", "web3").want(t, 0, "done")
	}).none(t, 1, 3) // one out by hand, and two of the three that are left
	noneLeft(t)
}

// tunnel opens a websocket through the balancer that never ends by itself, and
// returns what ends it.
func tunnel(t *testing.T) (end func()) {
	t.Helper()
	cmd := exec.Command("../fleet", "run", "curl", "-sN", "-o", "/dev/null", "-m", "120",
		"-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13",
		"-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "http://10.77.0.2/tunnel")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
	}
}

func TestTunnelsThatOutliveTheDrain(t *testing.T) {
	for _, c := range []struct {
		on, outcome string
		exit        int
		lives       bool
	}{{"abort", "paused", 3, true}, {"proceed", "done", 0, true}, {"cut", "done", 0, false}} {
		if c.on == "proceed" && !whole() {
			continue
		}
		t.Run(c.on, func(t *testing.T) {
			fresh(t)
			inv := with(t, "[rollout]\n", "[rollout]\non_drain_timeout = \""+c.on+"\"\ndrain_timeout = \"2s\"\n")
			defer tunnel(t)()
			await(t, "a tunnel", func() bool { return sessions(t) > 0 })
			under(t, func() {
				r := rollout(t, "v1", "ok", inv...).want(t, c.exit, c.outcome)
				if !strings.Contains(r.stdout, "FD-DRAIN-TIMEOUT") {
					t.Errorf("nobody was told of the tunnel: %s", r)
				}
			}).none(t, 2, 2)
			if lives := sessions(t) > 0; lives != c.lives {
				t.Errorf("the tunnel lives: %v, want %v", lives, c.lives)
			}
			noneLeft(t)
		})
	}
}

// sessions are those in flight on all hosts while nobody else asks.
func sessions(t *testing.T) int {
	t.Helper()
	time.Sleep(200 * time.Millisecond)
	n := 0
	for line := range strings.Lines(haproxy(t, "show stat")) {
		if f := strings.Split(line, ","); len(f) > 5 && strings.HasPrefix(f[1], "web") {
			var one int
			_, _ = fmt.Sscan(f[4], &one)
			n += one
		}
	}
	return n
}
