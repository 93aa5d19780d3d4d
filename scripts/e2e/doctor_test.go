//go:build fleet

package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// machines are the fleet's, as doctor tells of them.
func machines() []string { return append(edges(), webs...) }

// untouched fails the test when work changed a byte, a time or a process on any machine,
// or the state of a server.
func untouched(t *testing.T, work func()) {
	t.Helper()
	look := func() (all string) {
		for _, m := range machines() {
			all += mustVerb(t, "exec", m, "sh", "-c", `cd /; for d in srv etc home tmp run/shop var/lib/flipdeploy; do [ ! -e $d ] || find $d -exec ls -ldi --time-style=full-iso {} + ; done
				find srv etc home tmp var/lib/flipdeploy -type f -exec sha256sum {} + 2>/dev/null; pgrep -x 'shop|nginx|haproxy'; true`)
		}
		for _, e := range edges() {
			if !isNginx(e) {
				all += serverStates(t, e)
			}
		}
		return all
	}
	before := look()
	work()
	if after := look(); after != before {
		t.Errorf("something was changed:\n%s", firstDifference(before, after))
	}
}

// A fleet where a rollout would work has no finding, whether the directory of our own
// is there already or not.
func TestDoctorOfASoundFleet(t *testing.T) {
	fresh(t)
	for _, e := range edges() {
		mustVerb(t, "exec", e, "rm", "-rf", "/var/lib/flipdeploy")
	}
	untouched(t, func() {
		r := flipdeploy(t, "doctor", "--artifact", build(t, "v1", "ok")).want(t, 0, "done")
		for _, m := range machines() {
			wantText(t, r.stdout, fmt.Sprintf("%-5s  ok\n", m))
		}
		wantText(t, r.stdout, ": once, as root\n    install -d -m 0755 -o deploy /var/lib/flipdeploy\n")
		if r.stderr != "" || !strings.HasSuffix(r.stdout, "\nshop is ready to roll out\n") {
			t.Errorf("said %s", r)
		}
		for _, e := range edges() {
			if isNginx(e) {
				wantText(t, r.stdout, "note "+e+": nginx 1.")
				wantText(t, r.stdout, "each nginx reload can reset busy keep-alive connections of clients that do not retry")
				wantText(t, r.stdout, "amounts to root: nginx runs as root whatever its configuration says")
			}
		}
		flipdeploy(t, "doctor", "--json").want(t, 0, "done")
	})
}

// Faults on all machines at once are all told at once, each at its machine with code
// and what mends it; notes keep nobody from anything.
func TestDoctorFindsEveryFaultAtOnce(t *testing.T) {
	fresh(t)
	edge := edges()[0]
	defer fresh(t)
	mustVerb(t, "exec", "web1", "mv", "/etc/sudoers.d/deploy", "/root/sudoers")
	defer mustVerb(t, "exec", "web1", "mv", "/root/sudoers", "/etc/sudoers.d/deploy")
	key, _ := knownHosts(t, withoutWeb2)
	defer key()
	room, _ := disk(t, "web4", "4M", "noexec")
	defer room()
	mustVerb(t, "exec", edge, "install", "-d", "-o", "root", "/var/lib/flipdeploy")
	defer mustVerb(t, "exec", edge, "chown", "deploy:", "/var/lib/flipdeploy")
	denied := "FD-LB-NGINX-DENIED"
	if !isNginx(edge) {
		denied = "FD-LB-SOCKET-DENIED"
		mustVerb(t, "exec", edge, "chmod", "600", "/run/haproxy/admin.sock")
		defer mustVerb(t, "exec", edge, "chmod", "660", "/run/haproxy/admin.sock")
	}
	args := append([]string{"doctor", "--artifact", build(t, "v1", "ok")}, with(t, `name = "`+edge+`"`, `name = "`+edge+`"`+"\nssh_sudo = false")...)
	want := []string{edge + " " + denied, edge + " FD-STATE-DIR", "web1 FD-PROC-RIGHTS", "web2 FD-HOSTKEY-UNKNOWN", "web4 FD-NO-SPACE", "web4 FD-NOEXEC"}
	untouched(t, func() {
		r := flipdeploy(t, append(args, "--json")...).want(t, 1, "refused")
		var got []string
		for _, e := range eventsOf(t, r, "error") {
			if e["hint"] == nil || e["hint"] == "" {
				t.Errorf("no hint: %v", e)
			}
			got = append(got, fmt.Sprint(e["host"], " ", e["code"]))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("found %q, want %q", got, want)
		}
		if r.result["code"] != "FD-DOCTOR" {
			t.Errorf("the result is %v", r.result)
		}
		text := flipdeploy(t, args...).want(t, 1, "refused").stdout
		for _, w := range append(want, "web3 ok") {
			m, code, _ := strings.Cut(w, " ")
			wantText(t, text, fmt.Sprintf("%-5s  %s", m, code))
		}
		wantText(t, text, "\nshop: 6 findings\n")
	})
}

// A freeze, a host that is out and a balancer that cannot be reached are told like all
// else, and the rest is looked at all the same.
func TestDoctorWhileARolloutIsKeptAway(t *testing.T) {
	fresh(t)
	defer fresh(t)
	flipdeploy(t, "lock", "--reason", "a test").want(t, 0, "done")
	r := flipdeploy(t, "doctor").want(t, 1, "refused")
	wantText(t, r.stdout, "shop   FD-FROZEN  ")
	wantText(t, r.stdout, "web4   ok\n")
	flipdeploy(t, "unlock", "--yes").want(t, 0, "done")
	flipdeploy(t, "drain", "web3", "--min-serving", "1").want(t, 0, "done")
	r = flipdeploy(t, "doctor").want(t, 0, "done")
	wantText(t, r.stdout, "note web3: out of rotation on "+edges()[0]+": ")
	mustVerb(t, "cut", edges()[0])
	r = flipdeploy(t, "doctor")
	mustVerb(t, "join", edges()[0])
	if r.exit != 1 || !strings.Contains(r.stdout, edges()[0]+"  FD-SSH-") || !strings.Contains(r.stdout, "web4   ok\n") {
		t.Errorf("with a balancer cut off: %s", r)
	}
	await(t, "the balancer back", func() bool { return flipdeploy(t, "doctor").exit == 0 })
}

func eventsOf(t *testing.T, r run, kind string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(r.stdout) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if m["kind"] == kind {
			all = append(all, m)
		}
	}
	return all
}

// The lines that doctor prints are all that the SSH user needs: with exactly those, and
// no other right, a rollout and a rollback work; without any, doctor says so.
func TestDoctorsSudoersLinesSuffice(t *testing.T) {
	t.Run("app of the SSH user", func(t *testing.T) {
		fresh(t)
		sufficient(t, "ok")
	})
	t.Run("app of another user", func(t *testing.T) {
		if !slices.Contains(edges(), "edge1") || isNginx("edge1") {
			t.Log("nothing differs from the first on nginx")
			return
		}
		each := func(text string) {
			for _, h := range webs {
				mustVerb(t, "exec", h, "sh", "-c", text)
			}
		}
		fresh(t)
		each(`mkdir -p /etc/systemd/system/shop.service.d; printf '[Service]\nUser=www-data\n' >/etc/systemd/system/shop.service.d/user.conf; systemctl daemon-reload; systemctl restart shop`)
		mustVerb(t, "exec", "edge1", "chmod", "600", "/run/haproxy/admin.sock")
		defer func() {
			mustVerb(t, "exec", "edge1", "chmod", "660", "/run/haproxy/admin.sock")
			each(`rm -r /etc/systemd/system/shop.service.d; systemctl daemon-reload; systemctl restart shop`)
			fresh(t)
		}()
		await(t, "all hosts in rotation", func() bool { return strings.Count(on(t, "edge1", "show servers state shop"), " 2 0 1 1 ") >= len(webs) })
		sufficient(t, "dies")
	})
}

// sufficient grants what doctor prints, and rolls out, in the end a release of the mode
// that is given, and back.
func sufficient(t *testing.T, mode string) {
	t.Helper()
	for _, e := range edges() {
		mustVerb(t, "exec", e, "rm", "-rf", "/var/lib/flipdeploy")
	}
	r, granted := flipdeploy(t, "doctor", "--json").want(t, 0, "done"), map[any][]string{}
	for _, m := range eventsOf(t, r, "doctor") {
		granted[m["host"]] = lines(m["sudoers"])
		grant(t, m["host"].(string), lines(m["sudoers"]), lines(m["run"]))
	}
	for _, more := range []string{"kill -TERM 1 2", "kill -TERM -1", "kill -TERM 0", "kill -TERM 4294967295", "stat -Lc %d:%i /proc/1/root/etc/shadow",
		"stat -Lc %d:%i /etc/shadow", "stat -Lc %d:%i:%s:%Y:%n /proc/1/exe /etc/shadow", "stat -Lc %d:%i:%s:%Y %n /proc/1/exe", "stat -Lc '%d:%i %s %Y' %n /proc/1/exe",
		"ls -ln /proc/1/exe /root", "ls -ln /proc/1/root/root", "cat /etc/shadow"} {
		if out := mustVerb(t, "exec", webs[0], "sh", "-c", "runuser -u deploy -- sudo -n -l "+more+" 2>/dev/null; true"); out != "" {
			t.Errorf("these lines let deploy run %s, too", more)
		}
	}
	rollout(t, "v1", "ok", "--bake", "0s").want(t, 0, "done")
	wantVersions(t, "v1")
	if mode != "ok" { // then what is new is ended, too
		rollout(t, "bad1", mode, "--bake", "0s").want(t, 7, "rolled_back")
	}
	flipdeploy(t, "rollback", "--json", "--parallel", "2", "--bake", "0s").want(t, 0, "done")
	wantVersions(t, "v0")
	noneLeft(t)
	for _, m := range webs {
		mustVerb(t, "exec", m, "rm", "/etc/sudoers.d/deploy")
	}
	r = flipdeploy(t, "doctor", "--json").want(t, 1, "refused")
	if n := strings.Count(r.stdout, "FD-PROC-RIGHTS"); n < len(webs) {
		t.Errorf("%d hosts lack a right: %s", n, r.stdout)
	}
	for _, m := range eventsOf(t, r, "doctor") { // who may see nothing as yet is told the same
		if host := m["host"]; slices.Contains(webs, host.(string)) && !slices.Equal(lines(m["sudoers"]), granted[host]) {
			t.Errorf("%s: %q, and with all rights %q", host, m["sudoers"], granted[host])
		}
	}
}

func lines(v any) (all []string) {
	for _, l := range v.([]any) {
		all = append(all, l.(string))
	}
	return all
}

// grant leaves the SSH user of a machine exactly these rights, until the test ends.
func grant(t *testing.T, machine string, sudoers, run []string) {
	t.Helper()
	mustVerb(t, "exec", machine, "mv", "/etc/sudoers.d/deploy", "/root/sudoers")
	t.Cleanup(func() { mustVerb(t, "exec", machine, "mv", "/root/sudoers", "/etc/sudoers.d/deploy") })
	mustVerb(t, "exec", machine, "sh", "-ec", `printf '%s' "$1" >/etc/sudoers.d/deploy; chmod 440 /etc/sudoers.d/deploy; visudo -cqf /etc/sudoers.d/deploy; visudo -cq; eval "$2"`,
		"grant", strings.Join(append(sudoers, ""), "\n"), strings.Join(run, "\n"))
	has := mustVerb(t, "exec", machine, "sh", "-c", "sudo -l -U deploy | grep -c NOPASSWD; true")
	if strings.TrimSpace(has) != fmt.Sprint(len(sudoers)) {
		t.Errorf("%s: deploy has %s rights, and %d lines were printed", machine, has, len(sudoers))
	}
	t.Logf("%s: %d lines", machine, len(sudoers))
}
