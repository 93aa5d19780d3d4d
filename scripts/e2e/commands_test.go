//go:build fleet

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// everything is all that flipdeploy could change on the fleet.
func everything(t *testing.T) string {
	t.Helper()
	all := mustVerb(t, "exec", "edge1", "sh", "-c", "cd /var/lib && find flipdeploy* -exec ls -ldi --time-style=full-iso {} + 2>/dev/null; cat flipdeploy/shop/fence 2>/dev/null; true")
	all += serverStates(t, "edge1")
	for _, h := range []string{"web1", "web2", "web3", "web4"} {
		all += mustVerb(t, "exec", h, "sh", "-c", "find /srv/shop -exec ls -ldi --time-style=full-iso {} +; cat /run/shop/pid")
	}
	return all
}

// serverStates are as HAProxy has them, but for the time since their last change, which runs
// on, and its own checks, which go on.
func serverStates(t *testing.T, edge string) (all string) {
	t.Helper()
	for line := range strings.Lines(on(t, edge, "show servers state shop")) {
		if f := strings.Fields(line); len(f) > 14 {
			all += strings.Join(append(f[:9], f[14:]...), " ") + "\n"
		}
	}
	return all
}

// unchanged fails the test when work changed anything.
func unchanged(t *testing.T, work func()) {
	t.Helper()
	before := everything(t)
	work()
	if after := everything(t); after != before {
		t.Errorf("something was changed:\n%s", firstDifference(before, after))
	}
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return "- " + x[i] + "\n+ " + y[i]
		}
	}
	return fmt.Sprintf("%d lines, then %d", len(x), len(y))
}

// object is the only line of stdout, or its line of one kind.
func object(t *testing.T, r run, kind string) map[string]any {
	t.Helper()
	var found map[string]any
	for text := range strings.Lines(r.stdout) {
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if kind == "" || m["kind"] == kind {
			found = m
		}
	}
	if found == nil {
		t.Fatalf("no %q in %s", kind, r)
	}
	return found
}

func TestPlanTellsAllAndChangesNothing(t *testing.T) {
	fresh(t)
	haproxy(t, "set server shop/web3 state maint")
	defer haproxy(t, "set server shop/web3 state ready")
	args := []string{"--artifact", build(t, "p1", "ok"), "--revision", "p1", "--parallel", "2"}
	unchanged(t, func() {
		r := flipdeploy(t, append([]string{"plan"}, args...)...).want(t, 0, "done")
		want := regexp.MustCompile(`^shop: v0 → p1 on 3 of 4 hosts

  host  runs  +will run  +edge1  +send  +way back
~ web1  (v0-[0-9a-f]{8})  (p1-[0-9a-f]{8})  +ready shop@10\.77\.0\.11:8080  [0-9.]+ MB  v0-[0-9a-f]{8}
~ web2  v0-[0-9a-f]{8}  p1-[0-9a-f]{8}  +ready shop@10\.77\.0\.12:8080  [0-9.]+ MB  v0-[0-9a-f]{8}
= web3  v0-[0-9a-f]{8}  left out: maint on edge1, by hand or by another tool  maint shop@10\.77\.0\.13:8080
~ web4  v0-[0-9a-f]{8}  p1-[0-9a-f]{8}  +ready shop@10\.77\.0\.14:8080  [0-9.]+ MB  v0-[0-9a-f]{8}

order     web1 \(canary\), then web2, web4, 2 at a time
serving   3 serve now, at least 1 always will
to send   at most [0-9.]+ MB: [0-9.]+ MB to 3 hosts
failure   every changed host goes back to what it ran

Nothing was changed\.
$`)
		if !want.MatchString(r.stdout) {
			t.Errorf("plan says\n%s", r.stdout)
		}
		dry := flipdeploy(t, append([]string{"rollout", "--dry-run"}, args...)...).want(t, 0, "done")
		if dry.stdout != r.stdout {
			t.Errorf("rollout --dry-run says\n%s", dry.stdout)
		}
		j := flipdeploy(t, append([]string{"plan", "--json"}, args...)...).want(t, 0, "done")
		plan := object(t, j, "plan")
		if plan["parallel"] != 2.0 || plan["least_serving"] != 1.0 || len(plan["hosts"].([]any)) != 4 || !strings.HasSuffix(strings.TrimSpace(j.stdout), "}") {
			t.Errorf("plan: %v", plan)
		}
		web1 := plan["hosts"].([]any)[0].(map[string]any)
		lb := web1["lbs"].([]any)[0].(map[string]any)
		if web1["canary"] != true || web1["changes"] != true || web1["bytes"].(float64) < 1e6 || web1["way_back"] != web1["from"] ||
			lb["state"] != "ready" || !reflect.DeepEqual(lb["backends"], []any{"shop@10.77.0.11:8080"}) {
			t.Errorf("web1: %v", web1)
		}
		if lines := strings.Split(strings.TrimSpace(j.stdout), "\n"); !strings.Contains(lines[len(lines)-1], `"kind":"result"`) {
			t.Errorf("the result is not last: %s", j.stdout)
		}
	})
	kept := filepath.Join(t.TempDir(), "plan.json")
	keep := func() { flipdeploy(t, append([]string{"plan", "-o", kept}, args...)...).want(t, 0, "done") }
	keep()
	haproxy(t, "set server shop/web3 state ready")
	stale := flipdeploy(t, "rollout", "--plan", kept).want(t, 1, "refused")
	if !strings.Contains(stale.stderr, "[FD-PLAN-STALE]") || !strings.Contains(stale.stderr, "| web3: out maint on edge1, by hand or by another tool, now ") {
		t.Errorf("a plan that is stale: %s", stale)
	}
	wantVersions(t, "v0")
	await(t, "web3", func() bool { return regexp.MustCompile(`web3 .* ready`).MatchString(flipdeploy(t, "status").stdout) })
	keep()
	flipdeploy(t, "rollout", "--plan", kept, "--json").want(t, 0, "done")
	unchanged(t, func() {
		again := flipdeploy(t, append([]string{"plan"}, args...)...).want(t, 0, "done")
		if !strings.Contains(again.stdout, "Nothing is to be done.") {
			t.Errorf("plan says\n%s", again.stdout)
		}
		flipdeploy(t, append([]string{"plan", "--json"}, args...)...).want(t, 0, "nothing")
		back := flipdeploy(t, "rollback", "--dry-run").want(t, 0, "done")
		if !strings.Contains(back.stdout, "shop: p1 → v0 on 4 of 4 hosts") || !strings.Contains(back.stdout, "nothing: the release is where it is needed") {
			t.Errorf("rollback --dry-run says\n%s", back.stdout)
		}
	})
}

func TestPlanTellsAllFaultsAtOnce(t *testing.T) {
	fresh(t)
	mustVerb(t, "exec", "web1", "chown", "root", "/srv/shop")
	defer mustVerb(t, "exec", "web1", "chown", "deploy", "/srv/shop")
	mustVerb(t, "cut", "web2")
	defer mustVerb(t, "join", "web2")
	same := stateDir(t)
	r := flipdeploy(t, "plan", "--artifact", build(t, "p2", "ok"), "--revision", "p2").want(t, 1, "refused")
	for _, want := range []string{"[FD-APP-PATH]", "web1: ", "[FD-SSH-", "web2: "} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("%q is not in %s", want, r)
		}
	}
	if after := stateDir(t); after != same {
		t.Errorf("something was changed:\n%s\n%s", same, after)
	}
}

func stateDir(t *testing.T) string {
	t.Helper()
	return mustVerb(t, "exec", "edge1", "sh", "-c", "ls -lR /var/lib/flipdeploy 2>&1; true")
}

func TestStatusIsTheContract(t *testing.T) {
	fresh(t)
	r := flipdeploy(t, "status", "--json").want(t, 0, "")
	if n := strings.Count(r.stdout, "\n"); n != 1 {
		t.Errorf("%d lines: %s", n, r.stdout)
	}
	st := object(t, r, "")
	delete(st, "time")
	host := func(n int, release string) map[string]any {
		return map[string]any{"name": fmt.Sprintf("web%d", n), "reachable": true, "release": release, "revision": "v0", "running": true, "healthy": true,
			"lbs": []any{map[string]any{"lb": "edge1", "state": "ready", "sessions": 0.0, "owner": ""}}}
	}
	release := st["hosts"].([]any)[0].(map[string]any)["release"].(string)
	want := map[string]any{"app": "shop", "lock": nil, "freeze": nil, "unfinished": nil, "pausing": false, "problems": []any{},
		"lbs":   []any{map[string]any{"name": "edge1", "reachable": true}},
		"hosts": []any{host(1, release), host(2, release), host(3, release), host(4, release)}}
	if !strings.HasPrefix(release, "v0-") || !reflect.DeepEqual(st, want) {
		t.Errorf("status is\n%v\nwant\n%v", st, want)
	}
}

func TestStatusWorksWithAFleetThatIsIll(t *testing.T) {
	fresh(t)
	mustVerb(t, "exec", "web1", "systemctl", "stop", "shop")
	haproxy(t, "set server shop/web3 state maint")
	mustVerb(t, "cut", "web2")
	defer func() {
		mustVerb(t, "join", "web2")
		mustVerb(t, "exec", "web1", "systemctl", "start", "shop")
		haproxy(t, "set server shop/web3 state ready")
	}()
	r := flipdeploy(t, "status", "--json").want(t, 0, "")
	var st struct {
		Hosts []struct {
			Name, Release               string
			Reachable, Running, Healthy bool
			LBs                         []struct{ State string }
		}
		Problems []string
	}
	if err := json.Unmarshal([]byte(r.stdout), &st); err != nil {
		t.Fatal(err)
	}
	w1, w2, w3, w4 := st.Hosts[0], st.Hosts[1], st.Hosts[2], st.Hosts[3]
	if !w1.Reachable || w1.Running || w1.Healthy || !strings.HasPrefix(w1.Release, "v0-") {
		t.Errorf("web1: %+v", w1)
	}
	if w2.Reachable || w2.Running || w2.Healthy || w2.Release != "" {
		t.Errorf("web2: %+v", w2)
	}
	if !w3.Running || !w3.Healthy || w3.LBs[0].State != "maint" || !w4.Healthy || w4.LBs[0].State != "ready" {
		t.Errorf("web3: %+v, web4: %+v", w3, w4)
	}
	if len(st.Problems) < 3 {
		t.Errorf("problems: %q", st.Problems)
	}
	text := flipdeploy(t, "status").want(t, 0, "")
	for _, want := range []string{"web2  ?            unreachable  no", "maint", "! web1: from edge1: ", "! web2: "} {
		if !strings.Contains(text.stdout, want) {
			t.Errorf("%q is not in\n%s", want, text.stdout)
		}
	}
	mustVerb(t, "cut", "edge1")
	defer mustVerb(t, "join", "edge1")
	dark := flipdeploy(t, "status", "--json").want(t, 0, "")
	if !strings.Contains(dark.stdout, `"state":"unknown"`) || !strings.Contains(dark.stdout, `"name":"edge1","reachable":false`) {
		t.Errorf("with the balancer cut off: %s", dark.stdout)
	}
}

func TestHistoryAndShow(t *testing.T) {
	fresh(t)
	if r := flipdeploy(t, "history").want(t, 0, "nothing"); r.stdout != "shop was never rolled out by flipdeploy\n" {
		t.Errorf("history says %s", r)
	}
	rollout(t, "h1", "ok").want(t, 0, "done")
	rollout(t, "h2", "unhealthy").want(t, 7, "rolled_back")
	flipdeploy(t, "rollback", "--json", "--parallel", "2").want(t, 0, "done")
	r := flipdeploy(t, "history").want(t, 0, "done")
	line := regexp.MustCompile(`(?m)^(\d{8}-\d{6}-[0-9a-f]+)  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  (rollout|rollback) +(\S+) +(\S+) +(done|rolled_back) +\S+s +\S+@\S+$`)
	var got []string
	found := line.FindAllStringSubmatch(r.stdout, -1)
	for _, m := range found {
		got = append(got, strings.Join(m[2:], " "))
	}
	if want := []string{"rollback v0 h1 done", "rollout h2 h1 rolled_back", "rollout h1 v0 done"}; !slices.Equal(got, want) {
		t.Fatalf("history: %q, want %q\n%s", got, want, r.stdout)
	}
	list := object(t, flipdeploy(t, "history", "--json").want(t, 0, "done"), "history")
	if all := list["rollouts"].([]any); len(all) != 3 || all[1].(map[string]any)["outcome"] != "rolled_back" || all[1].(map[string]any)["id"] != found[1][1] {
		t.Errorf("history --json: %v", list)
	}
	id := found[2][1]
	shown := flipdeploy(t, "show", id).want(t, 0, "done")
	for _, want := range []string{"rollout " + id + ": done\nshop: v0 → h1\nbegan ", "; on failure rollback; bake 1s\n", "\nweb1  v0-", "\nweb4\n  ", "  flipping   begun   h1-", "  done       proven  h1-"} {
		if !strings.Contains(shown.stdout, want) {
			t.Errorf("%q is not in\n%s", want, shown.stdout)
		}
	}
	one := object(t, flipdeploy(t, "show", "--json", id).want(t, 0, "done"), "show")
	hosts := one["hosts"].([]any)
	if len(hosts) != 4 || hosts[0].(map[string]any)["phase"] != "done" || len(hosts[0].(map[string]any)["phases"].([]any)) < 4 || one["outcome"] != "done" {
		t.Errorf("show --json: %v", one)
	}
	wrong := id[:len(id)-1] + "z"
	bad := flipdeploy(t, "show", wrong).want(t, 2, "refused")
	if want := fmt.Sprintf("flipdeploy: there is no rollout %q: did you mean %q? [FD-USAGE]\nflipdeploy: hint: \"flipdeploy history\" lists them\n", wrong, id); bad.stderr != want {
		t.Errorf("says %s, want %s", bad.stderr, want)
	}
}

func TestAFreezeKeepsRolloutsAwayUntilItIsLifted(t *testing.T) {
	fresh(t)
	flipdeploy(t, "lock", "--reason", "black friday").want(t, 0, "done")
	again := flipdeploy(t, "lock", "--reason", "mine", "--json").want(t, 5, "locked")
	if again.result["code"] != "FD-FROZEN" || !strings.Contains(fmt.Sprint(again.result["error"]), ": black friday") {
		t.Errorf("%v", again.result)
	}
	r := rollout(t, "f1", "ok").want(t, 5, "locked")
	if r.result["code"] != "FD-FROZEN" {
		t.Errorf("%v", r.result)
	}
	plan := flipdeploy(t, "plan", "--artifact", build(t, "f1", "ok"), "--revision", "f1").want(t, 0, "done")
	if !strings.Contains(plan.stderr, "[FD-FROZEN]") {
		t.Errorf("plan does not warn: %s", plan)
	}
	if st := object(t, flipdeploy(t, "status", "--json"), ""); st["freeze"].(map[string]any)["reason"] != "black friday" {
		t.Errorf("status: %v", st["freeze"])
	}
	refused := flipdeploy(t, "unlock").want(t, 2, "refused") // nobody is at a terminal
	if !strings.Contains(refused.stderr, "Lift the freeze of shop? There is no terminal to answer on: give --yes [FD-USAGE]") {
		t.Errorf("%s", refused)
	}
	flipdeploy(t, "unlock", "--yes", "--json").want(t, 0, "done")
	flipdeploy(t, "unlock", "--json").want(t, 0, "nothing")
	rollout(t, "f1", "ok").want(t, 0, "done")
	flipdeploy(t, "lock", "--reason", "still").want(t, 0, "done")
	flipdeploy(t, "rollback", "--json", "--parallel", "2").want(t, 5, "locked")
	flipdeploy(t, "rollback", "--json", "--parallel", "2", "--override-freeze").want(t, 0, "done")
	flipdeploy(t, "unlock", "--yes").want(t, 0, "done")
	wantVersions(t, "v0")
	noneLeft(t)
}

func TestPauseStopsTheRunningRollout(t *testing.T) {
	fresh(t)
	none := flipdeploy(t, "pause").want(t, 0, "nothing")
	if !strings.HasPrefix(none.stdout, "no rollout of shop is running; ") {
		t.Errorf("%s", none)
	}
	under(t, func() {
		wait := started(t, "rollout", "--json", "--parallel", "1", "--bake", "5s", "--artifact", build(t, "z1", "ok"), "--revision", "z1")
		st := object(t, flipdeploy(t, "status", "--json").want(t, 0, ""), "")
		lock, ok := st["lock"].(map[string]any)
		if !ok || lock["user"] == "" || lock["rollout"] == "" || st["unfinished"] != nil {
			t.Errorf("while it runs, lock is %v, unfinished %v", st["lock"], st["unfinished"])
		}
		plan := flipdeploy(t, "plan", "--artifact", build(t, "z1", "ok"), "--revision", "z1")
		if plan.exit != 0 || !strings.Contains(plan.stderr, "[FD-LOCKED]") {
			t.Errorf("plan beside a rollout: %s", plan)
		}
		if running := flipdeploy(t, "history"); !strings.Contains(running.stdout, " running ") {
			t.Errorf("history beside a rollout: %s", running)
		}
		flipdeploy(t, "pause", "--json").want(t, 0, "done")
		if code := wait(0); code != 3 {
			t.Errorf("the rollout ended with %d, want 3", code)
		}
	}).none(t, 3, 1)
	if left := mustVerb(t, "exec", "edge1", "sh", "-c", "ls /var/lib/flipdeploy/shop/pause 2>/dev/null || true"); left != "" {
		t.Errorf("the pause is still there: %s", left)
	}
	un := flipdeploy(t, "plan", "--artifact", build(t, "z1", "ok"), "--revision", "z1").want(t, 6, "unfinished")
	if !strings.Contains(un.stderr, "| web1: runs z1, ready on edge1") || !strings.Contains(un.stderr, "| web4: runs v0, ready on edge1") {
		t.Errorf("%s", un)
	}
	if st := flipdeploy(t, "status"); !strings.Contains(st.stdout, "unfinished: rollout ") {
		t.Errorf("%s", st)
	}
	flipdeploy(t, "rollback", "--json").want(t, 0, "done")
	wantVersions(t, "v0")
	noneLeft(t)
}

func TestStatusIsWatched(t *testing.T) {
	fresh(t)
	for _, format := range []string{"", "--json"} {
		cmd := command(inventory("status", "--watch", "--json="+fmt.Sprint(format != ""))...)
		var out bytes.Buffer
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		_ = cmd.Wait()
		lines := strings.Count(out.String(), "web4")
		if code := cmd.ProcessState.ExitCode(); code != 0 || lines < 1 || format != "" && lines < 2 { // a person is told what changes
			t.Errorf("exit %d, %d times:\n%s", code, lines, out.String())
		}
	}
}

func TestTrustWritesUnknownKeysAndNoChangedOnes(t *testing.T) {
	fresh(t)
	inv := edited(t, `known_hosts = "known_hosts"`, `known_hosts = "new_known_hosts"`)
	file := filepath.Join(fleetDir, "new_known_hosts")
	_ = os.Remove(file)
	defer os.Remove(file)
	shown := flipdeploy(t, "trust", "-i", inv).want(t, 2, "refused")
	if n := strings.Count(shown.stdout, " SHA256:"); n < 5 || !strings.Contains(shown.stderr, "There is no terminal to answer on: give --yes [FD-USAGE]") {
		t.Errorf("%d fingerprints: %s", n, shown)
	}
	if _, err := os.Stat(file); err == nil {
		t.Fatal("written without being told to")
	}
	flipdeploy(t, "trust", "--yes", "--json", "-i", inv).want(t, 0, "done")
	flipdeploy(t, "trust", "--json", "-i", inv).want(t, 0, "nothing")
	if st := flipdeploy(t, "status", "-i", inv).want(t, 0, ""); !strings.HasPrefix(st.stdout, "shop: v0 on 4 of 4 hosts\n") {
		t.Errorf("%s", st)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	swapped := regexp.MustCompile(`10\.77\.0\.(11|12) `).ReplaceAllStringFunc(string(data), func(s string) string {
		return map[string]string{"10.77.0.11 ": "10.77.0.12 ", "10.77.0.12 ": "10.77.0.11 "}[s]
	})
	if err := os.WriteFile(file, []byte(swapped), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := flipdeploy(t, "trust", "--yes", "-i", inv).want(t, 1, "refused")
	for _, want := range []string{"web1: the host key has changed: it is ", "(" + file + ":", "[FD-HOSTKEY-CHANGED]", `ssh-keygen -R "10.77.0.12" -f ` + file} {
		if !strings.Contains(bad.stderr, want) {
			t.Errorf("%q is not in %s", want, bad)
		}
	}
	if after, _ := os.ReadFile(file); string(after) != swapped {
		t.Error("known_hosts was changed")
	}
}
