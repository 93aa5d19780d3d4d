//go:build fleet

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// started begins a command line and returns once the first host is out.
func started(t *testing.T, args ...string) (kill func(syscall.Signal) int) {
	t.Helper()
	cmd := command(inventory(args...)...)
	var story bytes.Buffer
	cmd.Stdout, cmd.Stderr = &story, &story
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the first drain", func() bool {
		return strings.TrimSpace(mustVerb(t, "exec", "edge1", "sh", "-c", "ls /var/lib/flipdeploy/shop/own 2>/dev/null | head -1")) != ""
	})
	return func(sig syscall.Signal) int {
		if sig != 0 {
			_ = syscall.Kill(-cmd.Process.Pid, sig)
		}
		_ = cmd.Wait()
		t.Logf("%s", story.String())
		return cmd.ProcessState.ExitCode()
	}
}

// edited is a copy of the inventory with something replaced.
func edited(t *testing.T, old, new string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(fleetDir, "inventory.toml"))
	if err != nil || !strings.Contains(string(data), old) {
		t.Fatalf("%q is not in the inventory: %v", old, err)
	}
	name := filepath.Join(fleetDir, "edited.toml")
	if err := os.WriteFile(name, []byte(strings.Replace(string(data), old, new, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// Without app.entry the name comes from the artifact; a rollback has none.
func TestRollbackKnowsTheProgramsNameFromTheRollout(t *testing.T) {
	if sampled(t) {
		return
	}
	fresh(t)
	inv := edited(t, "artifact = \"dist/shop\"\nentry = \"shop\"\n", "")
	flipdeploy(t, "rollout", "--json", "--parallel", "2", "--artifact", build(t, "n1", "ok"), "--revision", "n1", "-i", inv).want(t, 0, "done")
	flipdeploy(t, "rollback", "--json", "--parallel", "2", "-i", inv).want(t, 0, "done")
	wantVersions(t, "v0")
	odd := filepath.Join(fleetDir, "dist", "odd-name")
	if err := os.Rename(build(t, "n2", "ok"), odd); err != nil {
		t.Fatal(err)
	}
	r := flipdeploy(t, "rollout", "--json", "--parallel", "2", "--artifact", odd, "--revision", "n2", "-i", inv).want(t, 1, "refused")
	if r.result["code"] != "FD-ENTRY" {
		t.Errorf("%v", r.result)
	}
	noneLeft(t)
}

func TestADeadHostIsListedAndTheRestIsSettled(t *testing.T) {
	fresh(t)
	kill := started(t, "rollout", "--parallel", "2", "--artifact", build(t, "d1", "ok"), "--revision", "d1")
	time.Sleep(6 * time.Second) // the canary is done, the next two are on their way
	kill(syscall.SIGKILL)
	mustVerb(t, "plug", "web4")
	defer func() {
		mustVerb(t, "boot", "web4")
		await(t, "web4", func() bool { _, err := verb("exec", "web4", "true"); return err == nil })
	}()
	r := flipdeploy(t, "rollback", "--json")
	r.want(t, 4, "stuck")
	for _, h := range []string{"web1", "web2", "web3"} {
		if got := version(t, h); got != "v0" {
			t.Errorf("%s runs %s", h, got)
		}
	}
	if phase := r.result["hosts"].(map[string]any)["web4"].(map[string]any)["phase"]; phase != "unknown" {
		t.Errorf("web4 is listed as %v", phase)
	}
}

func TestTermInTheMiddleOfARollbackIsFinishedByARollback(t *testing.T) {
	fresh(t)
	rollout(t, "t1", "ok").want(t, 0, "done")
	kill := started(t, "rollback", "--parallel", "1")
	began := time.Now()
	if code := kill(syscall.SIGTERM); code != 130 {
		t.Errorf("exit %d", code)
	}
	if d := time.Since(began); d > 7500*time.Millisecond {
		t.Errorf("ended %s after TERM", d)
	}
	w := under(t, func() { flipdeploy(t, "rollback", "--json").want(t, 0, "done") })
	w.none(t, 2, 2)
	wantVersions(t, "v0")
	noneLeft(t)
}

// A HAProxy reload while hosts are out forgets them: they are out again at once.
func TestHAProxyReloadInTheMiddle(t *testing.T) {
	fresh(t)
	const n, pace = 3, 3 * time.Second
	w := underClients(t, true, func() {
		kill := started(t, "rollout", "--parallel", "2", "--artifact", build(t, "h1", "ok"), "--revision", "h1")
		for range n {
			reloadLB(t, "edge1")
			time.Sleep(pace)
		}
		if code := kill(0); code != 0 {
			t.Errorf("exit %d", code)
		}
	})
	w.gentle(t)
	costsNoMore(t, n, w.Load.Classes["post"].Failed, bareReloads(t, "edge1", n, pace))
	t.Logf("retried GETs: %d", w.Load.Classes["keepalive"].Retried)
	wantVersions(t, "h1")
	noneLeft(t)
}

// A host on which earlier runs cannot be shut out is not touched; the rest is settled.
func TestAHostThatCannotBeFencedIsLeftAndTheRestIsSettled(t *testing.T) {
	if sampled(t) {
		return
	}
	fresh(t)
	kill := started(t, "rollout", "--parallel", "2", "--artifact", build(t, "d1", "ok"), "--revision", "d1")
	time.Sleep(6 * time.Second)
	kill(syscall.SIGKILL)
	mustVerb(t, "exec", "web4", "sh", "-c", "mount --bind /srv/shop/.flipdeploy /srv/shop/.flipdeploy && mount -o remount,ro,bind /srv/shop/.flipdeploy")
	defer verb("exec", "web4", "umount", "/srv/shop/.flipdeploy")
	r := flipdeploy(t, "resume", "--json").want(t, 4, "stuck")
	if phase := r.phases()["web4"]; phase != "unknown" || !strings.Contains(r.stdout, "not touched, since earlier runs cannot be shut out there") {
		t.Errorf("web4 is %s: %s", phase, r)
	}
	mustVerb(t, "exec", "web4", "umount", "/srv/shop/.flipdeploy")
	under(t, func() { flipdeploy(t, "resume", "--json").want(t, 0, "done") }).none(t, 2, 2)
	wantVersions(t, "d1")
	noneLeft(t)
}
