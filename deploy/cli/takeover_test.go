package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote/proc"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// onThisMachine runs scripts on this machine.
type onThisMachine struct{}

func (onThisMachine) Run(ctx context.Context, script string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "sh", "-s")
	cmd.Stdin = strings.NewReader(script)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	return out, err
}

// A realApp is an app's root on this machine, and what flipdeploy makes of it.
type realApp struct {
	t          *testing.T
	root, file string // what a release consists of
	port       int
	say        []string
	*proc.App
}

// newRealApp reads [reload] as a user writes it; %s is the root.
func newRealApp(t *testing.T, file, reload string) *realApp {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Chmod(root, 0o755)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &realApp{t: t, root: root, file: file, port: ln.Addr().(*net.TCPAddr).Port}
	_ = ln.Close()
	text := fmt.Sprintf("[app]\nname = \"shop\"\npath = %q\nport = %d\n[reload]\n%s\n[health]\nversion_path = \"/version\"\n[ssh]\nuser = \"root\"\n"+
		"[[lb]]\nname = \"e\"\nkind = \"nginx\"\naddress = \"10.0.0.2\"\nupstream = \"shop\"\n[[host]]\nname = \"web1\"\naddress = \"127.0.0.1\"\n",
		root, r.port, strings.ReplaceAll(reload, "%s", root))
	inv, err := inventory.Parse([]byte(text), "inventory.toml")
	if err != nil {
		t.Fatal(err)
	}
	c := takeoverOf(inv)
	c.Port, c.Sudo, c.CommandSudo = r.port, inv.Hosts[0].ReloadSudo, inv.Hosts[0].CommandSudo
	c.ReleasesDir, c.EntryOf = root+"/releases", func(id string) string { return root + "/releases/" + id + "/" + file }
	c.VersionProbe, c.Settle = r.version, time.Second
	c.Say = func(code, text string) { r.say = append(r.say, text) }
	r.App = proc.New(c, onThisMachine{})
	t.Cleanup(r.end)
	return r
}

// version is asked on a connection of its own.
func (r *realApp) version(ctx context.Context) (string, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/version", r.port), nil)
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return strings.TrimSpace(string(body)), err
}

// release installs one; in its text PORT, ROOT and VERSION are filled in.
func (r *realApp) release(id, name, text string, mode os.FileMode) {
	r.t.Helper()
	dir := r.root + "/releases/" + id
	text = strings.NewReplacer("PORT", strconv.Itoa(r.port), "ROOT", r.root, "VERSION", id).Replace(text)
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/"+name, []byte(text), mode)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *realApp) flip(id string) {
	r.t.Helper()
	if err := errors.Join(os.Symlink("releases/"+id, r.root+"/next"), os.Rename(r.root+"/next", r.root+"/current")); err != nil {
		r.t.Fatal(err)
	}
}

// to takes a release over, and wants it settled and answering.
func (r *realApp) to(id string) {
	r.t.Helper()
	r.flip(id)
	ctx := r.t.Context()
	for _, step := range []func(context.Context, string) error{r.Reload, r.Settled, r.Alive} {
		if err := step(ctx, id); err != nil {
			r.t.Fatalf("to %s: %v [%s]\n%q", id, err, deploy.CodeOf(err), linesOf(err))
		}
	}
	r.answers(id)
}

func (r *realApp) answers(id string) {
	r.t.Helper()
	if v, err := r.version(r.t.Context()); v != id || err != nil {
		r.t.Fatalf("version %q, want %q: %v", v, id, err)
	}
}

func linesOf(err error) []string {
	var e interface{ Evidence() []string }
	if errors.As(err, &e) {
		return e.Evidence()
	}
	return nil
}

// end kills what runs with a file of the root on its command line.
func (r *realApp) end() {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for range 3 {
		for _, name := range lines {
			text, _ := os.ReadFile(name)
			if pid, err := strconv.Atoi(strings.Split(name, "/")[2]); err == nil && pid != os.Getpid() && bytes.Contains(text, []byte(r.root)) {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
}

const nginxConf = `pid ROOT/pid; error_log ROOT/log; worker_processes 2; user root;
events {}
http { access_log off; server { listen 127.0.0.1:PORT; location = /version { return 200 "VERSION\n"; } } }
`

func TestNginxReload(t *testing.T) {
	nginx := remotetest.Need(t, "nginx")
	r := newRealApp(t, "nginx.conf", "preset = \"nginx-reload\"\npid_file = \"%s/pid\"\n"+
		fmt.Sprintf("start = [%q, \"-c\", \"%%s/current/nginx.conf\", \"-e\", \"%%s/log\", \"-g\", \"worker_rlimit_core 0; \"]\nstop = [\"sh\", \"-c\", \"kill $(cat %%s/pid)\"]", nginx))
	for _, id := range []string{"v1", "v2"} {
		r.release(id, "nginx.conf", nginxConf, 0o644)
	}
	r.release("v3", "nginx.conf", "lisen 80;\n", 0o644)
	for _, id := range []string{"v1", "v2", "v1"} {
		r.to(id)
	}
	r.flip("v3")
	err := r.Reload(t.Context(), "v3")
	if deploy.CodeOf(err) != "FD-RELOAD-CHECK" || !strings.Contains(strings.Join(linesOf(err), "\n"), `unknown directive "lisen"`) {
		t.Fatalf("%v [%s] %q", err, deploy.CodeOf(err), linesOf(err))
	}
	r.flip("v1")
	if err := r.Restore(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	r.answers("v1")
}

func TestNginxUpgrade(t *testing.T) {
	nginx := remotetest.Need(t, "nginx")
	r := newRealApp(t, "nginx", "preset = \"nginx-upgrade\"\npid_file = \"%s/pid\"\n"+
		`start = ["%s/current/nginx", "-c", "%s/current/nginx.conf", "-e", "%s/log"]`+"\nstop = [\"sh\", \"-c\", \"kill $(cat %s/pid)\"]")
	program, err := os.ReadFile(nginx)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"v1", "v2"} {
		r.release(id, "nginx.conf", nginxConf, 0o644)
		_ = os.WriteFile(r.root+"/releases/"+id+"/nginx", program, 0o755)
	}
	for _, id := range []string{"v1", "v2", "v1"} {
		r.to(id)
	}
	r.release("v3", "nginx", "garbage", 0o755)
	r.release("v3", "nginx.conf", nginxConf, 0o644)
	r.flip("v3")
	err = r.Reload(t.Context(), "v3")
	if code := deploy.CodeOf(err); err == nil || !strings.HasPrefix(code, "FD-TAKEOVER-") && code != "FD-RELOAD-CHECK" {
		t.Fatalf("%v [%s]", err, code)
	}
	r.flip("v1")
	if err := r.Restore(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	r.answers("v1")
}

func TestHAProxyReload(t *testing.T) {
	haproxy := remotetest.Need(t, "haproxy")
	const conf = "defaults\n mode http\n timeout client 5s\n timeout server 5s\n timeout connect 5s\nfrontend f\n bind 127.0.0.1:PORT\n" +
		" http-request return status 200 content-type text/plain string VERSION\n"
	r := newRealApp(t, "haproxy.cfg", "preset = \"haproxy-reload\"\npid_file = \"%s/pid\"\n"+
		fmt.Sprintf("start = [%q, \"-W\", \"-D\", \"-f\", \"%%s/current/haproxy.cfg\", \"-p\", \"%%s/pid\"]\nstop = [\"sh\", \"-c\", \"kill $(cat %%s/pid)\"]", haproxy))
	for _, id := range []string{"v1", "v2"} {
		r.release(id, "haproxy.cfg", conf, 0o644)
	}
	r.release("v3", "haproxy.cfg", "bind\n", 0o644)
	for _, id := range []string{"v1", "v2", "v1"} {
		r.to(id)
	}
	r.flip("v3")
	if err := r.Reload(t.Context(), "v3"); deploy.CodeOf(err) != "FD-RELOAD-CHECK" {
		t.Fatalf("%v [%s] %q", err, deploy.CodeOf(err), linesOf(err))
	}
	r.flip("v1")
	if err := r.Restore(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	r.answers("v1")
}
