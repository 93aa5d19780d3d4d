package lb_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

// The shapes that init is tested with are ones that the balancers themselves read.
func TestProposedShapesAreRealConfigurations(t *testing.T) {
	t.Parallel()
	lbtest.Need(t, "nginx", "haproxy")
	paths, err := filepath.Glob("../testdata/init/*.txtar")
	must(t, err)
	nginx, haproxy := 0, 0
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		must(t, err)
		dir := t.TempDir()
		for _, f := range a.Files {
			put(t, filepath.Join(dir, f.Name), string(f.Data))
		}
		args := strings.Fields(string(a.Files[0].Data))
		for i, arg := range args {
			switch arg {
			case "--from-nginx":
				nginx++
				nginxReads(t, filepath.Base(path), dir, args[i+1])
			case "--from-haproxy":
				haproxy++
				haproxyReads(t, filepath.Base(path), filepath.Join(dir, args[i+1]))
			}
		}
	}
	if nginx < 8 || haproxy < 6 {
		t.Errorf("only %d of nginx and %d of HAProxy", nginx, haproxy)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	must(t, os.WriteFile(path, []byte(text), 0o600))
}

// nginxReads has nginx -t read a main file, that of a site, or what it printed itself,
// as if dir were the root of the balancer.
func nginxReads(t *testing.T, name, dir, main string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, main))
	must(t, err)
	switch {
	case strings.Contains(string(text), "# configuration file "):
		for i, part := range regexp.MustCompile(`(?m)^# configuration file `).Split(string(text), -1)[1:] {
			file, body, _ := strings.Cut(part, ":\n")
			put(t, dir+file, body)
			if i == 0 {
				main = file
			}
		}
	case strings.HasPrefix(string(text), "upstream"):
		put(t, filepath.Join(dir, "main.conf"), "events {}\nhttp {\n"+string(text)+"}\n")
		main = "main.conf"
	}
	rerooted(t, dir)
	if strings.Contains(string(text), "load_module") {
		if _, err := os.Stat("/usr/share/nginx/modules/ngx_stream_module.so"); err != nil {
			if _, err := os.Stat("/usr/lib/nginx/modules/ngx_stream_module.so"); err != nil {
				return // nothing but the module is missing
			}
		}
	}
	cmd := exec.Command("nginx", "-t", "-q", "-c", filepath.Join(dir, main), "-g", "error_log stderr;")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: nginx: %v\n%s", name, err, out)
	}
}

// rerooted moves the balancer's own paths below dir.
func rerooted(t *testing.T, dir string) {
	t.Helper()
	must(t, os.MkdirAll(dir+"/run", 0o700))
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		moved := strings.NewReplacer("/etc/nginx/", dir+"/etc/nginx/", "/var/log/nginx/", dir+"/", "pid /run/", "pid "+dir+"/run/").Replace(string(text))
		return os.WriteFile(path, []byte(moved), 0o600)
	}))
}

func haproxyReads(t *testing.T, name, file string) {
	t.Helper()
	cmd := exec.Command("haproxy", "-c", "-q", "-f", file)
	cmd.Env = append(os.Environ(), "FD_M4=10.0.0.14", "FD_BIG=yes")
	var exit *exec.ExitError
	out, err := cmd.CombinedOutput()
	if errors.As(err, &exit) {
		t.Errorf("%s: haproxy: %v\n%s", name, err, out)
	}
}

// proposal is a proposal in lines, the way it is asserted here.
func proposal(p *lb.Proposal, err error) string {
	if err != nil {
		text := err.Error()
		var seen interface{ Evidence() []string }
		if errors.As(err, &seen) {
			text += "\n" + strings.Join(seen.Evidence(), "\n")
		}
		return strings.TrimSpace(text)
	}
	var b strings.Builder
	for _, n := range p.Notes {
		fmt.Fprintln(&b, "!", n)
	}
	for _, pool := range p.Pools {
		fmt.Fprintln(&b, pool.Name)
		for _, s := range pool.Servers {
			fmt.Fprintln(&b, " ", strings.TrimSpace(fmt.Sprint(s.Name, " ", s.Address, " ", s.Port)))
		}
		for _, n := range pool.Notes {
			fmt.Fprintln(&b, "  !", n)
		}
	}
	return strings.TrimSpace(b.String())
}

func TestProposeNginxSaysWhatItCannotRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, dir+"/loop.conf", "include loop.conf;\n")
	put(t, dir+"/broken.conf", "http {\n  upstream shop {\n")
	put(t, dir+"/missing.conf", "http {\n include mime.types; include /nowhere/at/all/*.conf;\n upstream shop { server 10.0.0.1:80; }\n}\n")
	put(t, dir+"/bytes.conf", "upstream \"sh\x1bop\" { server 10.0.0.1:80; }\n")
	for _, c := range []struct{ file, want string }{
		{"nowhere.conf", dir + "/nowhere.conf: cannot be read: no such file or directory"},
		{"loop.conf", dir + "/loop.conf:1: include loop.conf leads back to " + dir + "/loop.conf"},
		{"broken.conf", dir + "/broken.conf: line 3: a block has no end"},
		{"missing.conf", "! " + dir + "/missing.conf:2: include /nowhere/at/all/*.conf is not here: what stands in it is not known\nshop\n  10.0.0.1 80"},
		{"bytes.conf", dir + "/bytes.conf: no upstream with a server in it\n" + dir + `/bytes.conf:1: the name "sh\x1bop" cannot stand in an inventory: use A-Z, a-z, 0-9, . _ : and -`},
	} {
		if is := proposal(lb.ProposeNginx(filepath.Join(dir, c.file), nil)); is != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.file, is, c.want)
		}
	}
}

func TestProposeNginxReadsServersOneByOne(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"server 10.0.0.1:8080;":                  "shop\n  10.0.0.1 8080",
		"server 010.0.0.1:8080;":                 "shop\n  10.0.0.1 8080",
		"server [::ffff:10.0.0.1]:8080;":         "shop\n  10.0.0.1 8080",
		"server 10.0.0.1:80; server 10.0.0.1;":   "shop\n  10.0.0.1 80\n  ! -:1: 10.0.0.1 has no port: nginx takes 80",
		"server web1.lan:80;":                    "shop\n  web1.lan 80\n  ! -:1: web1.lan is a name: for SSH it must lead to the same machine as for nginx",
		"server 0.0.0.0:80;":                     "-: no upstream with a server in it\n-:1: 0.0.0.0 is not the address of one machine: left out",
		"server [fe80::1]:80;":                   "-: no upstream with a server in it\n-:1: fe80::1 is not the address of one machine: left out",
		"server web.lan service=http resolve;":   "-: no upstream with a server in it\n-:1: web.lan is no address and port: left out",
		"server 10.0.0.1:80 resolve weight=2;":   "shop\n  10.0.0.1 80\n  ! -:1: 10.0.0.1:80 is resolved while nginx runs: its addresses must stay those of one host\n  ! -:1: weights are not looked at: a rollout counts hosts",
		"#server 10.0.0.1:80;\n":                 "-: no upstream with a server in it",
		"zone x 64k; server 'unix:/run/a.sock';": "-: no upstream with a server in it\n-:1: unix:/run/a.sock is a socket of the balancer itself, no host: left out",
	} {
		if is := proposal(lb.ProposeNginx("-", []byte("upstream shop { "+line+" }"))); is != want {
			t.Errorf("%s: got\n%s\nwant\n%s", line, is, want)
		}
	}
}

func TestProposeHAProxyReadsServersOneByOne(t *testing.T) {
	t.Parallel()
	const socket = "global\n stats socket /run/a.sock level admin\nbackend shop\n mode http\n "
	none := "-: no backend with a server in it\n-:5: server a "
	for line, want := range map[string]string{
		"server a 10.0.0.1:80 check":                  "shop\n  a 10.0.0.1 80",
		"server a ipv4@10.0.0.1:80 check":             "shop\n  a 10.0.0.1 80",
		`server "a" 10.0.0.1:80 check # x`:            "shop\n  a 10.0.0.1 80",
		"server a 2001:db8::1:80 check":               "shop\n  a 2001:db8::1 80",
		"server a 10.0.0.1:80 cookie backup check":    "shop\n  a 10.0.0.1 80",
		"server a 10.0.0.1:80 check disabled enabled": "shop\n  a 10.0.0.1 80",
		"server a 10.0.0.1 check":                     none + "10.0.0.1 has no port of its own: left out",
		"server a 10.0.0.1:+100 check":                none + "10.0.0.1:+100 has no port of its own: left out",
		"server a /run/a.sock check":                  none + "/run/a.sock is a socket of the balancer itself, no host: left out",
		"server a abns@x check":                       none + "abns@x is no address of a machine: left out",
		`server a "${A}:80" check`:                    none + "${A}:80 is known by HAProxy's environment only: left out",
		"server a 10.0.0.1:80 backup check":           none + "10.0.0.1:80 is a backup, it gets no request while others serve: left out",
		"server a 10.0.0.1:80":                        "shop\n  a 10.0.0.1 80\n  ! -:5: without `check` HAProxy does not notice a server that dies",
		"server a web1.lan:80 check":                  "shop\n  a web1.lan 80\n  ! -:5: web1.lan is a name: for SSH it must lead to the same machine as for HAProxy",
		"server-template a 9-1 web.lan:80 check":      "-: no backend with a server in it\n-:5: server-template a 9-1: left out",
		"http-request redirect scheme https":          "-: no backend with a server in it",
		"server a 'x":                                 "-:5: a quote has no end",
	} {
		if is := proposal(lb.ProposeHAProxy("-", []byte(socket+line+"\n"))); is != want {
			t.Errorf("%s: got\n%s\nwant\n%s", line, is, want)
		}
	}
	if is := proposal(lb.ProposeHAProxy("-", []byte("hello world\n"))); is != "-: no section in it" {
		t.Errorf("got %s", is)
	}
}

func FuzzPropose(f *testing.F) {
	paths, err := filepath.Glob("../testdata/init/*.txtar")
	if err != nil || len(paths) == 0 {
		f.Fatal("no seeds")
	}
	for _, path := range paths {
		a, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			f.Add(file.Data)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if strings.Contains(string(text), "include") {
			return // files of this machine say nothing
		}
		for _, read := range []func(string, []byte) (*lb.Proposal, error){lb.ProposeNginx, lb.ProposeHAProxy} {
			p, err := read("-", append([]byte("\n"), text...))
			if (p == nil) == (err == nil) {
				t.Fatalf("%v, %v", p, err)
			}
			for i := 0; p != nil && i < len(p.Pools); i++ {
				for _, s := range p.Pools[i].Servers {
					if s.Port < 1 || s.Port > 65535 || strings.ContainsAny(s.Address, " \"\\\n\x1b$") {
						t.Fatalf("%+v", s)
					}
				}
			}
		}
	})
}
