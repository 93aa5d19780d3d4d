//go:build fleet

package e2e

import (
	"encoding/base64"
	"encoding/json"
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

// With FLIPDEPLOY_STORE=etcd the state of the fleet is kept in an etcd of three members, in
// the operator's network, that are killed and cut off while the tests run.

// store are the members; nil where state is kept on the balancers.
var store []*storeMember

type storeMember struct {
	at  string
	cmd *exec.Cmd
}

const storeAt = "10.77.0.1"

// storeUp starts the members and has the inventory name them.
func storeUp() error {
	if os.Getenv("FLIPDEPLOY_STORE") != "etcd" {
		return nil
	}
	var at []string
	for i := range 3 {
		m := &storeMember{at: fmt.Sprintf("%s:239%d", storeAt, i)}
		store, at = append(store, m), append(at, m.at)
		if err := m.start(i); err != nil {
			return err
		}
	}
	name := filepath.Join(fleetDir, "inventory.toml")
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	text := strings.Replace(string(data), "\n[ssh]\n", "\n[state]\nstore = \"etcd://"+strings.Join(at, ",")+"\"\n\n[ssh]\n", 1)
	return os.WriteFile(name, []byte(text), 0o644)
}

func (m *storeMember) start(i int) error {
	var all []string
	for n := range 3 {
		all = append(all, fmt.Sprintf("m%d=http://%s:240%d", n, storeAt, n))
	}
	peer := fmt.Sprintf("http://%s:240%d", storeAt, i)
	m.cmd = exec.Command("../fleet", "run", "etcd", "--name", fmt.Sprint("m", i), "--data-dir", filepath.Join(fleetDir, "etcd", fmt.Sprint("m", i)),
		"--listen-client-urls", "http://"+m.at, "--advertise-client-urls", "http://"+m.at, "--listen-peer-urls", peer,
		"--initial-advertise-peer-urls", peer, "--initial-cluster", strings.Join(all, ","), "--log-level", "error")
	m.cmd.Stderr = os.Stderr
	return m.cmd.Start()
}

func (m *storeMember) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
	m.cmd = nil
}

// silent and back are a member that the network has lost.
func (m *storeMember) silent() { _ = m.cmd.Process.Signal(syscall.SIGSTOP) }
func (m *storeMember) back()   { _ = m.cmd.Process.Signal(syscall.SIGCONT) }

func storeDown() {
	for _, m := range store {
		if m.cmd != nil {
			m.kill()
		}
	}
}

// say asks whichever member answers, in etcd's JSON.
func say(t *testing.T, method, body string) map[string]any {
	t.Helper()
	var got map[string]any
	await(t, "an answer of etcd", func() bool {
		for _, m := range store {
			out, err := verb("run", "curl", "-s", "-m", "2", "http://"+m.at+"/v3/"+method, "-d", body)
			if err == nil && json.Unmarshal([]byte(out), &got) == nil && got["header"] != nil {
				return true
			}
		}
		return false
	})
	return got
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// storeLockFree tells whether nobody has the lock in etcd.
func storeLockFree(t *testing.T) bool {
	t.Helper()
	return store == nil || say(t, "kv/range", `{"key":"`+b64("/flipdeploy/shop/lock")+`"}`)["kvs"] == nil
}

// storeFresh has etcd know nothing of the fleet.
func storeFresh(t *testing.T) {
	t.Helper()
	if store != nil {
		say(t, "kv/deleterange", `{"key":"`+b64("/flipdeploy/")+`","range_end":"`+b64("/flipdeploy0")+`"}`)
	}
}

// leader is the member that leads.
func leader(t *testing.T) int {
	t.Helper()
	for i, m := range store {
		out := mustVerb(t, "run", "curl", "-s", "-m", "2", "http://"+m.at+"/v3/maintenance/status", "-d", "{}")
		var s struct {
			Header struct {
				Member string `json:"member_id"`
			}
			Leader string
		}
		if json.Unmarshal([]byte(out), &s) == nil && s.Leader == s.Header.Member {
			return i
		}
	}
	t.Fatal("etcd has no leader")
	return 0
}

// TestEtcdLosesMembersDuringARollout: the leader is killed in the middle and comes back,
// then another is cut off; nobody notices. Then the state is moved to the balancers and
// back, and whoever looks in the wrong place is refused.
func TestEtcdLosesMembersDuringARollout(t *testing.T) {
	if store == nil {
		t.Fatal("FLIPDEPLOY_STORE=etcd is needed")
	}
	fresh(t)
	w := under(t, func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(time.Second)
			n := leader(t)
			store[n].kill()
			time.Sleep(2500 * time.Millisecond)
			if err := store[n].start(n); err != nil {
				t.Error(err)
			}
			time.Sleep(time.Second)
			cut := store[(n+1)%3]
			cut.silent()
			time.Sleep(2500 * time.Millisecond)
			cut.back()
		}()
		rollout(t, "v1", "ok", "--canary", "0", "--bake", "0s").want(t, 0, "done")
		<-done
	})
	w.none(t, 1, 2)
	wantVersions(t, "v1")
	noneLeft(t)

	here := with(t, "store = ", "# store = ")
	refused := flipdeploy(t, append([]string{"history", "--json"}, here...)...).want(t, 1, "refused")
	if refused.result["code"] != "FD-STATE-MOVED" {
		t.Error(refused)
	}
	flipdeploy(t, "move", "balancers", "--json").want(t, 0, "done")
	if r := flipdeploy(t, append([]string{"history", "--json"}, here...)...).want(t, 0, "done"); strings.Count(r.stdout, `"outcome":"done","who"`) != 1 {
		t.Error(r)
	}
	if r := flipdeploy(t, "rollout", "--json", "--artifact", build(t, "v1", "ok"), "--revision", "v1").want(t, 1, "refused"); r.result["code"] != "FD-STATE-MOVED" {
		t.Error(r)
	}
	flipdeploy(t, "move", "etcd", "--json").want(t, 0, "done")

	// What another fleet would find there, or one whose balancer was made anew.
	mustVerb(t, "exec", "edge1", "rm", "-r", "/var/lib/flipdeploy/shop")
	if r := flipdeploy(t, "plan", "--json", "--artifact", build(t, "v1", "ok"), "--revision", "v1").want(t, 1, "refused"); r.result["code"] != "FD-STORE-FLEET" {
		t.Error(r)
	}
	flipdeploy(t, "move", "etcd", "--json").want(t, 0, "done")
	if r := flipdeploy(t, "history", "--json").want(t, 0, "done"); strings.Count(r.stdout, `"outcome":"done","who"`) != 1 {
		t.Error(r)
	}
}

// TestEtcdIsLost: more than half of it is, in the middle. The run stops as after a lost
// lock, what is out stays out and marked, and once etcd is back another ends the work.
func TestEtcdIsLost(t *testing.T) {
	if store == nil {
		t.Fatal("FLIPDEPLOY_STORE=etcd is needed")
	}
	if sampled(t) {
		return
	}
	fresh(t)
	w := under(t, func() {
		time.AfterFunc(5*time.Second, func() { store[0].silent(); store[1].silent() })
		r := rollout(t, "v1", "ok")
		store[0].back()
		store[1].back()
		if r.exit != 3 && r.exit != 4 || r.result["code"] != "FD-LOCK-LOST" {
			t.Error(r)
		}
		await(t, "a free lock", func() bool { return storeLockFree(t) })
		flipdeploy(t, "resume", "--json").want(t, 0, "done")
	})
	w.none(t, len(webs)-2, 2)
	wantVersions(t, "v1")
	noneLeft(t)
}

// TestEtcdFrozenDeployer: a deployer sleeps past its lease, another settles its rollout, and
// when it wakes it does nothing any more.
func TestEtcdFrozenDeployer(t *testing.T) {
	if store == nil {
		t.Fatal("FLIPDEPLOY_STORE=etcd is needed")
	}
	if sampled(t) {
		return
	}
	fresh(t)
	w := under(t, func() {
		cmd := command(slices.Concat(inventory("rollout", "--json", "--artifact", build(t, "v1", "ok"), "--revision", "v1"))...)
		var out strings.Builder
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGSTOP)
		began := time.Now()
		await(t, "a free lock", func() bool { return storeLockFree(t) })
		t.Logf("the lock is free %s after SIGSTOP", time.Since(began))
		flipdeploy(t, "rollback", "--json").want(t, 0, "done")
		time.Sleep(time.Until(began.Add(40 * time.Second)))
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGCONT)
		_ = cmd.Wait()
		if !strings.Contains(out.String(), "FD-LOCK-LOST") && !strings.Contains(out.String(), "FD-FENCED") {
			t.Error("it woke up and said", out.String())
		}
	})
	w.none(t, len(webs)-1, 1)
	wantVersions(t, "v0")
	noneLeft(t)
}
