//go:build fleet

package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const shopConf = "/etc/nginx/conf.d/shop.conf"

// onEdge is a file of a balancer, seen from outside.
func onEdge(edge, name string) string { return filepath.Join(fleetDir, "hosts", edge, "root", name) }

// pristine is the configuration as the fleet was made with.
func pristine(t *testing.T, edge string) string {
	t.Helper()
	kept := filepath.Join(fleetDir, edge+".conf")
	if _, err := os.Stat(kept); err != nil {
		data, err := os.ReadFile(onEdge(edge, shopConf))
		if err == nil {
			err = os.WriteFile(kept, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return kept
}

// freshNginx has nginx run the configuration that it was made with.
func freshNginx(t *testing.T, edge string) {
	t.Helper()
	data, err := os.ReadFile(pristine(t, edge))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(onEdge(edge, shopConf), data, 0o644); err != nil {
		t.Fatal(err)
	}
	mustVerb(t, "exec", edge, "sh", "-c", "rm -f /etc/nginx/conf.d/other.conf; nginx -t -q && systemctl reload nginx")
	time.Sleep(300 * time.Millisecond)
}

// confAsFound: byte for byte what it was before flipdeploy came.
func confAsFound(t *testing.T, edge string) {
	t.Helper()
	want, _ := os.ReadFile(pristine(t, edge))
	got, _ := os.ReadFile(onEdge(edge, shopConf))
	if sha256.Sum256(got) != sha256.Sum256(want) {
		t.Errorf("%s: the configuration is not what it was:\n%s", edge, got)
	}
}

// reloads is how often nginx has reloaded so far.
func reloads(t *testing.T, edge string) int {
	t.Helper()
	log, err := os.ReadFile(onEdge(edge, "/var/log/nginx/error.log"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(log, []byte(", reconfiguring"))
}

// mostDown watches the configuration itself, twenty times a second, for the most
// servers that are marked down at once.
func mostDown(edge string) (stop func() int) {
	end, most := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			data, _ := os.ReadFile(onEdge(edge, shopConf))
			down := 0
			for line := range bytes.Lines(data) {
				if bytes.Contains(line, []byte("server 10.")) && bytes.Contains(line, []byte(" down")) {
					down++
				}
			}
			n = max(n, down)
			select {
			case <-end:
				most <- n
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() int { close(end); return <-most }
}

func nginxEdge(t *testing.T) string {
	t.Helper()
	i := slices.IndexFunc(edges(), isNginx)
	if i < 0 {
		t.Log("no nginx here: FLIPDEPLOY_BALANCERS=nginx or both")
		return ""
	}
	return edges()[i]
}

// gentle fails the test when traffic failed that a client may not lose: everything
// but POSTs on connections that were busy when nginx reloaded.
func (w watched) gentle(t *testing.T) {
	t.Helper()
	for name, c := range w.Load.Classes {
		if name != "post" && c.Failed > 0 || c.Served == 0 {
			t.Errorf("%s: %d of %d failed: %s", name, c.Failed, c.Served+c.Failed, strings.Join(w.Load.Texts, "\n"))
		}
	}
}

func TestNginxUnderLoad(t *testing.T) {
	edge := nginxEdge(t)
	if edge == "" {
		return
	}
	fresh(t)
	failed, made, served, bare := 0, 0, 0, 0
	for round := range rounds() {
		rev := fmt.Sprintf("r%d", round+1)
		most, before := mostDown(edge), reloads(t, edge)
		w := under(t, func() {
			rollout(t, rev, "ok").want(t, 0, "done")
			wantVersions(t, rev)
			confAsFound(t, edge)
			if n := reloads(t, edge) - before; n > 4 { // one canary, two waves of two at most, and one back
				t.Errorf("%d reloads, want 4", n)
			}
			flipdeploy(t, "rollback", "--json", "--parallel", "2").want(t, 0, "done")
		})
		n := reloads(t, edge) - before
		made += n
		failed += w.Load.Classes["post"].Failed
		served += w.Load.Served
		t.Logf("%d nginx reloads; retried GETs %d, failed busy POSTs %d", n, w.Load.Classes["keepalive"].Retried, w.Load.Classes["post"].Failed)
		w.gentle(t)
		bare += bareReloads(t, edge, n, 2*time.Second)
		if n := most(); n > 2 {
			t.Errorf("%d servers marked down at once, want 2", n)
		}
		wantVersions(t, "v0")
	}
	noneLeft(t)
	t.Logf("%d requests served", served)
	costsNoMore(t, made, failed, bare)
}

func TestNginxBadReleaseIsUndone(t *testing.T) {
	if nginxEdge(t) == "" {
		return
	}
	fresh(t)
	modes := []string{"unhealthy", "latedeath", "dies", "unhealthy@web3"}
	switch {
	case whole():
	case len(edges()) == 1:
		modes = modes[:2]
	default:
		modes = modes[2:]
	}
	for _, mode := range modes {
		under(t, func() { rollout(t, "bad", mode, settling(t)...).want(t, 7, "rolled_back") }).gentle(t)
		wantVersions(t, "v0")
		noneLeft(t)
	}
}

// A request of another site that never ends pins the old workers, all of them.
func TestNginxOldWorkersPinnedByAnotherSite(t *testing.T) {
	edge := nginxEdge(t)
	if edge == "" {
		return
	}
	fresh(t)
	other := "server { listen 82; location / { proxy_pass http://127.0.0.1:9090; proxy_read_timeout 600s; } }\n"
	if err := os.WriteFile(onEdge(edge, "/etc/nginx/conf.d/other.conf"), []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	mustVerb(t, "exec", edge, "sh", "-c", "systemctl reload nginx; systemd-run --unit=mute -q nc -lk 127.0.0.1 9090; sleep 0.5")
	defer mustVerb(t, "exec", edge, "sh", "-c", "systemctl stop mute; rm -f /etc/nginx/conf.d/other.conf; systemctl reload nginx")
	var pins []*exec.Cmd
	for range 4 { // each of the workers has one, most likely
		c := exec.Command("../fleet", "run", "curl", "-s", "-m", "300", fmt.Sprintf("http://10.77.0.%d:82/", len(edges())+1))
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		pins = append(pins, c)
	}
	defer func() {
		for _, c := range pins {
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
			_ = c.Wait()
		}
	}()
	time.Sleep(time.Second)
	// Half of it for workers to end, then ten polls, each a second on a busy machine.
	inv := with(t, "[rollout]\n", "[rollout]\ndrain_timeout = \"12s\"\n")
	var r run
	under(t, func() { r = rollout(t, "v1", "ok", inv...).want(t, 0, "done") }).gentle(t)
	t.Logf("took %.1fs", r.took.Seconds())
	if !strings.Contains(r.stdout, "worker") {
		t.Errorf("nobody was told of the old workers: %s", r)
	}
	wantVersions(t, "v1")
}

// A configuration manager brings its own file back, and reloads, in the middle.
func TestNginxAnotherToolRewritesTheFile(t *testing.T) {
	edge := nginxEdge(t)
	if edge == "" {
		return
	}
	fresh(t)
	cmd := command(append([]string{"rollout", "--json", "--parallel", "2", "--artifact", build(t, "v1", "ok"), "--revision", "v1"}, settling(t)...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	under(t, func() {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		await(t, "a host in verify", func() bool { return strings.Contains(out.String(), `"phase":"verifying"`) })
		data, _ := os.ReadFile(pristine(t, edge))
		_ = os.WriteFile(onEdge(edge, shopConf), data, 0o644)
		mustVerb(t, "exec", edge, "systemctl", "reload", "nginx")
		_ = cmd.Wait()
	}).gentle(t)
	code := cmd.ProcessState.ExitCode()
	t.Logf("exit %d: %s", code, out.String()[max(0, out.Len()-900):])
	if code != 0 && code != 3 && code != 7 {
		t.Errorf("exit %d", code)
	}
	if !strings.Contains(out.String(), "FD-LB-FORGOT") && !strings.Contains(out.String(), "FD-TAKEN-OVER") {
		t.Errorf("the run does not say what happened: %s", out.String())
	}
}

func TestNginxByHand(t *testing.T) {
	edge := nginxEdge(t)
	if edge == "" {
		return
	}
	fresh(t)
	under(t, func() {
		flipdeploy(t, "drain", "--json", "web2").want(t, 0, "done")
		r := rollout(t, "v1", "ok").want(t, 0, "done")
		r.wantPhases(t, "done", "left_out", "done", "done")
		flipdeploy(t, "ready", "--json", "web2").want(t, 0, "done")
	}).gentle(t)
	noneLeft(t)
}

// Whatever the input, without --allow-downtime one server at least stays in.
func TestNginxLastServerIsNeverTakenOut(t *testing.T) {
	edge := nginxEdge(t)
	if edge == "" {
		return
	}
	fresh(t)
	data, _ := os.ReadFile(pristine(t, edge))
	alone := string(data)
	for _, h := range []string{"12", "13", "14"} {
		alone = strings.Replace(alone, "server 10.77.0."+h+":8080", "server 10.77.0."+h+":8080 down", 1)
	}
	if err := os.WriteFile(onEdge(edge, shopConf), []byte(alone), 0o644); err != nil {
		t.Fatal(err)
	}
	mustVerb(t, "exec", edge, "systemctl", "reload", "nginx")
	for _, flags := range [][]string{nil, {"--parallel", "4"}, {"--min-serving", "1"}, {"--min-serving", "0"}} {
		r := flipdeploy(t, append([]string{"rollout", "--json", "--artifact", build(t, "v1", "ok"), "--revision", "v1"}, flags...)...).want(t, 1, "refused")
		wants(t, "code", fmt.Sprint(r.result["code"]), "FD-FLOOR")
	}
	if got, _ := os.ReadFile(onEdge(edge, shopConf)); string(got) != alone {
		t.Errorf("the configuration was changed:\n%s", got)
	}
	wantVersions(t, "v0")
	fresh(t)
}

// An edit that nginx cannot take live is refused before anything is changed.
func TestNginxPendingEditsAreRefused(t *testing.T) {
	edge := nginxEdge(t)
	if edge == "" {
		return
	}
	fresh(t)
	data, _ := os.ReadFile(pristine(t, edge))
	for what, text := range map[string]string{
		"FD-LB-NGINX-PENDING": strings.Replace(string(data), "zone shop 64k", "zone shop 128k", 1), // fine for -t, and no reload takes it
		"FD-LB-NGINX-BROKEN":  strings.Replace(string(data), "keepalive 16;", "keepalive sixteen;", 1),
	} {
		if err := os.WriteFile(onEdge(edge, shopConf), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		r := rollout(t, "v1", "ok").want(t, 1, "refused")
		t.Logf("%v: %v", r.result["code"], r.result["error"])
		if !strings.Contains(r.stdout, what) {
			t.Errorf("no %s: %s", what, r)
		}
		if got, _ := os.ReadFile(onEdge(edge, shopConf)); string(got) != text {
			t.Errorf("the configuration was changed:\n%s", got)
		}
	}
	wantVersions(t, "v0")
	fresh(t)
}
