// Package remotetest gives tests a real sshd on loopback, a server that
// misbehaves as no real one does, and a cable that can be cut.
package remotetest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// An SSHD is a running sshd that lets the current user in with KeyFile.
type SSHD struct {
	Address    string
	Port       int
	User       string
	KeyFile    string
	KnownHosts string // trusts the host's ed25519 key
	Dir        string // of its files: host_ed25519, host_rsa, authorized_keys, log
	cmd        *exec.Cmd
}

// Need fails the test, or skips it, when program is not on this machine. With
// FLIPDEPLOY_NEED=1 an absence is a failure.
func Need(t testing.TB, program string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	Lacking(t, program)
	return ""
}

// Lacking ends a test that the machine has no means for.
func Lacking(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("FLIPDEPLOY_NEED") == "1" {
		t.Fatalf("this machine has no %s", what)
	}
	t.Skipf("this machine has no %s", what)
}

// Start runs sshd until the test ends. Each of config is a line of sshd_config and
// wins over the usual ones.
func Start(t testing.TB, config ...string) *SSHD {
	t.Helper()
	return StartAt(t, "127.0.0.1", config...)
}

// StartAt is Start at another address of this machine.
func StartAt(t testing.TB, address string, config ...string) *SSHD {
	t.Helper()
	s := &SSHD{Address: address, Port: freePort(t, address), User: currentUser(t), Dir: t.TempDir()}
	path := Need(t, "sshd")
	s.KeyFile = WriteKey(t, filepath.Join(s.Dir, "id_ed25519"))
	s.copyPublic(t, s.KeyFile, "authorized_keys")
	WriteKey(t, filepath.Join(s.Dir, "host_ed25519"))
	s.KnownHosts = filepath.Join(s.Dir, "known_hosts")
	s.trust(t)
	s.writeConfig(t, config)
	s.run(t, path)
	return s
}

func (s *SSHD) writeConfig(t testing.TB, config []string) {
	lines := append([]string(nil), config...)
	lines = append(lines,
		"ListenAddress "+net.JoinHostPort(s.Address, strconv.Itoa(s.Port)),
		"HostKey "+filepath.Join(s.Dir, "host_ed25519"),
		"AuthorizedKeysFile "+filepath.Join(s.Dir, "authorized_keys"),
		"SetEnv SHLVL=5", // bash then leaves out ~/.bashrc, whatever the tester has in it
		"PidFile none", "UsePAM no", "StrictModes no", "LogLevel VERBOSE", "UseDNS no",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "MaxStartups 100:30:200")
	write(t, filepath.Join(s.Dir, "sshd_config"), strings.Join(lines, "\n")+"\n")
}

// run starts sshd and returns once it greets.
func (s *SSHD) run(t testing.TB, path string) {
	if os.Getuid() == 0 { // the directory that sshd drops its privileges in
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.cmd = exec.Command(path, "-D", "-e", "-f", filepath.Join(s.Dir, "sshd_config"))
	log, err := os.Create(filepath.Join(s.Dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	s.await(t)
}

func (s *SSHD) await(t testing.TB) {
	for range 200 {
		if c, err := net.Dial("tcp", s.HostPort()); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("sshd does not listen:\n%s", s.Log())
}

// Stop ends sshd and every connection to it. It is safe to call twice.
func (s *SSHD) Stop() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	for _, pid := range children(s.cmd.Process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// children are the processes that serve connections, by /proc.
func children(pid int) (found []int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	for _, field := range strings.Fields(string(text)) {
		if child, err := strconv.Atoi(field); err == nil {
			found = append(append(found, children(child)...), child)
		}
	}
	return found
}

// HostPort is where it listens.
func (s *SSHD) HostPort() string { return net.JoinHostPort(s.Address, strconv.Itoa(s.Port)) }

// Log is what sshd said so far.
func (s *SSHD) Log() string {
	text, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
	return string(text)
}

// TrustAt adds the host's key for another address, that of a Cable for one.
func (s *SSHD) TrustAt(t testing.TB, hostPort string) {
	t.Helper()
	text, _ := os.ReadFile(s.KnownHosts)
	write(t, s.KnownHosts, string(text)+knownLine(hostPort, publicKey(t, filepath.Join(s.Dir, "host_ed25519"))))
}

func (s *SSHD) trust(t testing.TB) {
	write(t, s.KnownHosts, knownLine(s.HostPort(), publicKey(t, filepath.Join(s.Dir, "host_ed25519"))))
}

func (s *SSHD) copyPublic(t testing.TB, key, name string) {
	write(t, filepath.Join(s.Dir, name), publicKey(t, key)+"\n")
}

func knownLine(hostPort, key string) string {
	host, port, _ := net.SplitHostPort(hostPort)
	return fmt.Sprintf("[%s]:%s %s\n", host, port, key)
}

func publicKey(t testing.TB, private string) string {
	t.Helper()
	text, err := os.ReadFile(private + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// WriteKey makes a new ed25519 key at path and path.pub, and returns path.
func WriteKey(t testing.TB, path string) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(pem.EncodeToMemory(block)))
	write(t, path+".pub", string(ssh.MarshalAuthorizedKey(key)))
	return path
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t testing.TB, address string) int {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func currentUser(t testing.TB) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}
