//go:build fleet

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These need two balancers in front of the same hosts: FLIPDEPLOY_BALANCERS=2.
func TestSeveralBalancers(t *testing.T) {
	if len(edges()) < 2 {
		t.Log("one balancer: nothing to see here")
		return
	}
	t.Run("rollout and rollback", severalUnderLoad)
	t.Run("out by hand on one", outOnOne)
	t.Run("the floor counts on each", floorOnEach)
	t.Run("unreachable at the start", lostAtTheStart)
	if whole() {
		t.Run("lost for a while", func(t *testing.T) { lostInTheMiddle(t, 8*time.Second, 0, "done") })
	}
	t.Run("lost for good", func(t *testing.T) { lostInTheMiddle(t, 0, 3, "paused") })
	t.Run("several upstreams and ports", severalUpstreams)
}

func severalUnderLoad(t *testing.T) {
	fresh(t)
	under(t, func() {
		rollout(t, "v1", "ok").want(t, 0, "done")
		wantVersions(t, "v1")
		if whole() {
			rollout(t, "bad", "unhealthy").want(t, 7, "rolled_back")
		}
		flipdeploy(t, "rollback", "--json", "--parallel", "2").want(t, 0, "done")
	}).none(t, 2, 2)
	wantVersions(t, "v0")
	noneLeft(t)
}

func outOnOne(t *testing.T) {
	fresh(t)
	on(t, "edge2", "set server shop/web3 state maint")
	r := rollout(t, "v1", "ok").want(t, 0, "done")
	r.wantPhases(t, "done", "done", "left_out", "done")
	wants(t, "versions", versions(t), "v1 v1 v0 v1")
	on(t, "edge2", "set server shop/web3 state ready")
}

func floorOnEach(t *testing.T) {
	fresh(t)
	on(t, "edge2", "set server shop/web3 state maint")
	on(t, "edge2", "set server shop/web4 state maint")
	r := rollout(t, "v1", "ok", "--min-serving", "2").want(t, 1, "refused")
	wants(t, "code", fmt.Sprint(r.result["code"]), "FD-FLOOR")
	wantVersions(t, "v0")
	fresh(t)
}

func lostAtTheStart(t *testing.T) {
	fresh(t)
	mustVerb(t, "exec", "edge2", "systemctl", "stop", "ssh", "ssh.socket")
	r := rollout(t, "v1", "ok").want(t, 1, "refused")
	mustVerb(t, "exec", "edge2", "systemctl", "start", "ssh")
	if !strings.Contains(fmt.Sprint(r.result["error"]), "edge2") {
		t.Errorf("edge2 is not named: %s", r)
	}
	wantVersions(t, "v0")
	noneLeft(t)
}

// lostInTheMiddle freezes the way to edge2, not edge2: its clients go on.
func lostInTheMiddle(t *testing.T, back time.Duration, exit int, outcome string) {
	fresh(t)
	inv := with(t, "[rollout]\n", "[rollout]\nhost_deadline = \"40s\"\nprogress_deadline = \"81s\"\ndrain_timeout = \"5s\"\nlb_ready_timeout = \"10s\"\n")
	w := under(t, func() {
		cmd := command(append([]string{"rollout", "--json", "--parallel", "2", "--artifact", build(t, "v1", "ok"), "--revision", "v1"}, inv...)...)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer mustVerb(t, "exec", "edge2", "systemctl", "start", "ssh")
		await(t, "a host at its new release", func() bool { return strings.Contains(out.String(), `"phase":"reloading"`) })
		mustVerb(t, "exec", "edge2", "sh", "-c", "systemctl stop ssh ssh.socket; pkill -KILL -u deploy; true")
		if back > 0 {
			time.Sleep(back)
			mustVerb(t, "exec", "edge2", "systemctl", "start", "ssh")
		}
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != exit || !strings.Contains(out.String(), `"outcome":"`+outcome+`"`) {
			t.Errorf("exit %d, want %d (%s):\n%s", got, exit, outcome, out.String())
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	})
	w.none(t, 2, 2)
	if exit != 0 {
		under(t, func() { flipdeploy(t, "rollback", "--json", "--parallel", "2").want(t, 0, "done") }).none(t, 1, 3)
		wantVersions(t, "v0")
	}
	noneLeft(t)
}

// severalUpstreams: a second pool with the second port of the same hosts.
func severalUpstreams(t *testing.T) {
	fresh(t)
	for _, e := range edges() {
		mustVerb(t, "exec", e, "sh", "-c", `cp /etc/haproxy/haproxy.cfg /root/haproxy.cfg
			printf '\nfrontend more\n    bind :81\n    default_backend more\nbackend more\n    option httpchk GET /health\n' >>/etc/haproxy/haproxy.cfg
			for i in 1 2 3 4; do echo "    server m$i 10.77.0.1$i:8081 check inter 200ms rise 2 fall 2"; done >>/etc/haproxy/haproxy.cfg
			systemctl reload haproxy`)
		defer mustVerb(t, "exec", e, "sh", "-c", "cp /root/haproxy.cfg /etc/haproxy/haproxy.cfg; systemctl reload haproxy")
	}
	await(t, "the second pool", func() bool { return strings.Count(haproxy(t, "show servers state more"), " 2 0 1 ") >= 4 })
	both := with(t, "port = 8080", "port = [8080, 8081]", "upstream = \"shop\"", "upstream = [\"shop\", \"more\"]")
	more := start(t, "load", "-url", "http://10.77.0.2:81", "-json")
	var second watched
	under(t, func() {
		rollout(t, "v1", "ok", both...).want(t, 0, "done")
		flipdeploy(t, append([]string{"rollback", "--json", "--parallel", "2"}, both...)...).want(t, 0, "done")
	}).none(t, 2, 2)
	more.stop(t, &second.Load)
	if second.Load.Failed > 0 || second.Load.Served < 200 {
		t.Errorf("the second pool: %d of %d failed: %v", second.Load.Failed, second.Load.Served, second.Load.Texts)
	}
	noneLeft(t)
}
