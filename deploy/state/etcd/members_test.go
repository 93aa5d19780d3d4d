package etcd

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// TestMain is also a run of its own that holds the lock until it is killed.
func TestMain(m *testing.M) {
	if at := os.Getenv("ETCD_TEST_HOLD"); at != "" {
		holdForever(strings.Split(at, ","))
		return
	}
	all.dir, _ = os.MkdirTemp("", "flipdeploy-etcd")
	code := m.Run()
	for _, one := range all.members {
		one.end()
	}
	_ = os.RemoveAll(all.dir)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	os.Exit(code)
}

// A member is a real etcd on loopback.
type member struct {
	client, peer, name string
	args               []string
	cmd                *exec.Cmd
	said               bytes.Buffer
}

func (m *member) start() error {
	m.cmd = exec.Command("etcd", m.args...)
	m.cmd.Stdout, m.cmd.Stderr = &m.said, &m.said
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return m.cmd.Start()
}

func (m *member) end() {
	if m.cmd != nil {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
	}
	m.cmd = nil
}

// stop and resume are a member that the network has lost: it is there and says nothing.
func (m *member) stop(t *testing.T) { ok(t, m.cmd.Process.Signal(syscall.SIGSTOP)) }
func (m *member) cont(t *testing.T) { ok(t, m.cmd.Process.Signal(syscall.SIGCONT)) }

// all is the cluster of three that most tests share.
var all struct {
	sync.Once
	dir     string
	members []*member
}

// need fails where FLIPDEPLOY_NEED=1 says that the machine has all, and skips elsewhere.
func need(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("etcd")
	if err != nil && os.Getenv("FLIPDEPLOY_NEED") == "1" {
		t.Fatal("needed and not there: etcd")
	}
	if err != nil {
		t.Skip("no etcd on this machine")
	}
}

// port is free now.
func port(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ok(t, err)
	defer l.Close()
	return l.Addr().String()
}

// cluster starts n members, with more flags.
func cluster(t *testing.T, dir string, n int, scheme string, flags ...string) []*member {
	t.Helper()
	var members []*member
	var initial []string
	for i := range n {
		m := &member{name: fmt.Sprint("m", i), client: port(t), peer: port(t)}
		initial = append(initial, m.name+"=http://"+m.peer)
		members = append(members, m)
	}
	for _, m := range members {
		m.args = append([]string{"--name", m.name, "--data-dir", filepath.Join(dir, m.name),
			"--listen-client-urls", scheme + "://" + m.client, "--advertise-client-urls", scheme + "://" + m.client,
			"--listen-peer-urls", "http://" + m.peer, "--initial-advertise-peer-urls", "http://" + m.peer,
			"--initial-cluster", strings.Join(initial, ","), "--heartbeat-interval", "50", "--election-timeout", "500",
			"--log-level", "error"}, flags...)
		ok(t, m.start())
	}
	return members
}

func endpoints(members []*member) (at []string) {
	for _, m := range members {
		at = append(at, m.client)
	}
	return at
}

// three is the shared cluster, whole.
func three(t *testing.T) []*member {
	t.Helper()
	need(t)
	all.Do(func() { all.members = cluster(t, all.dir, 3, "http") })
	await(t, all.members)
	return all.members
}

// await returns once the cluster answers.
func await(t *testing.T, members []*member) {
	t.Helper()
	s := New("await", Config{Endpoints: endpoints(members), Prefix: "/test", Wait: 500 * time.Millisecond, Try: 300 * time.Millisecond})
	defer s.Close()
	var err error
	for range 60 {
		if err = s.Prepare(t.Context()); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, m := range members {
		t.Log(m.said.String())
	}
	t.Fatal(err)
}

// deployer is one run's view of an app.
func deployer(t *testing.T, app string, members []*member) *Store {
	t.Helper()
	s := New(app, Config{Endpoints: endpoints(members), Prefix: "/" + strings.Split(t.Name(), "/")[0], Try: 300 * time.Millisecond, Wait: 5 * time.Second})
	t.Cleanup(s.Close)
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

var (
	ana = state.Holder{User: "ana@ci", Since: time.Date(2026, 11, 21, 3, 7, 12, 0, time.UTC), Rollout: "20261121-030712-7f3a"}
	bob = state.Holder{User: "bob@laptop", Since: time.Date(2026, 11, 21, 3, 8, 0, 0, time.UTC)}
)

func within(t *testing.T, what string, took, least, most time.Duration) {
	t.Helper()
	t.Logf("%s: %s", what, took)
	if took < least || took > most {
		t.Errorf("%s took %s, want %s to %s", what, took, least, most)
	}
}
