package proc

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var program string // the test app, built once

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "proc")
	if err != nil {
		panic(err)
	}
	if program, err = build(dir, "app"); err != nil {
		panic(err)
	}
	flag.Parse()
	flag.Set("test.parallel", "6") // they mostly wait
	code := m.Run()
	os.RemoveAll(dir)
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Println(err)
		code = 1
	}
	os.Exit(code)
}

// build makes a program of testdata in a directory.
func build(dir, name string) (string, error) {
	path := filepath.Join(dir, name)
	out, err := exec.Command("go", "build", "-ldflags", "-s -w", "-o", path, "./testdata/"+name).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return path, err
}

// local runs scripts on this machine.
type local struct {
	env   []string
	shell string // default sh
}

type exitError struct {
	code   int
	stdout []byte
	stderr string
}

func (e *exitError) Error() string  { return fmt.Sprintf("exit %d: %s", e.code, e.stderr) }
func (e *exitError) ExitCode() int  { return e.code }
func (e *exitError) Stdout() []byte { return e.stdout }

func (l local) Run(ctx context.Context, script string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, orElse(l.shell, "sh"), "-s")
	cmd.Stdin = strings.NewReader(script)
	cmd.Env = append(os.Environ(), l.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = &exitError{exit.ExitCode(), out, stderr.String()}
	}
	return out, err
}

// A host is a directory laid out as an app's root, with the app in it.
type host struct {
	t    *testing.T
	root string
	port int
	cfg  Config

	program string // what releases hold
}

func newHost(t *testing.T) *host {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	h := &host{t: t, root: root, port: freePort(t), program: program}
	h.cfg = Config{
		Port: h.port, PIDFile: h.path("pid"), Log: h.path("log"), ReleasesDir: h.path("releases"),
		EntryOf: func(id string) string { return h.path("releases/" + id + "/app") },
		Timeout: 5 * time.Second, Settle: 300 * time.Millisecond, Poll: 50 * time.Millisecond,
		Start: append([]string{"sh", "-c", `exec "$@" >>log 2>&1`, "sh"}, h.argv()...),
	}
	t.Cleanup(h.endAll)
	return h
}

func (h *host) path(rel string) string { return filepath.Join(h.root, rel) }

func (h *host) argv() []string {
	exe := h.path("current/app")
	return []string{exe, "-exec", exe, "-pidfile", h.path("pid"), "-addr", h.addr()}
}

func (h *host) addr() string { return "127.0.0.1:" + strconv.Itoa(h.port) }

// release installs a copy of the app that behaves as mode says.
func (h *host) release(id, mode string) {
	h.t.Helper()
	dir := h.path("releases/" + id)
	must(h.t, os.MkdirAll(dir, 0o755))
	data, err := os.ReadFile(h.program)
	must(h.t, err)
	must(h.t, os.WriteFile(dir+"/app", data, 0o755))
	must(h.t, os.WriteFile(dir+"/mode", []byte(mode), 0o644))
}

func (h *host) flip(id string) {
	h.t.Helper()
	must(h.t, os.Symlink("releases/"+id, h.path("next")))
	must(h.t, os.Rename(h.path("next"), h.path("current")))
}

func (h *host) app() *App { return New(h.cfg, local{}) }

// up starts release id and returns an App that has not seen that.
func (h *host) up(id, mode string) *App {
	h.t.Helper()
	h.release(id, mode)
	h.flip(id)
	must(h.t, h.app().Reload(h.t.Context(), id))
	return h.app()
}

func (h *host) pid() int {
	text, _ := os.ReadFile(h.path("pid"))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// version is what the app answers, "" when nobody does.
func (h *host) version() string {
	c, err := net.DialTimeout("tcp", h.addr(), time.Second)
	if err != nil {
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	b := make([]byte, 64)
	n, _ := c.Read(b)
	return strings.TrimSpace(string(b[:n]))
}

// processes are those of this host's releases.
func (h *host) processes() (pids []int) {
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if exe, err := os.Readlink(link); err == nil && strings.HasPrefix(exe, h.root+"/") {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

func (h *host) endAll() {
	for range 500 { // a master may start one more meanwhile
		left := h.processes()
		if len(left) == 0 {
			return
		}
		for _, pid := range left {
			syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(10 * time.Millisecond)
	}
	h.t.Errorf("still there: %v", h.processes())
}

// given are the ports that freePort has told: it never tells one twice. They are below those
// of which the kernel gives others any, as to the tests of other packages at the same time.
var given sync.Map

func freePort(t *testing.T) int {
	t.Helper()
	for {
		port := 10000 + rand.Intn(22000)
		ln, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err != nil {
			continue
		}
		ln.Close()
		if _, twice := given.LoadOrStore(port, true); !twice {
			return port
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\nevidence: %q", err, evidenceOf(err))
	}
}

func evidenceOf(err error) []string {
	var e interface{ Evidence() []string }
	if errors.As(err, &e) {
		return e.Evidence()
	}
	return nil
}

func codeOf(err error) string {
	var e interface{ Code() string }
	if errors.As(err, &e) {
		return e.Code()
	}
	return ""
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if codeOf(err) != code {
		t.Fatalf("error %v\ncode %q, want %q\nevidence: %q", err, codeOf(err), code, evidenceOf(err))
	}
}

func wantLine(t *testing.T, lines []string, want string) {
	t.Helper()
	if !slices.Contains(lines, want) {
		t.Errorf("evidence %q\nlacks %q", lines, want)
	}
}
