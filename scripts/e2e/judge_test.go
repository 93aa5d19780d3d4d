//go:build fleet

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// seen is how many requests the judge wants to a canary. At about 130 a second and host
// a release that fails one in a thousand fails one of 1500; the sample of each test run
// sees it pass only.
func seen() int {
	if whole() {
		return 1500
	}
	return 400
}

// judged is an inventory with a judge who watches a canary for at most that long.
func judged(t *testing.T, most string) []string {
	t.Helper()
	return with(t, "\n[ssh]\n", fmt.Sprintf("\n[rollout.judge]\nmin_requests = %d\nbake_max = %q\n\n[ssh]\n", seen(), most))
}

// What the balancers count of real requests stops a release that fails some of them
// while its health is fine, at the canary, lets one pass that hardly does, and never
// passes one that nobody asked anything.
func TestJudgeSeesWhatHealthDoesNot(t *testing.T) {
	fresh(t)
	for _, e := range edges() {
		if isNginx(e) {
			withUpstreamFields(t, e)
		}
	}
	for version, mode := range map[string]string{"j3": "fails3", "j01": "fails01", "j0": "ok"} {
		build(t, version, mode)
	}
	t.Run("3 % of the requests", stoppedAtTheCanary)
	t.Run("0.1 % of the requests", letPass)
	t.Run("no traffic", inDoubt)
}

func stoppedAtTheCanary(t *testing.T) {
	var r run
	w := busy(t, func() { r = rollout(t, "j3", "fails3", judged(t, "20s")...) }).onlyStatus500(t)
	r.want(t, 7, "rolled_back")
	wantHost(t, r, "web1", "FD-JUDGE", `^web1: bake: judge: \d+ of \d+ requests failed, 0 of \d+ on the old release \(p = \d`)
	for name, phase := range r.phases() {
		if name != "web1" && phase != "staged" {
			t.Errorf("%s came to %s", name, phase)
		}
	}
	if w.Load.Failed == 0 {
		t.Error("no request failed: nothing was to be seen")
	}
	t.Logf("the clients saw %d of %d requests fail", w.Load.Failed, w.Load.Served+w.Load.Failed)
	wantVersions(t, "v0")
	noneLeft(t)
}

func letPass(t *testing.T) {
	var r run
	w := busy(t, func() { r = rollout(t, "j01", "fails01", judged(t, "30s")...) }).onlyStatus500(t)
	r.want(t, 0, "done")
	said := verdict(t, r, "web1")
	m := regexp.MustCompile(`judge: pass: (\d+) of (\d+) requests failed, 0 of \d+ on the old release; more than [0-9.]+ % failing is excluded`).FindStringSubmatch(said)
	if m == nil || whole() && m[1] == "0" {
		t.Errorf("web1 said %q", said)
	}
	t.Logf("%s; the clients saw %d of %d requests fail", said, w.Load.Failed, w.Load.Served+w.Load.Failed)
	wantVersions(t, "j01")
	noneLeft(t)
}

func inDoubt(t *testing.T) {
	r := rollout(t, "j0", "ok", judged(t, "1s")...).want(t, 3, "paused")
	wantHost(t, r, "web1", "FD-JUDGE-DOUBT", `^web1: bake: judge: inconclusive: no request was counted$`)
	for i, h := range webs {
		if got, want := version(t, h), map[bool]string{true: "j0", false: "j01"}[i == 0]; got != want {
			t.Errorf("%s runs %q, want %q", h, got, want)
		}
	}
	if whole() { // the way back asks for no traffic
		flipdeploy(t, "rollback", "--json", "--parallel", "2", "--bake", "0s").want(t, 0, "done")
		wantVersions(t, "j01")
	}
	noneLeft(t)
}

// wantHost: a host ended with a code, and a reason that is like this.
func wantHost(t *testing.T, r run, name, code, like string) {
	t.Helper()
	host := r.result["hosts"].(map[string]any)[name].(map[string]any)
	if reason := fmt.Sprint(host["reason"]); host["code"] != code || !regexp.MustCompile(like).MatchString(reason) {
		t.Errorf("%s: %v, want %s: %s", name, host, code, like)
	}
	t.Logf("%s: %v", name, host["reason"])
}

// verdict is what a host's last line says.
func verdict(t *testing.T, r run, name string) string {
	t.Helper()
	for _, e := range eventsOf(t, r, "host") {
		if e["host"] == name && e["phase"] == "done" {
			return fmt.Sprint(e["detail"])
		}
	}
	t.Errorf("%s was never done: %s", name, r)
	return ""
}

// busy is work under twice the standard load.
func busy(t *testing.T, work func()) watched {
	t.Helper()
	target := []string{"-json", "-retry"}
	for i := range edges() {
		target = append(target, "-url", fmt.Sprintf("http://10.77.0.%d", i+2))
	}
	more := start(t, "load", target...)
	w := under(t, work)
	var also watched
	more.stop(t, &also.Load)
	w.Load.Failed += also.Load.Failed
	w.Load.Served += also.Load.Served
	w.Load.Texts = append(w.Load.Texts, also.Load.Texts...)
	return w
}

// onlyStatus500: requests that failed were answered so by the release that does that; what
// a reload of nginx does to a busy POST is told elsewhere.
func (w watched) onlyStatus500(t *testing.T) watched {
	t.Helper()
	reloads := slices.ContainsFunc(edges(), isNginx)
	for _, text := range w.Load.Texts {
		if reloads && strings.Contains(text, " post ") {
			continue
		}
		if !strings.Contains(text, `status: GET /: 500 Internal Server Error: "basket: no such column: discount`) {
			t.Errorf("failed otherwise: %s", text)
		}
	}
	return w
}

// withUpstreamFields has an nginx write an access log that tells which host answered what.
func withUpstreamFields(t *testing.T, edge string) {
	t.Helper()
	const conf = `log_format shop '$remote_addr "$request" $status $upstream_addr $upstream_status';
access_log /var/log/nginx/shop.log shop;
`
	if err := os.WriteFile(onEdge(edge, "/etc/nginx/conf.d/other.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	mustVerb(t, "exec", edge, "sh", "-c", "nginx -t -q && systemctl reload nginx")
	time.Sleep(300 * time.Millisecond)
}
