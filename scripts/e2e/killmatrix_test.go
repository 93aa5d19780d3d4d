//go:build fleet

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The kill matrix: the command line ends itself by SIGKILL right before or right after
// each act of a run, and a second one, from a directory that has nothing but inventory
// and key, ends the work. FLIPDEPLOY_KILLS=all takes every point and appends a line for
// each, failed ones too, to FLIPDEPLOY_KILLS_OUT, leaving out those whose last line there
// says that they passed; else a sample.

// A scenario is a run to be killed, and what the fleet runs once it is settled.
type scenario struct {
	name   string
	before func(t *testing.T, k *killer) // brings the fleet to where the run begins
	args   func(t *testing.T, k *killer) []string
	from   string // act from which on it is of interest
	exit   map[string]int
	ends   func(k *killer, settle string) string
}

var scenarios = []scenario{
	{
		name:   "rollout",
		before: func(*testing.T, *killer) {},
		args:   func(t *testing.T, k *killer) []string { return k.forward(t, k.next(), "ok") },
		exit:   map[string]int{"resume": 0, "rollback": 0},
		ends: func(k *killer, settle string) string {
			if settle == "resume" {
				return k.next()
			}
			return k.runs
		},
	},
	{
		name: "rollback",
		before: func(t *testing.T, k *killer) {
			flipdeploy(t, slices.Concat(k.forward(t, k.next(), "ok"), k.inv)...).want(t, 0, "done")
		},
		args: func(*testing.T, *killer) []string { return []string{"rollback", "--json"} },
		exit: map[string]int{"resume": 0, "rollback": 0},
		ends: func(k *killer, _ string) string { return k.runs },
	},
	{
		name:   "automatic rollback",
		before: func(*testing.T, *killer) {},
		args:   func(t *testing.T, k *killer) []string { return k.forward(t, "bad", "unhealthy@web3") },
		from:   "web3:flip:2",
		exit:   map[string]int{"resume": 7, "rollback": 0},
		ends:   func(k *killer, _ string) string { return k.runs },
	},
}

// A killer is the mortal binary and what it works on.
type killer struct {
	binary string
	inv    []string // flags of this machine
	other  []string // and of another one
	runs   string   // revision that the whole fleet runs
}

func (k *killer) next() string {
	if k.runs == "k1" {
		return "k2"
	}
	return "k1"
}

func (k *killer) forward(t *testing.T, revision, mode string) []string {
	return []string{"rollout", "--json", "--artifact", build(t, revision, mode), "--revision", revision}
}

// newKiller works by an inventory with more pairs of words replaced.
func newKiller(t *testing.T, more ...string) *killer {
	t.Helper()
	k := &killer{binary: mortal(t), runs: "v0"}
	k.inv = with(t, append(more, "bake = \"1s\"", "bake = \"0s\"", "settle = \"1s\"", "settle = \"200ms\"", "[health]\n", "[health]\ninterval = \"50ms\"\n")...)
	dir := t.TempDir()
	for _, name := range []string{k.inv[1], "id_ed25519", "known_hosts"} {
		data, err := os.ReadFile(filepath.Join(fleetDir, filepath.Base(name)))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(name)), data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	k.other = []string{"-i", filepath.Join(dir, filepath.Base(k.inv[1]))}
	return k
}

// mortal builds the binary that has kill points, once.
func mortal(t *testing.T) string {
	t.Helper()
	name := filepath.Join(fleetDir, "bin", "flipdeploy-mortal")
	if _, err := os.Stat(name); err == nil {
		return name
	}
	if out, err := exec.Command("go", "build", "-tags", "killpoints", "-o", name, "../..").CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	return name
}

// run is the mortal binary at work, with variables set.
func (k *killer) run(t *testing.T, args []string, variables ...string) (died bool, r run) {
	t.Helper()
	cmd := exec.Command("../fleet", slices.Concat([]string{"run", k.binary}, args, k.inv)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.Env = append(os.Environ(), variables...)
	began := time.Now()
	_ = cmd.Run()
	r = read(run{stdout: out.String(), stderr: errOut.String(), took: time.Since(began), exit: cmd.ProcessState.ExitCode()})
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return status.Signaled() && status.Signal() == syscall.SIGKILL || status.ExitStatus() == 137, r
}

// at has something done at a point.
func at(point, do string) []string { return []string{"FLIPDEPLOY_AT=" + point, "FLIPDEPLOY_DO=" + do} }

// points are all that a run passes, before and after each act.
func (k *killer) points(t *testing.T, s scenario) []string {
	t.Helper()
	s.before(t, k)
	file := filepath.Join(t.TempDir(), "acts")
	_, r := k.run(t, s.args(t, k), "FLIPDEPLOY_ACTS="+file)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err, r)
	}
	if s.name == "rollout" {
		k.runs = k.next()
	}
	wantVersions(t, k.runs)
	acts := strings.Fields(string(data))
	if s.from != "" {
		acts = acts[slices.Index(acts, s.from):]
	}
	var all []string
	for _, a := range acts {
		if effective.MatchString(a) {
			all = append(all, a+":before", a+":after")
		}
	}
	return all
}

// effective acts change what serves; marks come and go with them, and a look changes
// nothing. FLIPDEPLOY_KILLS_ACTS is another choice.
var effective = regexp.MustCompile(":(" + or(os.Getenv("FLIPDEPLOY_KILLS_ACTS"), "drain|flip|reload|ready|restore") + ")[@:]")

func TestKillMatrix(t *testing.T) {
	fresh(t)
	if store != nil {
		store[2].kill() // one member is down all the while
	}
	k := newKiller(t)
	for _, s := range scenarios {
		points := k.points(t, s)
		for n, settle := range []string{"resume", "rollback"} {
			todo := wanted(s, settle, points, n)
			t.Logf("%s, %s: %d of %d points", s.name, settle, len(todo), len(points))
			for _, p := range todo {
				t.Run(row(s, settle, p), func(t *testing.T) { k.at(t, s, settle, p) })
			}
		}
	}
}

func row(s scenario, settle, point string) string {
	where := or(os.Getenv("FLIPDEPLOY_BALANCERS"), "haproxy")
	if store != nil {
		where += ", etcd"
	}
	return strings.Join([]string{where, s.name, settle, point}, "\t")
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// wanted are the points that have no line yet, or a sample of all.
func wanted(s scenario, settle string, points []string, n int) (todo []string) {
	if every, err := strconv.Atoi(os.Getenv("FLIPDEPLOY_KILLS")); err == nil { // so many apart, others for the other way to settle
		for i := n * every / 2; i < len(points); i += every {
			todo = append(todo, points[i])
		}
		return todo
	}
	if !whole() {
		if n > 0 && s.name != scenarios[0].name {
			return nil
		}
		for i := 3 + 7*n; i < len(points); i += len(points) {
			todo = append(todo, points[i])
		}
		return todo
	}
	seen, _ := os.ReadFile(os.Getenv("FLIPDEPLOY_KILLS_OUT"))
	for _, p := range points {
		if !passed(string(seen), row(s, settle, p)) {
			todo = append(todo, p)
		}
	}
	return todo
}

// passed tells whether the last line of a point says so. Lines without a verdict are
// from when only those that passed were written.
func passed(lines, row string) (yes bool) {
	for line := range strings.Lines(lines) {
		if strings.HasPrefix(line, row+"\t") {
			yes = !strings.HasSuffix(line, "\tfailed\n")
		}
	}
	return yes
}

// at kills a run at one point and has it settled from elsewhere, all under load.
func (k *killer) at(t *testing.T, s scenario, settle, point string) {
	s.before(t, k)
	args := s.args(t, k)
	var r run
	var free time.Duration
	var w watched
	defer func() { // however the test ends
		defer k.sound(t)
		k.write(t, fmt.Sprintf("%s\t%v\texit %d\tlock free %d ms\t%d served\t%d failed", row(s, settle, point), r.result["outcome"], r.exit, free.Milliseconds(), w.Load.Served, w.Load.Failed))
	}()
	w = under(t, func() {
		if died, r := k.run(t, args, at(point, "kill -KILL $PID")...); !died {
			t.Errorf("the point was not reached: %s", r)
		}
		began := time.Now()
		await(t, "a free lock", func() bool { return lockFree(t) })
		free = time.Since(began)
		r = flipdeploy(t, slices.Concat([]string{settle, "--json"}, k.other)...)
	})
	if r.exit != s.exit[settle] {
		t.Errorf("%s: %s", settle, r)
	}
	if slices.ContainsFunc(edges(), isNginx) {
		w.gentle(t)
	} else {
		w.none(t, 2, 1)
	}
	k.runs = s.ends(k, settle)
	wantVersions(t, k.runs)
	noneLeft(t)
}

// sound has the next point begin on a sound fleet.
func (k *killer) sound(t *testing.T) {
	if t.Failed() {
		fresh(t)
		k.runs = "v0"
	}
}

func lockFree(t *testing.T) bool {
	t.Helper()
	for _, e := range edges() {
		if strings.TrimSpace(mustVerb(t, "exec", e, "sh", "-c", "flock -n /var/lib/flipdeploy/shop/lease echo free || true")) != "free" {
			return false
		}
	}
	return storeLockFree(t)
}

func (k *killer) write(t *testing.T, line string) {
	t.Helper()
	verdict := "passed"
	if t.Failed() {
		verdict = "failed"
	}
	line += "\t" + verdict
	t.Log(line)
	name := os.Getenv("FLIPDEPLOY_KILLS_OUT")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fmt.Fprintln(f, line)
}

// TestAHostInMaintIsTakenOver: clients that stick to a server have a host go to maint,
// which drain alone would not empty; another deployer takes it from there.
func TestAHostInMaintIsTakenOver(t *testing.T) {
	fresh(t)
	k := newKiller(t)
	mustVerb(t, "exec", "edge1", "sh", "-c", `cp /etc/haproxy/haproxy.cfg /root/haproxy.cfg
		sed -i 's/^ *balance roundrobin/    balance roundrobin\n    cookie S insert indirect nocache dynamic\n    dynamic-cookie-key k/' /etc/haproxy/haproxy.cfg; systemctl reload haproxy`)
	defer mustVerb(t, "exec", "edge1", "sh", "-c", "cp /root/haproxy.cfg /etc/haproxy/haproxy.cfg; systemctl reload haproxy")
	for _, settle := range []string{"resume", "rollback", "abandon"} {
		before, next := k.runs, k.next()
		if died, r := k.run(t, k.forward(t, next, "ok"), at("web2:flip:1:after", "kill -KILL $PID")...); !died {
			t.Fatal(r)
		}
		if state := haproxy(t, "show servers state shop"); !strings.Contains(state, "web2 10.77.0.12 0 1 ") {
			t.Fatalf("web2 is not in maint: %s", state)
		}
		args := []string{settle, "--json"}
		if settle == "abandon" {
			args = append(args, "--yes")
		}
		under(t, func() { flipdeploy(t, slices.Concat(args, k.other)...).want(t, 0, "done") }).none(t, 2, 1)
		noneLeft(t)
		switch settle {
		case "resume":
			k.runs = next
		case "rollback":
			k.runs = before
		case "abandon":
			return // web1 runs the new one, the others the old
		}
		wantVersions(t, k.runs)
	}
}
