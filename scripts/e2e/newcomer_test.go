//go:build fleet

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// A newcomer goes the way of the README, line by line as it stands there, and does what
// doctor prints.
type newcomer struct {
	t    *testing.T
	dir  string   // where the next line is typed
	env  []string // a home without anything of ours but a key
	demo *exec.Cmd
	id   string // of the rollout, from history
}

// A person who has the README, the balancer's configuration and a program gets from a
// clone to the page of a rollout that nobody noticed, past three faults that were there.
func TestNewcomerGoesTheWayOfTheReadme(t *testing.T) {
	if isNginx(edges()[0]) || len(edges()) > 1 {
		t.Log("the README's way is behind one HAProxy")
		return
	}
	fresh(t)
	n := arrives(t)
	faulty(t)
	for _, line := range wayOfTheReadme(t) {
		n.types(line)
	}
	n.awaitDemo()
	wantVersions(t, "v1")
	noneLeft(t)
}

// wayOfTheReadme are the lines of its block from a clone to a report.
func wayOfTheReadme(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```sh\ngit clone ")
	block, _, _ = strings.Cut("git clone "+block, "```")
	for line := range strings.Lines(block) {
		if line, _, _ = strings.Cut(strings.TrimSpace(line), "  #"); line != "" {
			all = append(all, strings.TrimSpace(line))
		}
	}
	if !found || len(all) != 11 {
		t.Fatalf("the README's way has %d lines: %q", len(all), all)
	}
	return all
}

// arrives is a home with a key, where the address of the clone leads to this tree.
func arrives(t *testing.T) *newcomer {
	t.Helper()
	home, tree := t.TempDir(), absolute(t, "../..")
	write(t, filepath.Join(home, ".gitconfig"), fmt.Sprintf("[url %q]\n\tinsteadOf = https://github.com/flipdeploy/flipdeploy\n[safe]\n\tdirectory = *\n", tree))
	key, err := os.ReadFile(filepath.Join(fleetDir, "id_ed25519"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, ".ssh", "id_ed25519"), string(key))
	bin := filepath.Join(home, "go", "bin")
	write(t, filepath.Join(bin, "editor"), "#!/bin/sh\nexec sed -i '"+strings.Join(filledIn, "; ")+"' \"$1\"\n")
	return &newcomer{t: t, dir: home, env: append(withoutOurs(t), "HOME="+home, "GOBIN="+bin, "PATH="+bin+":"+os.Getenv("PATH"), "EDITOR=editor", "FLIPDEPLOY_YES=true")}
}

// withoutOurs is the environment but for what flipdeploy and SSH would find in it, with
// Go's caches, which another home would have elsewhere.
func withoutOurs(t *testing.T) (env []string) {
	t.Helper()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); !strings.HasPrefix(name, "FLIPDEPLOY_") && !strings.HasPrefix(name, "SSH_") {
			env = append(env, pair)
		}
	}
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOPROXY", "GOSUMDB"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		env = append(env, name+"="+strings.TrimSpace(string(out)))
	}
	return env
}

// filledIn is what a person writes into the inventory.
var filledIn = []string{
	`s|edge1\.invalid|10.77.0.2|`, `s|^# user = "deploy" *|user = "deploy" |`,
	`s|^# bake = "5s" *|bake = "1s" |`, `s|^# parallel = 1 *|parallel = 2 |`,
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
}

// faulty plants what doctor is to find: on web1 no right to start the app, on web2 an
// app directory of root's, on the balancer a state directory of root's.
func faulty(t *testing.T) {
	t.Helper()
	for _, m := range []string{"web1", "edge1"} {
		mustVerb(t, "exec", m, "mv", "/etc/sudoers.d/deploy", "/root/sudoers")
		t.Cleanup(func() {
			mustVerb(t, "exec", m, "sh", "-c", "mv /root/sudoers /etc/sudoers.d/deploy; rm -f /etc/sudoers.d/flipdeploy")
		})
	}
	mustVerb(t, "exec", "web2", "chown", "root:", "/srv/shop")
	mustVerb(t, "exec", "edge1", "sh", "-c", "rm -rf /var/lib/flipdeploy; install -d -o root /var/lib/flipdeploy")
	t.Cleanup(func() { mustVerb(t, "exec", "web2", "chown", "deploy:", "/srv/shop") })
}

// types runs one line, and looks at what a person would look at.
func (n *newcomer) types(line string) {
	n.t.Helper()
	words := strings.Fields(line)
	switch strings.Join(words[:min(2, len(words))], " ") {
	case "git clone":
		n.must(line)
		n.dir = filepath.Join(n.dir, "flipdeploy") // as its cd says
		n.bring()
	case "flipdeploy doctor":
		n.doctor(line)
	case "flipdeploy plan":
		wantText(n.t, n.must(line).stdout, fmt.Sprintf("shop: v0 → v1 on %d of %[1]d hosts\n", len(webs)))
	case "flipdeploy rollout":
		under(n.t, func() { n.must(line) }).none(n.t, len(webs)-2, 2)
	case "flipdeploy history":
		n.newest(n.must(line).stdout)
	case "flipdeploy report":
		n.report(line)
	case "scripts/demo":
		n.startDemo(line)
	default:
		n.must(line)
	}
}

func (n *newcomer) must(line string) run {
	n.t.Helper()
	r := n.sh(line)
	if r.exit != 0 {
		n.t.Fatalf("$ %s\n%s", line, r)
	}
	return r
}

// sh has the operator's network for flipdeploy, and the machine's for all else.
func (n *newcomer) sh(line string) (r run) {
	n.t.Helper()
	cmd := exec.Command("bash", "-c", line)
	if strings.HasPrefix(line, "flipdeploy ") {
		cmd = exec.Command(absolute(n.t, "../fleet"), "run", "bash", "-c", line)
	}
	var out, errOut bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = n.dir, n.env, &out, &errOut
	if err := cmd.Run(); cmd.ProcessState == nil {
		n.t.Fatal(err)
	}
	r.exit, r.stdout, r.stderr = cmd.ProcessState.ExitCode(), out.String(), errOut.String()
	n.t.Logf("$ %s\n%s%s", line, r.stdout, r.stderr)
	return r
}

// bring copies what the README says a person has: the balancer's configuration, and a
// program.
func (n *newcomer) bring() {
	n.t.Helper()
	write(n.t, filepath.Join(n.dir, "haproxy.cfg"), mustVerb(n.t, "exec", "edge1", "cat", "/etc/haproxy/haproxy.cfg"))
	program, err := os.ReadFile(build(n.t, "v1", "ok"))
	if err != nil {
		n.t.Fatal(err)
	}
	write(n.t, filepath.Join(n.dir, "dist", "shop"), string(program))
}

// startDemo lets it run beside the rest, on hosts of its own: as few as it takes.
func (n *newcomer) startDemo(line string) {
	if !whole() {
		line += " --hosts 3"
	}
	n.demo = exec.Command("bash", "-c", line)
	out := &bytes.Buffer{}
	n.demo.Dir, n.demo.Env, n.demo.Stdout, n.demo.Stderr = n.dir, n.env, out, out
	n.demo.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := n.demo.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { // it takes its fleet down when it is told to end
		if n.demo.ProcessState == nil {
			_ = n.demo.Process.Signal(syscall.SIGTERM)
			_ = n.demo.Wait()
		}
	})
}

func (n *newcomer) awaitDemo() {
	n.t.Helper()
	err := n.demo.Wait()
	said := fmt.Sprint(n.demo.Stdout)
	if err != nil || !regexp.MustCompile(`\nserved [1-9][0-9]*, failed 0; at least [0-9]+ of [0-9]+ hosts served throughout \(oracle\)\n`).MatchString(said) {
		n.t.Errorf("scripts/demo: %v\n%s", err, said)
	}
	n.t.Logf("demo:\n%s", said[max(0, len(said)-600):])
}

var (
	finding = regexp.MustCompile(`^(\S+) +(FD-[A-Z-]+)  `)
	typed   = regexp.MustCompile(`^ +hint: .*?(sudo .*)$`)
	given   = regexp.MustCompile(`^ +\| (.*)$`)
)

// doctor runs it, does on each machine what it prints for that, and runs it again.
func (n *newcomer) doctor(line string) {
	n.t.Helper()
	r := n.sh(line)
	var machine string
	var found, lines []string
	for text := range strings.Lines(r.stdout) {
		text = strings.TrimSuffix(text, "\n")
		if m := finding.FindStringSubmatch(text); m != nil {
			machine, lines, found = m[1], nil, append(found, m[1]+" "+m[2])
		} else if m := given.FindStringSubmatch(text); m != nil {
			lines = append(lines, m[1])
		} else if m := typed.FindStringSubmatch(text); m != nil {
			asRoot(n.t, machine, m[1], lines)
		}
	}
	if want := "[edge1 FD-STATE-DIR web1 FD-PROC-RIGHTS web2 FD-APP-PATH]"; r.exit != 1 || fmt.Sprint(found) != want {
		n.t.Fatalf("found %v, want %s: %s", found, want, r)
	}
	if r := n.sh(line); r.exit != 0 || !strings.HasSuffix(r.stdout, "\nshop is ready to roll out\n") {
		n.t.Fatalf("not content after all was done that it printed: %s", r)
	}
}

// asRoot types a command on a machine; in an editor that it opens, the lines.
func asRoot(t *testing.T, machine, command string, lines []string) {
	t.Helper()
	t.Logf("%s# %s", machine, command)
	mustVerb(t, "exec", machine, "sh", "-ec", `printf '%s\n' '#!/bin/sh' 'for file; do :; done; cat /root/lines >>"$file"' >/root/editor
		chmod 755 /root/editor; printf '%s' "$1" >/root/lines; sudo() { "$@"; }; export EDITOR=/root/editor; eval "$2"; rm /root/editor /root/lines`,
		"asRoot", strings.Join(append(lines, ""), "\n"), command)
}

// newest keeps the ID of the rollout that history names first.
func (n *newcomer) newest(history string) {
	n.t.Helper()
	m := regexp.MustCompile(`\n(\S+)  .*  rollout +v1 +v0 +done `).FindStringSubmatch(history)
	if m == nil {
		n.t.Fatal("history has no rollout that is done")
	}
	n.id = m[1]
}

func (n *newcomer) report(line string) {
	n.t.Helper()
	n.must(strings.Replace(line, "ID", n.id, 1))
	page, err := os.ReadFile(filepath.Join(n.dir, "report.html"))
	if err != nil {
		n.t.Fatal(err)
	}
	for _, want := range []string{"<!doctype html>", n.id, "v1", "web1"} {
		wantText(n.t, string(page), want)
	}
}
