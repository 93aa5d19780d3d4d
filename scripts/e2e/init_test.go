//go:build fleet

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What init makes of the balancers' own configurations is an inventory that a rollout
// works with, once what it could not know is filled in.
func TestInitReadsHAProxyAndNginx(t *testing.T) {
	fresh(t)
	args := []string{"init", "-i", filepath.Join(t.TempDir(), "inventory.toml")}
	path := args[2]
	filled := []string{"# user = \"deploy\"", `user = "deploy"`, `# identity_file = "~/.ssh/id_ed25519"`, `identity_file = "` + filepath.Join(fleetDir, "id_ed25519") + `"`,
		`# known_hosts = "~/.ssh/known_hosts"`, `known_hosts = "` + filepath.Join(fleetDir, "known_hosts") + `"`}
	seen := map[string]bool{}
	for _, edge := range edges() {
		words, flag := "cat /etc/haproxy/haproxy.cfg", "--from-haproxy"
		if isNginx(edge) {
			words, flag = "nginx -T 2>/dev/null", "--from-nginx"
		}
		if seen[flag] {
			t.Log("several balancers of one kind are several files, and init takes one: nothing to be shown here")
			return
		}
		seen[flag] = true
		file := filepath.Join(t.TempDir(), edge)
		if err := os.WriteFile(file, []byte(mustVerb(t, "exec", edge, "sh", "-c", words)), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, flag, file)
	}
	flipdeploy(t, args...).want(t, 0, "done")
	fill(t, path, filled)
	plan := flipdeploy(t, "plan", "-i", path, "--artifact", build(t, "v1", "ok"), "--revision", "v1").want(t, 0, "done")
	if !strings.Contains(plan.stdout, "v0 → v1 on 4 of 4 hosts") {
		t.Errorf("plan says\n%s", plan.stdout)
	}
	under(t, func() {
		flipdeploy(t, "rollout", "--json", "-i", path, "--artifact", build(t, "v1", "ok"), "--revision", "v1", "--parallel", "2").want(t, 0, "done")
	}).gentle(t)
	wantVersions(t, "v1")
	noneLeft(t)
	fresh(t)
}

// fill writes what a person would. nginx comes before HAProxy in what init writes.
func fill(t *testing.T, path string, pairs []string) {
	t.Helper()
	var order []string
	for _, nginx := range []bool{true, false} {
		for _, edge := range edges() {
			if isNginx(edge) == nginx {
				order = append(order, edge)
			}
		}
	}
	own, err := os.ReadFile(filepath.Join(fleetDir, "inventory.toml"))
	if err != nil {
		t.Fatal(err)
	}
	for i, edge := range order {
		_, after, _ := strings.Cut(string(own), `name = "`+edge+`"`)
		_, after, _ = strings.Cut(after, `address = "`)
		address, _, _ := strings.Cut(after, `"`)
		pairs = append(pairs, `"edge`+string(rune('1'+i))+`.invalid"`, `"`+address+`"`)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
}

// plan says what a reload of this nginx can cost, to a person and to a program.
func TestNginxPlanSaysWhatAReloadCanCost(t *testing.T) {
	edge := nginxEdge(t)
	if edge == "" {
		return
	}
	fresh(t)
	artifact := build(t, "v1", "ok")
	for _, more := range [][]string{nil, {"--json"}} {
		r := flipdeploy(t, append([]string{"plan", "--artifact", artifact, "--revision", "v1"}, more...)...).want(t, 0, "done")
		for _, want := range []string{"each nginx reload can reset busy keep-alive connections of clients that do not retry", "keepalive_min_timeout", "upstream shop: zone shop 64k"} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("plan %v does not say %q:\n%s", more, want, r.stdout)
			}
		}
	}
	wantVersions(t, "v0")
}
