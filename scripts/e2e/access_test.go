//go:build fleet

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// How every machine lets people in: through two bastions alone, with a certificate alone,
// in two sessions a connection or one, no terminal. Bastions let pass and run nothing; hosts forward nothing.
const (
	lets = `AuthorizedKeysFile none
TrustedUserCAKeys /etc/ssh/access_ca.pub
AllowStreamLocalForwarding no
PermitRootLogin prohibit-password
PermitTTY no
`
	outer = lets + "AllowTcpForwarding local\nMaxSessions 0\nForceCommand /bin/false\n"
	inner = outer + "AllowUsers *@10.77.0.221\n"
	edge  = lets + "AllowTcpForwarding local\nMaxSessions 2\nAllowUsers *@10.77.0.222\n"
	web   = lets + "AllowTcpForwarding no\nMaxSessions 2\nAllowUsers *@10.77.0.222\n"
)

// An entrance is a machine with what is special about it.
type entrance struct{ machine, sshd, make, undo string }

var entrances = []entrance{
	{"bastion1", outer, ":", ":"},
	{"bastion2", inner, ":", ":"},
	{"edge1", edge, ":", ":"},
	{"web1", web, `usermod -s /usr/bin/fish deploy; mkdir -p ~deploy/.config/fish; echo 'echo welcome' >~deploy/.config/fish/config.fish`,
		`usermod -s /bin/bash deploy; rm -r ~deploy/.config`},
	{"web2", web, `usermod -s /usr/bin/tcsh deploy; echo 'echo welcome' >~deploy/.tcshrc`, `usermod -s /bin/bash deploy; rm ~deploy/.tcshrc`},
	{"web3", web, `chown root: /srv/shop /srv/shop/releases`, `chown -R deploy: /srv/shop`},
	{"web4", strings.Replace(web, "MaxSessions 2", "MaxSessions 1", 1), ":", ":"},
}

// peculiar makes the machines so until the test ends. The words are what an inventory
// for them has instead of the fleet's.
func peculiar(t *testing.T) (words []string) {
	t.Helper()
	dir := filepath.Join(fleetDir, "access")
	for _, key := range []string{"ca", "id"} {
		keygen(t, "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key))
	}
	certify(t, "deploy,root", "+1d")
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pub"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entrances {
		t.Cleanup(func() {
			mustVerb(t, "exec", e.machine, "sh", "-c", "rm /etc/ssh/sshd_config.d/1-access.conf; "+sshdAgain+"; "+e.undo)
		})
		mustVerb(t, "exec", e.machine, "sh", "-ec", `printf %s "$1" >/etc/ssh/access_ca.pub; printf %s "$2" >/etc/ssh/sshd_config.d/1-access.conf; `+sshdAgain+"; "+e.make,
			"access", string(ca), e.sshd)
	}
	return []string{`identity_file = "id_ed25519"`, "identity_file = \"access/id\"\njump = \"10.77.0.221,10.77.0.222\"", "name = \"web3\"\n", "name = \"web3\"\nssh_user = \"root\"\n"}
}

// certify has the authority sign our key.
func certify(t *testing.T, names, until string) {
	t.Helper()
	dir := filepath.Join(fleetDir, "access")
	keygen(t, "-s", filepath.Join(dir, "ca"), "-I", "test", "-n", names, "-V", until, filepath.Join(dir, "id.pub"))
}

func keygen(t *testing.T, args ...string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(fleetDir, "access"), 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("ssh-keygen", append([]string{"-q"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen %v: %v: %s", args, err, out)
	}
}

// certified has the certificate be another until the test ends.
func certified(names, until string) func(*testing.T) (func(), []string) {
	return func(t *testing.T) (func(), []string) {
		certify(t, names, until)
		return func() { certify(t, "deploy,root", "+1d") }, nil
	}
}

const direct = `identity_file = "access/id"`

var closed = []wrong{
	{name: "not through the bastions", inv: []string{`identity_file = "id_ed25519"`, direct}, code: "FD-SSH-AUTH"},
	{name: "first bastion forwards nothing", make: "bastion1: " + sshd("AllowTcpForwarding no"), undo: "bastion1: " + sshd(""), code: "FD-SSH-FORWARD"},
	{name: "second bastion lets pass to some", make: "bastion2: " + sshd("PermitOpen 10.77.0.2:22 10.77.0.11:22"), undo: "bastion2: " + sshd(""), code: "FD-SSH-FORWARD"},
	{name: "no certificate", code: "FD-SSH-AUTH", work: func(t *testing.T) (func(), []string) {
		if err := os.Remove(filepath.Join(fleetDir, "access", "id-cert.pub")); err != nil {
			t.Fatal(err)
		}
		return func() { certify(t, "deploy,root", "+1d") }, nil
	}},
	{name: "certificate expired", work: certified("deploy,root", "20200101000000Z:20200102000000Z"), code: "FD-SSH-AUTH"},
	{name: "certificate for deploy alone", work: certified("deploy", "+1d"), code: "FD-SSH-AUTH"},
	{name: "each host closed in another way", make: "web4: usermod -s /usr/sbin/nologin deploy", undo: "web4: usermod -s /bin/bash deploy", work: shut, code: "FD-REMOTE-SHELL"},
	{name: "balancer may ask some", make: "edge1: " + sshd("PermitOpen 10.77.0.11:8080"), undo: "edge1: " + sshd(""), code: "FD-SSH-FORWARD"},
	{name: "hosts that may not ask themselves", inv: []string{"[health]\n", "[health]\nvia = \"host\"\n"}, code: "FD-SSH-FORWARD"},
	{name: "nobody may ask for health", inv: []string{"[health]\n", "[health]\nvia = \"auto\"\n"}, make: "edge1: " + sshd("AllowTcpForwarding no"), undo: "edge1: " + sshd(""), code: "FD-SSH-FORWARD"},
	{name: "root where deploy owns the app", make: "web3: cd /srv/shop && chown deploy: . releases .flipdeploy", undo: "web3: cd /srv/shop && chown root: . releases .flipdeploy", code: "FD-APP-PATH"},
}

// shut leaves web1 a right too few, web2 no session, and web3 no root.
func shut(t *testing.T) (func(), []string) {
	scripts := func(lines ...string) {
		for _, line := range lines {
			script(t, line)
		}
	}
	scripts("web1: sed -i.was /stop/d /etc/sudoers.d/deploy", "web2: "+sshd("MaxSessions 0"), "web3: "+sshd("PermitRootLogin no"))
	return func() {
		scripts("web1: cd /etc/sudoers.d && mv deploy.was deploy", "web2: "+sshd(""), "web3: "+sshd(""))
	}, nil
}

// Wherever ssh gets in with some patience a rollout does, with no more rights than doctor
// asks for; where it cannot, what has to be changed is told before anything is.
func TestAccessOfEveryKind(t *testing.T) {
	if bastions() < 2 {
		t.Fatal("wants FLIPDEPLOY_BASTIONS=2")
	}
	fresh(t)
	words := peculiar(t)
	inv := append(with(t, words...), "--bake", "0s")
	r := flipdeploy(t, append([]string{"doctor", "--json"}, inv[:2]...)...).want(t, 0, "done")
	for _, m := range eventsOf(t, r, "doctor") {
		grant(t, m["host"].(string), lines(m["sudoers"]), lines(m["run"]))
	}
	w := under(t, func() { // another release than the preflight's, which no host may have
		r := rollout(t, "a1", "ok", inv...).want(t, 0, "done")
		wantVersions(t, "a1")
		back := flipdeploy(t, append([]string{"rollback", "--json", "--parallel", "2"}, inv...)...).want(t, 0, "done")
		wantVersions(t, "v0")
		t.Logf("rollout %.1fs, rollback %.1fs", r.took.Seconds(), back.took.Seconds())
	})
	w.none(t, 2, 2)
	noneLeft(t)
	for _, c := range closed {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			args := []string{"rollout", "--artifact", build(t, "v1", "ok"), "--revision", "v1"}
			c.refused(t, append(args, with(t, append(c.inv, words...)...)...))
		})
	}
	noneLeft(t)
}
