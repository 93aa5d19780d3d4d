package lb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

// startNginx runs an nginx with its shop in sites-enabled, a link as Debian has it.
func startNginx(t testing.TB, n int, more string) (*lbtest.Nginx, *lb.Nginx, map[string]*lbtest.Backend) {
	t.Helper()
	b := lbtest.NewBackends(t, n)
	g := lbtest.NewNginx(t)
	g.Write("nginx.conf", g.Main("  include sites-enabled/*;\n"+more+g.Site("shop")))
	g.Write("sites-available/shop", lbtest.Upstream("shop", b, ""))
	must(t, os.Mkdir(g.Dir+"/sites-enabled", 0o755))
	must(t, os.Symlink("../sites-available/shop", g.Dir+"/sites-enabled/shop"))
	g.Start()
	time.Sleep(70 * time.Millisecond)
	return g, lb.NewNginx(g.Driver(b, "shop"), lbtest.Shell{}), b
}

func code(t *testing.T, err error, want, text string) {
	t.Helper()
	var c interface {
		Code() string
		Hint() string
	}
	if !errors.As(err, &c) || c.Code() != want || c.Hint() == "" || !strings.Contains(err.Error(), text) {
		t.Fatalf("got %v, want %s with %q and a hint", err, want, text)
	}
}

// faking is a shell in which a tool does what the script says; REAL there is the tool itself.
func faking(t *testing.T, tool, script string) lbtest.Shell {
	t.Helper()
	bin, real := t.TempDir(), program(t, tool)
	text := "#!/bin/sh\n" + strings.ReplaceAll(script, "REAL", real) + "\n"
	must(t, os.WriteFile(filepath.Join(bin, tool), []byte(text), 0o700)) //nolint:gosec // it is run
	return lbtest.Shell{Env: []string{"PATH=" + bin + ":" + os.Getenv("PATH")}}
}

func TestNginxFilesKeepEverythingButTheFlag(t *testing.T) {
	t.Parallel()
	g, d, b := startNginx(t, 2, "")
	file := g.Dir + "/sites-available/shop"
	must(t, os.Chmod(file, 0o640))
	if os.Getuid() == 0 {
		must(t, os.Chown(file, 1, 2))
	}
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	must(t, os.Chtimes(file, past, past))
	before, was := g.Read("sites-available/shop"), stat(t, file)
	ctx := lbtest.Within(t, 20*time.Second)
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	want := strings.Replace(before, b["web1"].Addr+";", b["web1"].Addr+" down; # flipdeploy:20261121-000000-test", 1)
	if got := g.Read("sites-available/shop"); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	if now := stat(t, file); now.Mode != was.Mode || now.Uid != was.Uid || now.Gid != was.Gid || now.Mtim != was.Mtim {
		t.Errorf("owner, mode or time: %+v, was %+v", now, was)
	}
	must(t, d.Ready(ctx, lbtest.Shell{}, "web1", quiet))
	if got := g.Read("sites-available/shop"); got != before {
		t.Errorf("afterwards\n%s\nbefore\n%s", got, before)
	}
	if l, err := os.Readlink(g.Dir + "/sites-enabled/shop"); err != nil || l != "../sites-available/shop" {
		t.Errorf("the link is %q, %v", l, err)
	}
	left, _ := filepath.Glob(g.Dir + "/sites-*/.*")
	if len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

func stat(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	i, err := os.Stat(path)
	must(t, err)
	return i.Sys().(*syscall.Stat_t) //nolint:forcetypeassert // Linux
}

// A file that is a mount of its own cannot be renamed over.
func TestNginxFileThatCannotBeReplacedIsWrittenInPlace(t *testing.T) {
	t.Parallel()
	g, _, b := startNginx(t, 2, "")
	sh := faking(t, "mv", `echo "mv: cannot move: Device or resource busy" >&2; exit 1`)
	d := lb.NewNginx(g.Driver(b, "shop"), sh)
	before, was := g.Read("sites-available/shop"), stat(t, g.Dir+"/sites-available/shop")
	ctx := lbtest.Within(t, 20*time.Second)
	must(t, d.Drain(ctx, sh, "web1", 1))
	if !strings.Contains(g.Read("sites-available/shop"), b["web1"].Addr+" down;") {
		t.Error("no flag was written")
	}
	must(t, d.Ready(ctx, sh, "web1", quiet))
	now := stat(t, g.Dir+"/sites-available/shop")
	if g.Read("sites-available/shop") != before || now.Ino != was.Ino || now.Mtim != was.Mtim {
		t.Errorf("it is not as before: %+v, was %+v", now, was)
	}
	left, _ := filepath.Glob(g.Dir + "/sites-*/.*")
	if len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

func TestNginxForeignEditsAreNotBroughtIntoEffect(t *testing.T) {
	t.Parallel()
	g, d, b := startNginx(t, 2, "")
	ctx := lbtest.Within(t, 40*time.Second)
	must(t, d.Check(ctx))
	g.Write("sites-available/shop", lbtest.Upstream("shop", b, "")+"# mine\n")
	file := g.Dir + "/sites-enabled/shop"
	text := file + " changed after nginx's last reload: a reload of ours would bring foreign edits into effect"
	code(t, first(d.Check(ctx)), "FD-LB-NGINX-PENDING", text)
	code(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1), "FD-LB-NGINX-PENDING", text)
	if strings.Contains(g.Read("sites-available/shop"), "down") {
		t.Error("something was written")
	}
	g.Reload()
	must(t, d.Check(ctx))
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	// Once more while it is out: putting it back waits for the reload, and then works.
	g.Write("sites-available/shop", g.Read("sites-available/shop")+"# again\n")
	short := lbtest.Within(t, 6*time.Second) // asking it takes a while on a busy machine
	code(t, d.Ready(short, lbtest.Shell{}, "web1", quiet), "FD-LB-NGINX-PENDING", text)
	if again, err := d.Hold(ctx, lbtest.Shell{}, "web1"); again || err != nil {
		t.Errorf("hold: %v, %v", again, err)
	}
	g.Reload()
	must(t, d.Ready(ctx, lbtest.Shell{}, "web1", quiet))
	if want := lbtest.Upstream("shop", b, "") + "# mine\n# again\n"; g.Read("sites-available/shop") != want {
		t.Errorf("got\n%s", g.Read("sites-available/shop"))
	}
}

// Another app of ours takes hosts out in the same file: its marks are no foreign edit.
func TestNginxMarksOfAnotherAppAreNoForeignEdits(t *testing.T) {
	t.Parallel()
	g, d, b := startNginx(t, 3, "")
	other := g.Driver(b, "shop")
	other.Rollout = "another"
	ctx := lbtest.Within(t, 20*time.Second)
	must(t, d.Check(ctx))
	must(t, lb.NewNginx(other, lbtest.Shell{}).Drain(ctx, lbtest.Shell{}, "web3", 1))
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	must(t, d.Check(ctx))
	must(t, d.Ready(ctx, lbtest.Shell{}, "web1", quiet))
	if got := g.Read("sites-available/shop"); strings.Count(got, "down; # flipdeploy:another\n") != 1 || strings.Count(got, "down") != 1 {
		t.Errorf("got\n%s", got)
	}
}

func TestNginxThatSaysYesAndDoesNotReloadIsFoundOut(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.2:0")
	must(t, err)
	defer taken.Close()
	zone := func(key string) string {
		return "  limit_req_zone " + key + " zone=zz:1m rate=100r/s;\n"
	}
	for _, c := range []struct{ name, before, after, emerg string }{
		{"port", "# none\n", "  server { listen " + taken.Addr().String() + "; }\n", "bind() to " + taken.Addr().String() + " failed (98: "},
		{"zone", zone("$binary_remote_addr"), zone("$uri"), `limit_req "zz" uses the "$uri" key while previously it used the "$binary_remote_addr" key`},
	} {
		b := lbtest.NewBackends(t, 2)
		g := lbtest.NewNginx(t)
		g.Write("nginx.conf", g.Main("  include extra.conf;\n"+lbtest.Upstream("shop", b, "")+g.Site("shop")))
		g.Write("extra.conf", c.before)
		g.Start()
		// The edit comes with an old time, as a package or rsync gives files.
		g.Write("extra.conf", c.after)
		past := time.Now().Add(-time.Hour)
		must(t, os.Chtimes(g.Dir+"/extra.conf", past, past))
		before, workers := g.Read("nginx.conf"), fmt.Sprint(g.Workers())
		d := lb.NewNginx(g.Driver(b, "shop"), lbtest.Shell{})
		start := time.Now()
		err := d.Drain(lbtest.Within(t, 20*time.Second), lbtest.Shell{}, "web1", 1)
		code(t, err, "FD-LB-NGINX-NOT-LIVE", "nginx said yes to the reload and runs on with what it had, the old bytes are back: ")
		t.Logf("%s: after %s: %v", c.name, time.Since(start).Round(time.Millisecond), err)
		var f *lb.Fault
		if !errors.As(err, &f) || !strings.Contains(strings.Join(f.Evidence(), "\n"), c.emerg) {
			t.Errorf("%s: evidence %q", c.name, f.Evidence())
		}
		if g.Read("nginx.conf") != before || fmt.Sprint(g.Workers()) != workers {
			t.Errorf("%s: not as before:\n%s", c.name, g.Read("nginx.conf"))
		}
	}
}

func TestNginxConfigurationThatIsBrokenAlreadyIsLeftAlone(t *testing.T) {
	t.Parallel()
	g, d, _ := startNginx(t, 2, "")
	g.Write("sites-enabled/broken", "  log_format x;\n")
	past := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(g.Dir+"/sites-enabled/broken", past, past))
	ctx := lbtest.Within(t, 20*time.Second)
	text := `nginx -t fails before anything was changed: [emerg] invalid number of arguments in "log_format" directive`
	code(t, first(d.Check(ctx)), "FD-LB-NGINX-BROKEN", text)
	code(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1), "FD-LB-NGINX-BROKEN", text)
	g.Write("sites-enabled/broken", "upstream x {\n")
	code(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1), "FD-LB-NGINX-CONF", "sites-enabled/broken: line 2: a block has no end")
	if strings.Contains(g.Read("sites-available/shop"), "down") {
		t.Error("something was written")
	}
}

func TestNginxOldWorkerPinnedByAnotherSiteEndsTheWaitAtHalfTime(t *testing.T) {
	t.Parallel()
	other := lbtest.NewBackend(t, 9)
	site := lbtest.FreeAddr(t)
	_, d, _ := startNginx(t, 2, "  server { listen "+site+"; location / { proxy_pass http://"+other.Addr+"; } }\n")
	c, err := net.Dial("tcp", site)
	must(t, err)
	defer c.Close()
	_, err = fmt.Fprint(c, "GET /slow?for=16s HTTP/1.1\r\nHost: other\r\n\r\n")
	must(t, err)
	lbtest.Eventually(t, "the other site works", func() bool { return other.InFlight.Load() > 0 })
	must(t, d.Drain(lbtest.Within(t, 5*time.Second), lbtest.Shell{}, "web1", 1))
	var said []string
	start := time.Now()
	must(t, d.Empty(lbtest.Within(t, 15*time.Second), lbtest.Shell{}, "web1", func(s string) { said = append(said, s) }))
	if took := time.Since(start); took < 7*time.Second {
		t.Errorf("it was content after %s, before half of the time", took)
	}
	if got := said[len(said)-1]; got != "1 old nginx worker lives on for others; none held a connection to it in 10 polls" {
		t.Errorf("said %q", said)
	}
}

func TestNginxConfigurationManagerIsCorrectedOnce(t *testing.T) {
	t.Parallel()
	g, d, b := startNginx(t, 2, "")
	before := g.Read("sites-available/shop")
	ctx := lbtest.Within(t, 30*time.Second)
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	must(t, d.Empty(ctx, lbtest.Shell{}, "web1", quiet))
	overwritten := func() {
		g.Write("sites-available/shop", before)
		g.Reload()
	}
	overwritten()
	if again, err := d.Hold(ctx, lbtest.Shell{}, "web1"); !again || err != nil {
		t.Fatalf("got %v, %v, want true, nil", again, err)
	}
	served := b["web1"].Served.Load()
	for range 20 {
		if host, err := lbtest.Get(g.Addr, "/", ""); err != nil || host != "web2" {
			t.Fatalf("%s answered, %v", host, err)
		}
	}
	if n := b["web1"].Served.Load() - served; n != 0 {
		t.Errorf("%d requests came", n)
	}
	overwritten()
	again, err := d.Hold(ctx, lbtest.Shell{}, "web1")
	var r *lb.RefusedError
	if again || !errors.As(err, &r) || r.Reason != lb.ReasonChanged {
		t.Fatalf("got %v, %v, want a refusal", again, err)
	}
	want := "somebody changed it on the balancer: the flag was removed again from shop/" + b["web1"].Addr + " in " + g.Dir + "/sites-enabled/shop:2"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

// Overwritten, with an edit of its own, and not reloaded yet: our flag comes back into
// the file, and the edit is not brought into effect.
func TestNginxFlagComesBackWithoutAReloadBesideForeignEdits(t *testing.T) {
	t.Parallel()
	g, d, b := startNginx(t, 2, "")
	before := g.Read("sites-available/shop")
	ctx := lbtest.Within(t, 30*time.Second)
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	workers := fmt.Sprint(g.Workers())
	g.Write("sites-available/shop", "# managed\n"+before)
	if again, err := d.Hold(ctx, lbtest.Shell{}, "web1"); !again || err != nil {
		t.Fatalf("got %v, %v, want true, nil", again, err)
	}
	if fmt.Sprint(g.Workers()) != workers {
		t.Error("nginx was reloaded")
	}
	want := "# managed\n" + strings.Replace(before, b["web1"].Addr+";", b["web1"].Addr+" down; # flipdeploy:20261121-000000-test", 1)
	if got := g.Read("sites-available/shop"); got != want {
		t.Errorf("got\n%s", got)
	}
}

// A run that died between its edit and its reload left a flag that is not live: the
// next run makes it so, whatever it is called.
func TestNginxFlagThatIsNotLiveIsBroughtIntoEffect(t *testing.T) {
	t.Parallel()
	g, _, b := startNginx(t, 2, "")
	file := g.Dir + "/sites-available/shop"
	was := stat(t, file)
	g.Write("sites-available/shop", strings.Replace(g.Read("sites-available/shop"), b["web1"].Addr+";", b["web1"].Addr+" down; # flipdeploy:earlier", 1))
	must(t, os.Chtimes(file, time.Unix(was.Mtim.Unix()), time.Unix(was.Mtim.Unix())))
	d := lb.NewNginx(g.Driver(b, "shop"), lbtest.Shell{})
	ctx := lbtest.Within(t, 20*time.Second)
	workers := fmt.Sprint(g.Workers())
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	if fmt.Sprint(g.Workers()) == workers {
		t.Error("nginx was not reloaded")
	}
	must(t, d.Empty(ctx, lbtest.Shell{}, "web1", quiet))
	must(t, d.Drain(ctx, lbtest.Shell{}, "web1", 1))
	if n := g.Reloads(); n != 1 {
		t.Errorf("%d reloads, want 1", n)
	}
}

func TestNginxLastServerIsNeverTaken(t *testing.T) {
	t.Parallel()
	g, d, b := startNginx(t, 2, "")
	ctx := lbtest.Within(t, 20*time.Second)
	before := g.Read("sites-available/shop")
	var r *lb.RefusedError
	if err := d.Swap(ctx, lbtest.Shell{}, nil, []string{"web1", "web2"}, 1); !errors.As(err, &r) || r.Reason != lb.ReasonFloor || err.Error() != "without it 0 would serve, fewer than 1" {
		t.Errorf("got %v", err)
	}
	b["web2"].Kill()
	if err := d.Drain(ctx, lbtest.Shell{}, "web1", 1); !errors.As(err, &r) || r.Reason != lb.ReasonFloor {
		t.Errorf("got %v", err)
	}
	if g.Read("sites-available/shop") != before || g.Reloads() != 0 {
		t.Error("something was changed")
	}
	must(t, d.Swap(ctx, lbtest.Shell{}, nil, []string{"web1", "web2"}, 0))
}

// Open-source nginx counts nothing; its error log tells which host failed requests.
func TestNginxCountersComeFromTheErrorLogAndOutliveReloads(t *testing.T) {
	t.Parallel()
	g, d, b := startNginx(t, 2, "")
	ctx := lbtest.Within(t, 20*time.Second)
	first, err := counted(ctx, d, "web1")
	must(t, err)
	b["web1"].Kill()
	for range 4 {
		_, err := lbtest.Get(g.Addr, "/", "")
		must(t, err) // the other one answers
	}
	g.Reload()
	_, err = lbtest.Get(g.Addr, "/", "")
	must(t, err)
	_, err = lbtest.Get(g.Addr, "/", "")
	must(t, err)
	now, err := counted(ctx, d, "web1")
	must(t, err)
	if first.Connect != 0 || now.Connect < 2 || now.Generation != first.Generation || now.Generation == "" {
		t.Errorf("before %+v, now %+v", first, now)
	}
	if other, err := counted(ctx, d, "web2"); err != nil || other.Connect != 0 {
		t.Errorf("web2: %+v, %v", other, err)
	}
	if again, err := counted(ctx, d, "web1"); err != nil || again != now {
		t.Errorf("asked again: %+v, %v", again, err)
	}
}

func TestNginxFileThatCannotBeWrittenIsAsBefore(t *testing.T) {
	t.Parallel()
	for tool, says := range map[string]string{
		"mv":   "mv: cannot move: No space left on device",
		"sync": "sync: error syncing 'shop': Input/output error",
	} {
		g, _, b := startNginx(t, 2, "")
		sh := faking(t, tool, `echo "`+says+`" >&2; exit 1`)
		before := g.Read("sites-available/shop")
		err := lb.NewNginx(g.Driver(b, "shop"), sh).Drain(lbtest.Within(t, 20*time.Second), sh, "web1", 1)
		code(t, err, "FD-LB-NGINX-WRITE", "/sites-enabled/shop could not be written, it is as before: "+says)
		left, _ := filepath.Glob(g.Dir + "/sites-*/.*")
		if g.Read("sites-available/shop") != before || g.Reloads() != 0 || len(left) > 0 {
			t.Errorf("%s: it is not as before: %s, left %s", tool, g.Read("sites-available/shop"), left)
		}
	}
}

// Somebody breaks another file at the moment of our edit.
func TestNginxThatDoesNotAcceptTheEditSaysWhy(t *testing.T) {
	t.Parallel()
	g, _, b := startNginx(t, 2, "")
	sh := faking(t, "mv", `REAL "$@" && echo 'log_format x;' >`+g.Dir+"/sites-enabled/broken")
	before := g.Read("sites-available/shop")
	err := lb.NewNginx(g.Driver(b, "shop"), sh).Drain(lbtest.Within(t, 20*time.Second), sh, "web1", 1)
	code(t, err, "FD-LB-NGINX-EDIT", "nginx does not accept its own configuration with the flag changed, the old bytes are back: [emerg] invalid number of arguments in \"log_format\"")
	if g.Read("sites-available/shop") != before || g.Reloads() != 0 {
		t.Errorf("it is not as before: %s", g.Read("sites-available/shop"))
	}
}

func TestNginxFileThatWeMayNotReadIsSyncedWithAll(t *testing.T) {
	t.Parallel()
	g, _, b := startNginx(t, 2, "")
	all := t.TempDir() + "/all"
	sh := faking(t, "sync", "[ $# -gt 0 ] || { : >"+all+`; exit; }
echo "sync: error opening 'option/quota: Input/output error': Permission denied" >&2; exit 1`)
	must(t, lb.NewNginx(g.Driver(b, "shop"), sh).Drain(lbtest.Within(t, 20*time.Second), sh, "web1", 1))
	if _, err := os.Stat(all); err != nil {
		t.Error("nothing was synced")
	}
}

func TestNginxFileIsPutBackWhateverTheDiskSays(t *testing.T) {
	t.Parallel()
	const fails, left = "{ echo 'x: Input/output error' >&2; exit 1; }; REAL \"$@\"", "nginx.conf could not be put back as it was, nginx runs on with what it had: "
	const second = `[ -e "$0.once" ] || { : >"$0.once"; exec REAL "$@"; }; ` + fails
	for _, c := range []struct{ tool, script, code, says string }{
		{"sync", second, "FD-LB-NGINX-NOT-LIVE", "the old bytes are back: "},
		{"mv", second, "FD-LB-NGINX-LEFT", left},
		{"cat", `! grep -qs "down; # flip" "$1" || ` + fails, "FD-LB-NGINX-LEFT", left},
	} {
		b, g := lbtest.NewBackends(t, 2), lbtest.NewNginx(t)
		zone := func(key string) string { return "  limit_req_zone " + key + " zone=zz:1m rate=100r/s;\n" }
		g.Write("nginx.conf", g.Main("  include extra.conf;\n"+lbtest.Upstream("shop", b, "")+g.Site("shop")))
		g.Write("extra.conf", zone("$binary_remote_addr"))
		g.Start()
		g.Write("extra.conf", zone("$uri")) // which it does not take while it runs
		past := time.Now().Add(-time.Hour)
		must(t, os.Chtimes(g.Dir+"/extra.conf", past, past))
		before, sh := g.Read("nginx.conf"), faking(t, c.tool, c.script)
		err := lb.NewNginx(g.Driver(b, "shop"), sh).Drain(lbtest.Within(t, 20*time.Second), sh, "web1", 1)
		code(t, err, c.code, c.says)
		var f *lb.Fault
		if !errors.As(err, &f) || !strings.Contains(strings.Join(f.Evidence(), "\n"), `limit_req "zz"`) {
			t.Errorf("%s: evidence %q", c.tool, f.Evidence())
		}
		if back := g.Read("nginx.conf") == before; back != (c.tool == "sync") {
			t.Errorf("%s: as before: %v", c.tool, back)
		}
	}
}

// Hosts that go out at the same moment wait for each other; every one needs a reload.
func TestNginxHostsMayGoOutSideBySide(t *testing.T) {
	t.Parallel()
	g, d, b := startNginx(t, 5, "")
	before := g.Read("sites-available/shop")
	ctx := lbtest.Within(t, 30*time.Second)
	all := func(do func(host string) error) error {
		errs := make(chan error, 4)
		for _, host := range lbtest.Names(b)[:4] {
			go func() { errs <- do(host) }()
		}
		var err error
		for range cap(errs) {
			err = errors.Join(err, <-errs)
		}
		return err
	}
	must(t, all(func(host string) error { return d.Drain(ctx, lbtest.Shell{}, host, 1) }))
	for range 10 {
		if host, err := lbtest.Get(g.Addr, "/", ""); err != nil || host != "web5" {
			t.Fatalf("%s answered, %v", host, err)
		}
	}
	must(t, all(func(host string) error { return d.Empty(ctx, lbtest.Shell{}, host, quiet) }))
	must(t, all(func(host string) error { return d.Ready(ctx, lbtest.Shell{}, host, quiet) }))
	if g.Read("sites-available/shop") != before || g.Reloads() != 8 {
		t.Errorf("%d reloads, and\n%s", g.Reloads(), g.Read("sites-available/shop"))
	}
}

// Killed between its edit and its reload, a script leaves a flag that is not live. Told
// to stop there, it puts the old bytes back.
func TestNginxScriptEndedInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, signal string
		flagged      bool
	}{{"killed", "KILL", true}, {"told to stop", "TERM", false}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g, _, b := startNginx(t, 2, "")
			before := g.Read("sites-available/shop")
			// The second -t comes after the edit; it ends the shell that runs the script.
			bin, real := t.TempDir(), program(t, "nginx")
			must(t, os.WriteFile(bin+"/nginx", []byte(fmt.Sprintf(`#!/bin/sh
case "$*" in *-t*) echo >>%[1]s/calls; [ "$(wc -l <%[1]s/calls)" != 2 ] || kill -%[2]s "$(cat %[1]s/shell)"; ;; esac
exec %[3]s "$@"
`, bin, c.signal, real)), 0o700)) //nolint:gosec // it is run
			sh := lbtest.Shell{Argv: []string{"sh", "-c", "echo $$ >" + bin + "/shell; exec sh -s"}, Env: []string{"PATH=" + bin + ":" + os.Getenv("PATH")}}
			ctx := lbtest.Within(t, 30*time.Second)
			if err := lb.NewNginx(g.Driver(b, "shop"), lbtest.Shell{}).Drain(ctx, inner{sh}, "web1", 1); err == nil {
				t.Fatal("no error")
			}
			lbtest.Eventually(t, "the flag is as it should be", func() bool { return strings.Contains(g.Read("sites-available/shop"), " down;") == c.flagged })
			if g.Reloads() != 0 {
				t.Error("nginx was reloaded")
			}
			next := lb.NewNginx(g.Driver(b, "shop"), lbtest.Shell{})
			must(t, next.Check(ctx))
			if seats, err := next.Seats(ctx); err != nil || !seats["web1"].Stale {
				t.Errorf("seats %+v, %v", seats, err)
			}
			must(t, next.Drain(ctx, lbtest.Shell{}, "web1", 1))
			if host, err := lbtest.Get(g.Addr, "/", ""); err != nil || host != "web2" {
				t.Errorf("%s answered, %v", host, err)
			}
			must(t, next.Ready(ctx, lbtest.Shell{}, "web1", quiet))
			if seats, err := next.Seats(ctx); err != nil || seats["web1"].Stale {
				t.Errorf("afterwards: seats %+v, %v", seats, err)
			}
			if g.Read("sites-available/shop") != before || g.Reloads() != 2 {
				t.Errorf("%d reloads, and\n%s", g.Reloads(), g.Read("sites-available/shop"))
			}
		})
	}
}

// inner runs a driver's script in the very shell that is told to end.
type inner struct{ sh lbtest.Shell }

func (i inner) Run(ctx context.Context, script string) ([]byte, error) {
	script = strings.TrimSuffix(strings.TrimPrefix(script, "(\n"), ")\n")
	return i.sh.Run(ctx, script)
}
