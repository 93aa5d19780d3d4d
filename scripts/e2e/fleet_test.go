//go:build fleet

// Package e2e shows the promise on real hosts: systemd, sshd and HAProxy, under
// the standard load, with an independent oracle that is not flipdeploy.
package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
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

var (
	fleetDir string // of the fleet that all tests share
	binary   string
)

func TestMain(m *testing.M) {
	os.Exit(around(m))
}

func around(m *testing.M) int {
	os.Setenv("FLEET", fmt.Sprintf("e%d", os.Getpid()%10000))
	if n, err := strconv.Atoi(os.Getenv("E2E_HOSTS")); err == nil {
		webs = webs[:n]
	}
	args := []string{"up", "-n", fmt.Sprint(len(webs)), "-b", fmt.Sprint(len(edges())), "--bastions", fmt.Sprint(bastions())}
	for _, e := range edges() {
		if isNginx(e) {
			args = append(args, "--nginx", e)
		}
	}
	if os.Getenv("FLIPDEPLOY_RETRIES0") != "" {
		args = append(args, "--retries0")
	}
	if out, err := verb(args...); err != nil {
		fmt.Fprintln(os.Stderr, "fleet up:", err, out)
		return 1
	}
	defer verb("down")
	dir, _ := verb("dir")
	fleetDir = strings.TrimSpace(dir)
	binary = filepath.Join(fleetDir, "bin", "flipdeploy")
	build := exec.Command("go", "build", "-o", binary, "../..")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err, string(out))
		return 1
	}
	if out, err := verb("tools"); err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err, out)
		return 1
	}
	if err := tune(); err != nil {
		fmt.Fprintln(os.Stderr, "inventory:", err)
		return 1
	}
	defer storeDown()
	if err := storeUp(); err != nil {
		fmt.Fprintln(os.Stderr, "etcd:", err)
		return 1
	}
	return m.Run()
}

// whole tells whether every case is run, and not the sample of each test run.
func whole() bool { return os.Getenv("FLIPDEPLOY_KILLS") == "all" }

// sampled tells that a test is for whole runs alone, and this is none: what it shows is
// shown by others and on simulated fleets, too.
func sampled(t *testing.T) bool {
	if !whole() {
		t.Log("in a whole run only: FLIPDEPLOY_KILLS=all")
	}
	return !whole()
}

// edges are the fleet's balancers; FLIPDEPLOY_BALANCERS says which: haproxy (the
// default), 2 (of them), nginx, or both.
func edges() []string {
	switch os.Getenv("FLIPDEPLOY_BALANCERS") {
	case "2", "both":
		return []string{"edge1", "edge2"}
	}
	return []string{"edge1"}
}

func isNginx(edge string) bool {
	switch os.Getenv("FLIPDEPLOY_BALANCERS") {
	case "nginx":
		return true
	case "both":
		return edge == "edge2"
	}
	return false
}

// bastions is how many machines the fleet has that others may be reached through.
func bastions() int {
	n, _ := strconv.Atoi(os.Getenv("FLIPDEPLOY_BASTIONS")) // none where it is not set
	return n
}

// tune shortens what the tests would wait for.
func tune() error {
	name := filepath.Join(fleetDir, "inventory.toml")
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	text := strings.Replace(string(data), "[reload]\n", "[reload]\ntimeout = \"10s\"\nsettle = \"1s\"\n", 1)
	text = strings.Replace(text, "[health]\n", "[health]\ndeadline = \"6s\"\n", 1)
	text = strings.Replace(text, "[rollout]\n", "[rollout]\nbake = \"1s\"\n", 1)
	return os.WriteFile(name, []byte(text), 0o644)
}

// verb runs one of scripts/fleet's verbs.
func verb(args ...string) (string, error) {
	cmd := exec.Command("../fleet", args...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("fleet %s: %w\n%s", strings.Join(args, " "), err, errOut.String())
	}
	return string(out), nil
}

func mustVerb(t *testing.T, args ...string) string {
	t.Helper()
	out, err := verb(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A run is what one command line did.
type run struct {
	exit           int
	stdout, stderr string
	result         map[string]any
	took           time.Duration
}

func (r run) String() string {
	return fmt.Sprintf("exit %d after %.1fs\nstdout:\n%s\nstderr:\n%s", r.exit, r.took.Seconds(), r.stdout, r.stderr)
}

func command(args ...string) *exec.Cmd {
	cmd := exec.Command("../fleet", append([]string{"run", binary}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func inventory(args ...string) []string {
	if slices.Contains(args, "-i") {
		return args
	}
	return append(args, "-i", filepath.Join(fleetDir, "inventory.toml"))
}

// flipdeploy runs one command line to its end.
func flipdeploy(t *testing.T, args ...string) run {
	t.Helper()
	cmd := command(inventory(args...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	began := time.Now()
	err := cmd.Run()
	r := run{stdout: out.String(), stderr: errOut.String(), took: time.Since(began)}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		r.exit = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return read(r)
}

// read finds the result in what a command said.
func read(r run) run {
	for line := range strings.Lines(r.stdout) {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m) == nil && m["kind"] == "result" {
			r.result = m
		}
	}
	return r
}

func (r run) want(t *testing.T, exit int, outcome string) run {
	t.Helper()
	if r.exit != exit || (r.result != nil && r.result["outcome"] != outcome) {
		t.Fatalf("want exit %d (%s), got %s", exit, outcome, r)
	}
	return r
}

// build links the shop, once, and returns the artifact's path.
func build(t *testing.T, version, mode string) string {
	t.Helper()
	path := filepath.Join(fleetDir, "dist", version+"-"+mode, "shop")
	if _, err := os.Stat(path); err != nil {
		mustVerb(t, "build-app", path, version, mode)
	}
	return path
}

func rollout(t *testing.T, version, mode string, more ...string) run {
	t.Helper()
	return flipdeploy(t, append([]string{"rollout", "--json", "--parallel", "2", "--artifact", build(t, version, mode), "--revision", version}, more...)...)
}

// fresh brings every host, out or in, to serve v0 with no history left behind.
func fresh(t *testing.T) {
	t.Helper()
	storeFresh(t)
	for _, e := range edges() {
		mustVerb(t, "exec", e, "sh", "-c", "rm -rf /var/lib/flipdeploy/shop")
		if isNginx(e) {
			freshNginx(t, e)
			continue
		}
		for _, h := range webs {
			on(t, e, "set server shop/"+h+" state ready")
		}
	}
	mustVerb(t, "seed", "v0")
	for _, e := range edges() {
		if isNginx(e) {
			continue
		}
		await(t, "all hosts in rotation", func() bool { return strings.Count(on(t, e, "show servers state shop"), " 2 0 1 1 ") >= len(webs) })
	}
}

// haproxy says something to the first balancer by hand.
func haproxy(t *testing.T, words string) string {
	t.Helper()
	return on(t, "edge1", words)
}

func on(t *testing.T, edge, words string) string {
	t.Helper()
	return mustVerb(t, "exec", edge, "sh", "-c", "echo '"+words+"' | socat -t5 - UNIX-CONNECT:/run/haproxy/admin.sock")
}

// A watched span is load and oracle over some work.
type watched struct {
	Load struct {
		Served, Failed int
		Classes        map[string]struct{ Served, Failed, Retried int }
		Versions       map[string]int
		Texts          []string
	}
	Oracle struct {
		Samples    int
		Gaps       int
		MinServing int `json:"min_serving"`
		MaxOut     int `json:"max_out"`
		Changes    []struct {
			MS            int64
			Server, State string
		}
	}
}

// under does work under the standard load, watched by the oracle. Where a balancer
// is an nginx, each of whose reloads closes connections, clients retry GETs.
func under(t *testing.T, work func()) watched {
	t.Helper()
	return underClients(t, slices.ContainsFunc(edges(), isNginx), work)
}

// underClients is under with clients that send a GET again, or do not, when the
// connection that they kept was closed meanwhile.
func underClients(t *testing.T, retry bool, work func()) watched {
	t.Helper()
	var w watched
	target := []string{"-json"}
	var oracles []*background
	for i := range edges() {
		target = append(target, "-url", fmt.Sprintf("http://10.77.0.%d", i+2))
		if isNginx(edges()[i]) {
			continue // see nginx_test.go
		}
		oracles = append(oracles, start(t, "oracle", "-address", fmt.Sprintf("10.77.0.%d:9999", i+2), "-backend", "shop", "-json"))
	}
	if retry {
		target = append(target, "-retry")
	}
	load := start(t, "load", target...)
	time.Sleep(time.Second)
	work()
	time.Sleep(time.Second)
	for i := range oracles { // the worst of what they saw
		one := w.Oracle
		oracles[i].stop(t, &one)
		if i == 0 || one.MinServing < w.Oracle.MinServing || one.MaxOut > w.Oracle.MaxOut {
			w.Oracle = one
		}
	}
	load.stop(t, &w.Load)
	t.Logf("load: %d served, %d failed, %v; oracle: least serving %d, most out %d in %d samples",
		w.Load.Served, w.Load.Failed, w.Load.Versions, w.Oracle.MinServing, w.Oracle.MaxOut, w.Oracle.Samples)
	return w
}

// none fails the test when a single request failed or the floor was broken.
func (w watched) none(t *testing.T, minServing, maxOut int) {
	t.Helper()
	if w.Load.Failed != 0 || w.Load.Served < 200 {
		t.Errorf("%d of %d requests failed: %s", w.Load.Failed, w.Load.Served+w.Load.Failed, strings.Join(w.Load.Texts, "\n"))
	}
	if w.Oracle.MinServing < minServing || w.Oracle.MaxOut > maxOut || w.Oracle.Samples < 20 {
		t.Errorf("oracle: least serving %d, want %d; most out %d, want %d; %d samples",
			w.Oracle.MinServing, minServing, w.Oracle.MaxOut, maxOut, w.Oracle.Samples)
	}
}

type background struct {
	cmd   *exec.Cmd
	out   bytes.Buffer
	ended bool
}

func start(t *testing.T, tool string, args ...string) *background {
	t.Helper()
	b := &background{cmd: exec.Command("../fleet", append([]string{"run", filepath.Join(fleetDir, "bin", tool)}, args...)...)}
	b.cmd.Stdout, b.cmd.Stderr = &b.out, os.Stderr
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // a test that fails leaves no load behind
		if b.ended {
			return
		}
		_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGKILL)
		_ = b.cmd.Wait()
	})
	return b
}

func (b *background) stop(t *testing.T, into any) {
	t.Helper()
	_ = syscall.Kill(-b.cmd.Process.Pid, syscall.SIGINT)
	_ = b.cmd.Wait() // its exit code says what the report says
	b.ended = true
	if err := json.Unmarshal(b.out.Bytes(), into); err != nil {
		t.Fatalf("%s: %v: %s", b.cmd.Args, err, b.out.String())
	}
}

// version asks a host for its release, straight.
func version(t *testing.T, host string) string {
	t.Helper()
	return strings.TrimSpace(mustVerb(t, "exec", host, "curl", "-s", "-m", "3", "http://127.0.0.1:8080/version"))
}

func wantVersions(t *testing.T, want string) {
	t.Helper()
	for _, h := range webs {
		if got := version(t, h); got != want {
			t.Errorf("%s runs %q, want %q", h, got, want)
		}
	}
}

var mark = regexp.MustCompile(`\S+`)

// noneLeft: no mark, no lock, every host in rotation.
func noneLeft(t *testing.T) {
	t.Helper()
	for _, e := range edges() {
		noneLeftOn(t, e)
	}
	if !storeLockFree(t) {
		t.Error("the lock in etcd is still held")
	}
}

func noneLeftOn(t *testing.T, edge string) {
	t.Helper()
	if marks := mustVerb(t, "exec", edge, "sh", "-c", "ls /var/lib/flipdeploy/shop/own 2>/dev/null || true"); mark.MatchString(marks) {
		t.Errorf("%s: marks left: %s", edge, marks)
	}
	if out := mustVerb(t, "exec", edge, "sh", "-c", "cd /var/lib/flipdeploy/shop 2>/dev/null && [ -e lease ] || { echo free; exit; }; flock -n lease echo free || true"); strings.TrimSpace(out) != "free" {
		t.Errorf("%s: the lock is still held", edge)
	}
	if isNginx(edge) {
		confAsFound(t, edge)
		return
	}
	for line := range strings.Lines(on(t, edge, "show servers state shop")) {
		f := strings.Fields(line)
		if len(f) > 8 && strings.HasPrefix(f[3], "web") && (f[6] != "0" || f[5] != "2") {
			t.Errorf("%s: %s: admin state %s, operational %s", edge, f[3], f[6], f[5])
		}
	}
}
