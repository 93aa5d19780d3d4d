package state

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain is also a run of its own that holds the lock until it is killed:
// what SIGKILL and SIGSTOP do is seen only on a process.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STATE_TEST_HOLD"); dir != "" {
		holdForever(dir, os.Getenv("STATE_TEST_SHELL"))
		return
	}
	goleak.VerifyTestMain(m)
}

func holdForever(dir, shell string) {
	m := &machine{path: shell}
	s := New("edge1", dir, "shop", m, m, false)
	ctx, l, err := AcquireWait(context.Background(), []*Store{s}, ana, Terms{Beat: 100 * time.Millisecond, Silence: time.Second, Limit: 500 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("held")
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	l.Release()
}

// holder is another process that holds the lock; what it says comes line by line.
func (m *machine) holder(t *testing.T, dir string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "STATE_TEST_HOLD="+dir, "STATE_TEST_SHELL="+m.path)
	out, err := c.StdoutPipe()
	ok(t, err)
	ok(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	lines := bufio.NewScanner(out)
	equal(t, lines.Scan(), true)
	equal(t, lines.Text(), "held")
	return c, lines
}

// machine is this one, as a balancer: scripts run for real, in a shell of choice.
type machine struct {
	path string
	only bool     // no tools but those in path
	last *session // the latest that was opened
}

// exitError is how a real machine's Runner tells that a script ran and failed.
type exitError struct {
	code   int
	stdout []byte
	stderr string
}

func (e *exitError) Error() string  { return "exit " + e.stderr }
func (e *exitError) ExitCode() int  { return e.code }
func (e *exitError) Stdout() []byte { return e.stdout }

func (m *machine) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join(m.path, "sh"), args...)
	c.Env = []string{"PATH=" + m.path + ":/usr/bin:/bin", "HOME=/"}
	if m.only {
		c.Env[0] = "PATH=" + m.path
	}
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.WaitDelay = time.Second
	return c
}

func (m *machine) Run(ctx context.Context, script string) ([]byte, error) {
	c := m.command(ctx, "-s")
	var out, stderr bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(script), &out, &stderr
	err := c.Run()
	var e *exec.ExitError
	if errors.As(err, &e) && e.Exited() {
		return out.Bytes(), &exitError{e.ExitCode(), out.Bytes(), stderr.String()}
	}
	return out.Bytes(), err
}

type session struct {
	io.Reader
	io.WriteCloser
	cmd  *exec.Cmd
	done chan struct{}
}

func (s *session) Close() error {
	_ = s.WriteCloser.Close()
	select {
	case <-s.done:
	case <-time.After(time.Second):
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.done
	}
	return nil
}

func (m *machine) Open(_ context.Context, script string) (Session, error) {
	c := m.command(context.Background(), "-c", script)
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.Stdout, c.Stderr = w, os.Stderr
	if err := c.Start(); err != nil {
		return nil, err
	}
	_ = w.Close()
	s := &session{r, in, c, make(chan struct{})}
	go func() { _ = c.Wait(); close(s.done) }()
	m.last = s
	return s, nil
}

// need fails where FLIPDEPLOY_NEED=1 says that the machine has all, and skips
// elsewhere.
func need(t *testing.T, tool string) string {
	t.Helper()
	path, err := exec.LookPath(tool)
	if err != nil && os.Getenv("FLIPDEPLOY_NEED") == "1" {
		t.Fatalf("needed and not there: %s", tool)
	}
	if err != nil {
		t.Skipf("no %s on this machine", tool)
	}
	return path
}

// inShells runs a test in each shell that scripts must do in. busybox brings its
// own tools along, but for flock, which Debian's has not.
func inShells(t *testing.T, test func(t *testing.T, m *machine)) {
	t.Helper()
	for shell, tools := range map[string][]string{
		"dash":    {"sh"},
		"busybox": {"sh", "timeout", "head", "tail", "sync", "awk", "sort", "wc", "grep", "mv", "rm", "mkdir", "ls", "cat", "id", "sleep"},
	} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			program := need(t, shell)
			m := &machine{path: t.TempDir()}
			for _, tool := range tools {
				ok(t, os.Symlink(program, filepath.Join(m.path, tool)))
			}
			test(t, m)
		})
	}
}

// store is a prepared Store of app in dir.
func (m *machine) store(t *testing.T, dir, app string) *Store {
	t.Helper()
	s := New("edge1", dir, app, m, m, false)
	ok(t, s.Prepare(t.Context()))
	return s
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// says checks the words, the code and the hint of an error.
func says(t *testing.T, err error, text, code, hint string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", text)
	}
	var e interface {
		Code() string
		Hint() string
	}
	if !errors.As(err, &e) {
		t.Fatalf("%v: no code", err)
	}
	equal(t, err.Error(), text)
	equal(t, e.Code(), code)
	equal(t, e.Hint(), hint)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	ok(t, os.WriteFile(file, []byte(text), 0o644))
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	ok(t, err)
	return string(b)
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// raised is a store whose fence stands at epoch.
func raised(t *testing.T, m *machine, dir, app string, epoch int64) *Store {
	t.Helper()
	s := m.store(t, dir, app)
	got, err := Raise(t.Context(), []*Store{s}, epoch-1)
	ok(t, err)
	equal(t, got, epoch)
	return s
}
