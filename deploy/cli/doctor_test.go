package cli

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote/proc"
)

// Machines that cannot be reached are findings like others: each with its code and
// what mends it, on stdout, and how it ended on stderr.
func TestDoctorOfAFleetThatIsNotThere(t *testing.T) {
	dir := fleetOf(t, absent)
	key := filepath.Join(dir, "none")
	got := flipdeploy(t, "doctor", "-i", filepath.Join(dir, "inventory.toml"))
	if got.code != 1 {
		t.Errorf("exit %d, want 1", got.code)
	}
	want := "edge1  FD-SSH-KEY  connect to 127.0.0.1:1: key " + key + ": no such file or directory\n" +
		"       hint: check ssh.identity_file, or give the key's text in FLIPDEPLOY_SSH_KEY\n" +
		"web1   FD-SSH-KEY  connect to 127.0.0.2:1: key " + key + ": no such file or directory\n" +
		"       hint: check ssh.identity_file, or give the key's text in FLIPDEPLOY_SSH_KEY\n" +
		"\nshop: 2 findings\n"
	if got.stdout != want {
		t.Errorf("stdout\n%s\nwant\n%s", got.stdout, want)
	}
	want = "flipdeploy: shop is not ready to roll out: 2 findings [FD-DOCTOR]\n" +
		"flipdeploy: hint: mend what is told above, then run flipdeploy doctor again\n"
	if got.stderr != want {
		t.Errorf("stderr\n%s\nwant\n%s", got.stderr, want)
	}
}

// A program gets an error a finding, and the result last.
func TestDoctorTellsProgramsEachFinding(t *testing.T) {
	dir := fleetOf(t, absent)
	got := flipdeploy(t, "doctor", "--json", "-i", filepath.Join(dir, "inventory.toml"))
	var said []string
	for _, line := range written(got.stdout) {
		var e deploy.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Kind == deploy.KindError && e.Hint == "" {
			t.Errorf("no hint: %s", line)
		}
		said = append(said, strings.Join([]string{string(e.Kind), e.Host, e.LB, e.Code}, " "))
	}
	want := []string{"error edge1 edge1 FD-SSH-KEY", "error web1  FD-SSH-KEY", "result   FD-DOCTOR"}
	if !reflect.DeepEqual(said, want) || got.code != 1 {
		t.Errorf("exit %d, said %q, want %q", got.code, said, want)
	}
}

// An artifact that was asked for and cannot be had is a finding; one that the
// inventory names, and that is not built yet, is only noted.
func TestDoctorAndTheArtifact(t *testing.T) {
	inv := filepath.Join(fleetOf(t, strings.ReplaceAll(absent, `artifact = "shop"`, `artifact = "unbuilt"`+"\nentry = \"shop\"")), "inventory.toml")
	got := flipdeploy(t, "doctor", "-i", inv)
	if !strings.Contains(got.stdout, "note shop: "+filepath.Join(filepath.Dir(inv), "unbuilt")+" is not there: whether it fits and runs on the hosts was not looked at\n") ||
		!strings.HasSuffix(got.stdout, "\nshop: 2 findings\n") {
		t.Errorf("unbuilt: %s", got.stdout)
	}
	got = flipdeploy(t, "doctor", "-i", inv, "--artifact", filepath.Join(t.TempDir(), "none"))
	if !strings.HasPrefix(got.stdout, "shop   FD-ARTIFACT") || !strings.HasSuffix(got.stdout, "\nshop: 3 findings\n") {
		t.Errorf("not there: %s", got.stdout)
	}
}

func diagnosed() *diagnosis {
	s := &session{inv: &inventory.Inventory{App: inventory.App{Name: "shop"}}, lbs: []*balancer{{name: "edge1"}}}
	for _, name := range []string{"web1", "web2"} {
		s.inv.Hosts = append(s.inv.Hosts, inventory.Host{Machine: inventory.Machine{Name: name}})
	}
	return &diagnosis{asking: &asking{session: s}, faults: map[string][]error{}, notes: map[string][]string{}, rights: map[string]rights{}}
}

// The words of all that can be said, in full.
func TestDoctorsWords(t *testing.T) {
	d := diagnosed()
	d.fault("", &deploy.Fault{Code_: "FD-FLOOR", Err: errors.New("shop: nobody can go"), Hint_: "more hosts"})
	d.fault("web1", errors.Join(
		&deploy.Fault{Code_: "FD-PROC-RIGHTS", Err: errors.New("sudo says no"), Hint_: "grant it", Evidence_: []string{"a line"}},
		&deploy.Fault{Host: "web1", Code_: "FD-X", Err: errors.New("bad\x1b[31m"), Hint_: "mend it"}))
	d.note("edge1", "its reloads cost")
	d.note("web2", "out of rotation on edge1: maint, owner hand")
	same := newRights("deploy").allow([]string{"deploy ALL=(root) NOPASSWD: /usr/bin/kill -HUP [0-9]*"}, nil)
	d.rights["web1"], d.rights["web2"] = same, same
	edge := newRights("ops").allow([]string{"ops ALL=(root) NOPASSWD: /usr/bin/tee /etc/nginx/x"}, []string{"it writes nginx's configuration"})
	edge.Run = []string{installLine("ops", "/var/lib/flip deploy")}
	d.rights["edge1"] = edge
	if err := d.show(); err != nil {
		t.Fatal(err)
	}
	want := `shop   FD-FLOOR        nobody can go
       hint: more hosts
edge1  ok
web1   FD-PROC-RIGHTS  sudo says no
       | a line
       hint: grant it
web1   FD-X            bad\x1b[31m
       hint: mend it
web2   ok
note edge1: its reloads cost
note web2: out of rotation on edge1: maint, owner hand

Rights
  edge1: once, as root
    install -d -m 0755 -o ops '/var/lib/flip deploy'
  edge1: lines for sudo visudo -f /etc/sudoers.d/flipdeploy
    ops ALL=(root) NOPASSWD: /usr/bin/tee /etc/nginx/x
    amounts to root: it writes nginx's configuration
  web1, web2: lines for sudo visudo -f /etc/sudoers.d/flipdeploy
    deploy ALL=(root) NOPASSWD: /usr/bin/kill -HUP [0-9]*

shop: 3 findings
`
	if got := d.asking.out.String(); got != want {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
}

func TestDoctorWhenAllIsWell(t *testing.T) {
	d := diagnosed()
	d.rights["web1"] = newRights("root")
	if err := d.show(); err != nil {
		t.Fatal(err)
	}
	want := `edge1  ok
web1   ok
web2   ok

Rights
  web1: root has all that it needs, and nothing goes through sudo

shop is ready to roll out
`
	if got := d.asking.out.String(); got != want {
		t.Errorf("said\n%s\nwant\n%s", got, want)
	}
}

// What sudoers reads otherwise than it stands there is written so that it does not, and
// what stands for others takes in no more than these where sudo can tell them apart.
func TestSudoersLines(t *testing.T) {
	const pid = "[1-9][0-9]?[0-9]?[0-9]?[0-9]?[0-9]?[0-9]?" // 4194304 at most; kill(1) takes 4294967295 for -1
	for _, c := range []struct{ command, wildcards, regexps, none string }{
		{"/usr/bin/systemctl stop shop", `/usr/bin/systemctl stop shop`, `/usr/bin/systemctl stop shop`, `/usr/bin/systemctl stop shop`},
		{"/usr/bin/socat -T10 -t10 - UNIX-CONNECT:/run/h.sock", `/usr/bin/socat -T10 -t10 - UNIX-CONNECT\:/run/h.sock`, `/usr/bin/socat -T10 -t10 - UNIX-CONNECT\:/run/h.sock`, `/usr/bin/socat -T10 -t10 - UNIX-CONNECT\:/run/h.sock`},
		{"/usr/bin/ss -ltnpH sport = :8080", `/usr/bin/ss -ltnpH sport \= \:8080`, `/usr/bin/ss -ltnpH sport \= \:8080`, `/usr/bin/ss -ltnpH sport \= \:8080`},
		{"/usr/bin/kill -HUP <pid>", `/usr/bin/kill -HUP [0-9]*`, `/usr/bin/kill ^-HUP ` + pid + `$`, `/usr/bin/kill`},
		{"/usr/bin/stat -Lc %d:%i <exe>", `/usr/bin/stat -Lc %d\:%i /proc/[0-9]*`, `/usr/bin/stat ^-Lc %d:%i /proc/` + pid + `/exe$`, `/usr/bin/stat`},
		{"/usr/bin/stat -Lc %d:%i:%n <exes>", `/usr/bin/stat -Lc %d\:%i\:%n /proc/[0-9]*`, `/usr/bin/stat ^-Lc %d:%i:%n( /proc/` + pid + `/exe)+$`, `/usr/bin/stat`},
		{"/usr/bin/ls -ln <links>", `/usr/bin/ls -ln /proc/[0-9]*`, `/usr/bin/ls ^-ln( /proc/` + pid + `/(exe|cwd|fd/))+$`, `/usr/bin/ls`},
		{"/usr/bin/grep -m 1 -o [0-9]* /run/shop/pid", `/usr/bin/grep -m 1 -o \[0-9\]\* /run/shop/pid`, `/usr/bin/grep -m 1 -o \[0-9\]\* /run/shop/pid`, `/usr/bin/grep -m 1 -o [0-9]* /run/shop/pid`},
		{`/usr/local/bin/start a,b #1 back\slash ?`, `/usr/local/bin/start a\,b \#1 back\\slash \?`, `/usr/local/bin/start a\,b \#1 back\\slash \?`, `/usr/local/bin/start a\,b \#1 back\\slash ?`},
		{`/usr/local/bin/tell ^.*$`, `/usr/local/bin/tell ^.\*$`, `/usr/local/bin/tell ^\^\.\*\$$`, `/usr/local/bin/tell ^.*$`},
		{`/opt/a:b/hup #1 x.y <pid>`, `/opt/a\:b/hup \#1 x.y [0-9]*`, `/opt/a\:b/hup ^\#1 x\.y ` + pid + `$`, `/opt/a\:b/hup`},
	} {
		for p, want := range map[proc.Patterns]string{proc.Wildcards: c.wildcards, proc.Regexps: c.regexps, proc.NoPatterns: c.none} {
			want = "deploy ALL=(root) NOPASSWD: " + want
			if got := proc.SudoersLine("deploy", c.command, p); got != want {
				t.Errorf("%s, patterns %v: %s, want %s", c.command, p, got, want)
			}
		}
	}
	if got, want := proc.SudoersLine(`corp\deploy,web`, "/usr/bin/id", proc.Regexps), `corp\\deploy\,web ALL=(root) NOPASSWD: /usr/bin/id`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
