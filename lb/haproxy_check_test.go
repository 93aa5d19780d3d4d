package lb_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/lb/lbtest"
)

func TestCheckTellsAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	h, _, b := start(t, 2, "backend shop\n  server web1 @web1 check agent-check agent-port 1\nbackend api\n  server one @web1\n", nil, "shop")
	cfg := h.Config(b, "shop", "shopp")
	cfg.Hosts["web2"] = []string{"127.0.0.99:80"}
	err := lb.NewHAProxy(cfg, lbtest.Shell{}).Check(lbtest.Within(t, 5*time.Second))
	want := `upstream shopp does not exist
web1 has an agent-check: shop/web1
web1 is in pool api as well, which is not listed
web2: 127.0.0.99:80 is no server of shop, shopp`
	if err == nil || err.Error() != want {
		t.Fatalf("got:\n%v\nwant:\n%s", err, want)
	}
	var all lb.Faults
	if !errors.As(err, &all) {
		t.Fatalf("got %T", err)
	}
	codes := make([]string, len(all))
	for i, f := range all {
		codes[i] = f.Code()
	}
	if got := strings.Join(codes, " "); got != "FD-LB-UPSTREAM FD-LB-AGENT FD-LB-UNLISTED FD-LB-BACKEND" {
		t.Errorf("codes %s", got)
	}
	if want := "set `upstream` to one of: shop, api"; all[0].Hint() != want {
		t.Errorf("hint %q, want %q", all[0].Hint(), want)
	}
	if want := "shop/web1 " + b["web1"].Addr; strings.Join(all[3].Evidence(), ",") != want {
		t.Errorf("evidence %q, want %q", all[3].Evidence(), want)
	}
}

func TestASocketThatCannotBeUsedIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	for _, c := range []struct{ socket, code, text string }{
		{dir + "/none.sock", "FD-LB-SOCKET-MISSING", "socket " + dir + "/none.sock does not exist"},
		{file, "FD-LB-SOCKET-MISSING", file + " is no socket"},
		{"tcp://127.0.0.2:1", "FD-LB-SOCKET-STALE", "nobody listens on socket tcp://127.0.0.2:1"},
		{"/a b", "FD-LB-NAME", `socket "/a b" has characters that are not allowed`},
	} {
		d := lb.NewHAProxy(lb.HAProxyConfig{Upstreams: []string{"shop"}, Socket: c.socket}, lbtest.Shell{})
		wantErr(t, first(d.Check(lbtest.Within(t, 5*time.Second))), c.code, c.text)
		if _, err := os.Stat(dir + "/none.sock"); err == nil {
			t.Error("asking made a file of the missing socket")
		}
	}
}

func first(err error) error {
	var all lb.Faults
	if errors.As(err, &all) {
		return all[0]
	}
	return err
}

func TestALevelBelowAdminIsNamed(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "fdlb")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	h, _, b := start(t, 1, "backend shop\n  server web1 @web1\nglobal\n  stats socket "+dir+"/op.sock level operator\n", nil, "shop")
	cfg := h.Config(b, "shop")
	cfg.Socket = dir + "/op.sock"
	d := lb.NewHAProxy(cfg, lbtest.Shell{})
	ctx := lbtest.Within(t, 5*time.Second)
	wantErr(t, first(d.Check(ctx)), "FD-LB-LEVEL", "the socket has level operator, it needs admin")
	wantErr(t, d.Drain(ctx, lbtest.Shell{}, "web1", 0), "FD-LB-LEVEL", "the socket has level less than admin, it needs admin")
}

func TestEverySocketToolAndShellWillDo(t *testing.T) {
	t.Parallel()
	lbtest.Need(t, "perl", "python3")
	tcp := lbtest.FreeAddr(t)
	h, _, b := start(t, 2, "backend shop\n  server web1 @web1\n  server web2 @web2\nglobal\n  stats socket ipv4@"+tcp+" level admin\n", nil, "shop")
	for _, c := range []struct {
		name, tool, socket string
		argv               []string
	}{
		{"socat", "socat", h.Socket, nil},
		{"perl", "perl", h.Socket, nil},
		{"python3", "python3", h.Socket, nil},
		{"socat over tcp", "socat", "tcp://" + tcp, nil},
		{"perl over tcp", "perl", "tcp://" + tcp, nil},
		{"python3 over tcp", "python3", "tcp://" + tcp, nil},
		{"busybox", "socat", h.Socket, []string{"busybox", "sh", "-s"}},
		{"bash", "socat", h.Socket, []string{"bash", "--posix", "-s"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if len(c.argv) > 0 {
				lbtest.Need(t, c.argv[0])
			}
			cfg := h.Config(b, "shop")
			cfg.Socket = c.socket
			sh := lbtest.Shell{Argv: c.argv, Env: []string{"PATH=" + only(t, c.tool)}}
			d := lb.NewHAProxy(cfg, sh)
			ctx := lbtest.Within(t, 10*time.Second)
			must(t, d.Check(ctx))
			must(t, d.Drain(ctx, sh, "web1", 1))
			must(t, d.GiveBack(ctx, sh, "web1"))
		})
	}
	t.Run("none", func(t *testing.T) {
		d := lb.NewHAProxy(h.Config(b, "shop"), lbtest.Shell{Env: []string{"PATH=" + only(t)}})
		wantErr(t, first(d.Check(lbtest.Within(t, 5*time.Second))), "FD-LB-NO-SOCKET-TOOL",
			"nothing there speaks to a unix socket: none of socat, nc -U, perl, python3")
	})
}

func TestTheSocketIsAskedThroughSudoWhereItIsNotOurs(t *testing.T) {
	t.Parallel()
	h, _, b := start(t, 2, "backend shop\n  server web1 @web1\n  server web2 @web2\n", nil, "shop")
	bin := only(t, "socat")
	asked := filepath.Join(bin, "asked")
	sudo := "#!/bin/sh\necho \"$*\" >>" + asked + "\nexec socat -t10 - UNIX-CONNECT:" + h.Socket + "\n"
	must(t, os.WriteFile(filepath.Join(bin, "sudo"), []byte(sudo), 0o700))
	cfg := h.Config(b, "shop")
	cfg.Socket, cfg.Sudo = "/nonexistent/a.sock", true
	sh := lbtest.Shell{Env: []string{"PATH=" + bin}}
	must(t, lb.NewHAProxy(cfg, sh).Drain(lbtest.Within(t, 5*time.Second), sh, "web1", 1))
	got, err := os.ReadFile(asked)
	must(t, err)
	for line := range strings.Lines(string(got)) {
		if want := "-n " + cfg.SudoCommand() + "\n"; line != want {
			t.Errorf("ran sudo %q, want %q", line, want)
		}
	}
}

func TestASocketOfOthersIsDenied(t *testing.T) {
	t.Parallel()
	lbtest.Need(t, "setpriv")
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	h, _, b := start(t, 1, "backend shop\n  server web1 @web1\n", nil, "shop")
	must(t, os.Chmod(h.Dir, 0o755))
	must(t, os.Chmod(h.Socket, 0o660))
	sh := lbtest.Shell{Argv: []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-s"}}
	d := lb.NewHAProxy(h.Config(b, "shop"), sh)
	ctx := lbtest.Within(t, 5*time.Second)
	wantErr(t, first(d.Check(ctx)), "FD-LB-SOCKET-DENIED", "socket "+h.Socket+" root:root 660 may not be written")
	must(t, os.Chmod(h.Dir, 0o700))
	wantErr(t, first(d.Check(ctx)), "FD-LB-SOCKET-DENIED", "socket "+h.Dir+" root:root 700 may not be written")
}

// only is a PATH with what scripts use anyway and these tools.
func only(t *testing.T, tools ...string) string {
	dir := t.TempDir()
	for _, name := range append(tools, "sh", "awk", "sed", "grep", "timeout", "stat", "tr", "cat", "ss") {
		p, err := exec.LookPath(name)
		if name == "python3" { // it may be a wrapper that needs a whole PATH
			out, e := exec.Command(p, "-c", "import sys; print(sys.executable)").Output()
			p, err = strings.TrimSpace(string(out)), e
		}
		must(t, err)
		must(t, os.Symlink(p, filepath.Join(dir, name)))
	}
	return dir
}

func TestAReplyThatWasCutIsAnError(t *testing.T) {
	t.Parallel()
	h, _, b := start(t, 1, "backend shop\n  server web1 @web1\n", nil, "shop")
	ctx := lbtest.Within(t, 10*time.Second)
	for _, n := range []string{"100", "1100", "2500", "3300"} {
		d := lb.NewHAProxy(h.Config(b, "shop"), cutting{n})
		_, err := d.Seats(ctx)
		var c interface{ Code() string }
		if !errors.As(err, &c) || c.Code() != "FD-LB-REPLY" {
			t.Errorf("cut at %s: got %v, want FD-LB-REPLY", n, err)
		}
	}
}

// cutting has the socket tool give only the first bytes, and say that all is well.
type cutting struct{ bytes string }

func (c cutting) Run(ctx context.Context, script string) ([]byte, error) {
	return lbtest.Shell{}.Run(ctx, strings.Replace(script, `fd_ask "$1" "$2"; printf '== rc`, `fd_ask "$1" "$2" | head -c `+c.bytes+`; printf '== rc`, 1))
}
