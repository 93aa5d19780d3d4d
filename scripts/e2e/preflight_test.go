//go:build fleet

package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what was said into testdata")

// A wrong is one fault of the preflight, made on real machines.
type wrong struct {
	name  string
	make  string   // HOST: a script that breaks it, run as root there
	undo  string   // HOST: and what mends it
	inv   []string // words of the inventory and what stands there instead
	flags []string
	code  string
	work  func(t *testing.T) (undo func(), flags []string) // what needs more than a script
}

var wrongs = []wrong{
	{name: "sshd does not run", make: "web3: systemctl stop ssh ssh.socket", undo: "web3: systemctl start ssh", code: "FD-SSH-REFUSED"},
	{name: "cable cut", code: "FD-SSH-TIMEOUT", work: func(t *testing.T) (func(), []string) {
		mustVerb(t, "cut", "web3")
		return func() { mustVerb(t, "join", "web3"); rejoined(t) }, nil
	}},
	{name: "host key unknown", code: "FD-HOSTKEY-UNKNOWN", work: func(t *testing.T) (func(), []string) { return knownHosts(t, withoutWeb2) }},
	{name: "host key changed", code: "FD-HOSTKEY-CHANGED", work: func(t *testing.T) (func(), []string) { return knownHosts(t, otherForWeb2) }},
	{name: "no forwarding", make: "edge1: " + sshd("AllowTcpForwarding no"), undo: "edge1: " + sshd(""), code: "FD-SSH-FORWARD"},
	{name: "one session", make: "edge1: " + sshd("MaxSessions 1"), undo: "edge1: " + sshd(""), code: "FD-SSH-CHANNEL"},
	{name: "no right to start", make: "web1: mv /etc/sudoers.d/deploy /root/sudoers", undo: "web1: mv /root/sudoers /etc/sudoers.d/deploy", code: "FD-PROC-RIGHTS"},
	{name: "no room", code: "FD-NO-SPACE", work: func(t *testing.T) (func(), []string) { return disk(t, "web2", "4M") }},
	{name: "noexec", code: "FD-NOEXEC", work: func(t *testing.T) (func(), []string) { return disk(t, "web2", "64M", "noexec") }},
	{name: "wrong architecture", code: "FD-ARCH", work: arm64},
	{name: "app path not ours", make: "web4: chown root: /srv/shop", undo: "web4: chown deploy: /srv/shop", code: "FD-APP-PATH"},
	{name: "app path others may write to", make: "web4: chmod 777 /srv/shop", undo: "web4: chmod 755 /srv/shop", code: "FD-DIR-WRITABLE"},
	{name: "unknown upstream", inv: []string{`upstream = "shop"`, `upstream = "shap"`}, code: "FD-LB-UPSTREAM"},
	{name: "unknown backend", inv: []string{"name = \"web2\"\n", "name = \"web2\"\nbackend = \"10.77.0.99:8080\"\n"}, code: "FD-LB-BACKEND"},
	{name: "unlisted pool", make: "edge1: " + more, undo: "edge1: " + asBefore, code: "FD-LB-UNLISTED"},
	{name: "socket missing", inv: []string{"admin.sock", "none.sock"}, code: "FD-LB-SOCKET-MISSING"},
	{name: "socket not ours", inv: []string{"sudo = true", "sudo = false"}, make: "edge1: chmod 600 /run/haproxy/admin.sock", undo: "edge1: chmod 660 /run/haproxy/admin.sock", code: "FD-LB-SOCKET-DENIED"},
	{name: "no socket tool", make: "edge1: mkdir /root/hidden && for p in socat nc nc.openbsd perl python3; do mv /usr/bin/$p /root/hidden/; done",
		undo: "edge1: mv /root/hidden/* /usr/bin/ && rmdir /root/hidden", code: "FD-LB-NO-SOCKET-TOOL"},
	{name: "agent-check", make: "edge1: " + agent, undo: "edge1: " + asBefore, code: "FD-LB-AGENT"},
	{name: "floor", flags: []string{"--min-serving", "4"}, code: "FD-FLOOR"},
	{name: "proof impossible", inv: []string{"version_path = \"/version\"\n", ""}, make: "web2: " + interpreted, undo: "web2: " + compiled, code: "FD-PROOF-IMPOSSIBLE"},
	{name: "no way back", make: "web2: " + unreadable, undo: "web2: " + readable, code: "FD-NO-WAY-BACK"},
	{name: "four at once", inv: []string{"name = \"web2\"\n", "name = \"web2\"\nbackend = \"10.77.0.99:8080\"\n"},
		make: "web4: chown root: /srv/shop; systemctl -q is-active shop", undo: "web4: chown deploy: /srv/shop", code: "FD-APP-PATH",
		work: func(t *testing.T) (func(), []string) {
			mustVerb(t, "exec", "web1", "mv", "/etc/sudoers.d/deploy", "/root/sudoers")
			mustVerb(t, "exec", "web3", "systemctl", "stop", "ssh", "ssh.socket")
			return func() {
				mustVerb(t, "exec", "web1", "mv", "/root/sudoers", "/etc/sudoers.d/deploy")
				mustVerb(t, "exec", "web3", "systemctl", "start", "ssh")
			}, nil
		}},
}

// sshdAgain has sshd listen as it is configured now; connections stay.
const sshdAgain = "systemctl reset-failed ssh; systemctl restart ssh"

// sshd has sshd read a line of configuration before all others, or no more.
func sshd(line string) string {
	const file = "/etc/ssh/sshd_config.d/0-test.conf"
	if line == "" {
		return "rm " + file + "; " + sshdAgain
	}
	return fmt.Sprintf("echo '%s' >%s; %s", line, file, sshdAgain)
}

const (
	more = `cp /etc/haproxy/haproxy.cfg /root/haproxy.cfg
		printf '\nbackend other\n    server o1 10.77.0.11:8080\n' >>/etc/haproxy/haproxy.cfg; systemctl reload haproxy; sleep 0.3`
	agent = `cp /etc/haproxy/haproxy.cfg /root/haproxy.cfg
		sed -i '/server web1/s/$/ agent-check agent-port 9000 agent-inter 60s/' /etc/haproxy/haproxy.cfg; systemctl reload haproxy; sleep 0.5`
	asBefore = `cp /root/haproxy.cfg /etc/haproxy/haproxy.cfg; systemctl reload haproxy; sleep 0.5`

	interpreted = `mkdir -p /etc/systemd/system/shop.service.d /opt/site && echo ok >/opt/site/health
		printf '[Unit]\nConditionPathExists=\n[Service]\nExecStart=\nExecStart=/bin/sh -c "echo $$$$ >/run/shop/pid; exec python3 -m http.server 8080 --directory /opt/site"\n' >/etc/systemd/system/shop.service.d/x.conf
		systemctl daemon-reload; systemctl restart shop; sleep 1`
	unreadable = `mkdir -p /etc/systemd/system/shop.service.d /opt/shop && cp -L /srv/shop/current/shop /opt/shop/shop && chown root: /opt/shop/shop && chmod 711 /opt/shop/shop
		mv /srv/shop/current /srv/shop/.was
		printf '[Unit]\nConditionPathExists=\n[Service]\nExecStart=\nExecStart=/opt/shop/shop -listen :8080 -pidfile /run/shop/pid\n' >/etc/systemd/system/shop.service.d/x.conf
		systemctl daemon-reload; systemctl restart shop; sleep 1`
	compiled = `rm -rf /etc/systemd/system/shop.service.d; systemctl daemon-reload; systemctl restart shop; sleep 1`
	readable = `mv /srv/shop/.was /srv/shop/current; ` + compiled
)

// What a preflight finds it finds before the first drain, and nothing is changed
// anywhere by it.
func TestPreflightFindsEveryFaultAndChangesNothing(t *testing.T) {
	fresh(t)
	art := build(t, "v1", "ok")
	flipdeploy(t, "rollout", "--artifact", art, "--min-serving", "4").want(t, 1, "refused") // makes state.dir
	for i, w := range wrongs {
		if i%2 == 1 && !whole() {
			continue
		}
		t.Run(strings.ReplaceAll(w.name, " ", "_"), func(t *testing.T) {
			args := []string{"rollout", "--artifact", art, "--revision", "v1"}
			if len(w.inv) > 0 {
				args = append(args, with(t, w.inv...)...)
			}
			args = w.refused(t, args)
			if w.name == "four at once" {
				allAsEvents(t, args)
			}
		})
	}
	noneLeft(t)
}

// refused has what is wrong be so until the test ends: the command is refused in the
// words that are on file, and nothing is changed. It returns all of the command.
func (w wrong) refused(t *testing.T, args []string) []string {
	t.Helper()
	args = append(args, w.flags...)
	if w.work != nil {
		undo, flags := w.work(t)
		t.Cleanup(undo)
		args = append(args, flags...)
	}
	t.Cleanup(func() { script(t, w.undo) })
	script(t, w.make)
	await(t, "three hosts at least in rotation", func() bool { return strings.Count(servers(t), " 2 0 1 1 ") >= 3 })
	before := asItIs(t)
	r := flipdeploy(t, args...).want(t, 1, "refused")
	if after := asItIs(t); after != before {
		t.Errorf("something was changed:\n%s\nwas\n%s", after, before)
	}
	if !strings.Contains(r.stderr, "["+w.code+"]") {
		t.Errorf("no %s: %s", w.code, r.stderr)
	}
	says(t, w.name, r.stderr)
	return args
}

// servers is what HAProxy says to anybody who asks over TCP.
func servers(t *testing.T) string {
	t.Helper()
	return mustVerb(t, "run", "bash", "-c", `exec 3<>/dev/tcp/10.77.0.2/9999 && echo "show servers state shop" >&3 && timeout 2 cat <&3`)
}

// rejoined waits for the host whose cable was out.
func rejoined(t *testing.T) {
	t.Helper()
	await(t, "web3 back in rotation", func() bool { return strings.Count(servers(t), " 2 0 1 1 ") >= 4 })
}

// allAsEvents: a program is told each fault by itself, and how it ended, last.
func allAsEvents(t *testing.T, args []string) {
	t.Helper()
	r := flipdeploy(t, append(args, "--json")...).want(t, 1, "refused")
	for _, code := range []string{"FD-LB-BACKEND", "FD-PROC-RIGHTS", "FD-SSH-REFUSED", "FD-APP-PATH"} {
		if !regexp.MustCompile(`"kind":"error".*"code":"` + code + `"`).MatchString(r.stdout) {
			t.Errorf("no error event for %s: %s", code, r.stdout)
		}
	}
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if !strings.Contains(lines[len(lines)-1], `"kind":"result"`) {
		t.Errorf("the last line is no result: %s", lines[len(lines)-1])
	}
}

// script runs "HOST: script" as root there.
func script(t *testing.T, line string) {
	t.Helper()
	if host, text, ok := strings.Cut(line, ": "); ok {
		mustVerb(t, "exec", host, "sh", "-c", text)
	}
}

// asItIs is what must not change: on the hosts releases, link, process; on the
// balancer the state of its servers, marks, fence and configuration.
func asItIs(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, h := range webs {
		b.WriteString(mustVerb(t, "exec", h, "sh", "-c", `cd /srv/shop; find . -printf '%p %s %m %U %l\n' | sort; cat /run/shop/pid; readlink /proc/$(cat /run/shop/pid)/exe; cat .flipdeploy/fence 2>/dev/null; true`))
	}
	for line := range strings.Lines(servers(t)) {
		if f := strings.Fields(line); len(f) > 8 {
			b.WriteString(f[3] + " " + f[6] + "\n")
		}
	}
	b.WriteString(mustVerb(t, "exec", "edge1", "sh", "-c", "sha256sum /etc/haproxy/haproxy.cfg; cd /var/lib/flipdeploy/shop 2>/dev/null && ls own journal && cat fence; true"))
	return b.String()
}

var varies = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`SHA256:[A-Za-z0-9+/=]+`), "SHA256:…"},
	{regexp.MustCompile(`\b\d+(\.\d+)? ?(MB|kB|GB|MiB|bytes)`), "N $2"},
	{regexp.MustCompile(`\b(v\d)-[0-9a-f]{8}\b`), "$1-…"},
	{regexp.MustCompile(`AAAA[A-Za-z0-9+/=]+`), "AAAA…"},
	{regexp.MustCompile(`\bpid \d+`), "pid N"},
	{regexp.MustCompile(`\bstart \d+`), "start N"},
	{regexp.MustCompile(`\b\d+:\d+ \(/`), "N:N (/"},
	{regexp.MustCompile(`known_hosts:\d+|line \d+`), "LINE"},
	{regexp.MustCompile(`\bdial 10\.77\.0\.\d+:8080: administratively`), "dial HOST: administratively"}, // whichever was asked first
}

// says compares what was said, but for what varies, with testdata.
func says(t *testing.T, name, got string) {
	t.Helper()
	got = strings.ReplaceAll(got, fleetDir, "FLEET")
	for _, v := range varies {
		got = v.re.ReplaceAllString(got, v.to)
	}
	file := filepath.Join("testdata", "preflight", strings.ReplaceAll(name, " ", "_")+".want")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, _ := os.ReadFile(file)
	if got != string(want) {
		t.Errorf("%s: said\n%s\nwant\n%s", file, got, want)
	}
}

func disk(t *testing.T, host string, size ...string) (func(), []string) {
	t.Helper()
	mustVerb(t, append([]string{"disk", host}, size...)...)
	return func() { mustVerb(t, "disk", host, "off") }, nil
}

func arm64(t *testing.T) (func(), []string) {
	t.Helper()
	out := filepath.Join(fleetDir, "arm64", "shop")
	cmd := exec.Command("go", "build", "-o", out, ".")
	cmd.Dir, cmd.Env = "../../testdata/apps/shop", append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(err, string(text))
	}
	return func() {}, []string{"--artifact", out}
}

// knownHosts runs with a known_hosts file that was changed.
func knownHosts(t *testing.T, change func(line, web3 string) string) (func(), []string) {
	t.Helper()
	file := filepath.Join(fleetDir, "known_hosts")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	web3 := ""
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "10.77.0.13 ") {
			web3 = line
		}
	}
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		b.WriteString(change(line, web3))
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() { _ = os.WriteFile(file, data, 0o600) }, nil
}

func withoutWeb2(line, _ string) string {
	if strings.HasPrefix(line, "10.77.0.12 ") {
		return ""
	}
	return line
}

func otherForWeb2(line, web3 string) string {
	if strings.HasPrefix(line, "10.77.0.12 ") {
		return strings.Replace(web3, "10.77.0.13 ", "10.77.0.12 ", 1)
	}
	return line
}
