package remote_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

func code(err error) string {
	var c interface{ Code() string }
	if errors.As(err, &c) {
		return c.Code()
	}
	return fmt.Sprint(err)
}

func hint(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// refused connects, which must fail as said, before anything was started.
func refused(t *testing.T, c remote.Config, wantCode, wantText string) error {
	t.Helper()
	begin := time.Now()
	err := remotetest.Machine(t, c).Connect(t.Context())
	var not *remote.NotStartedError
	if !errors.As(err, &not) {
		t.Fatalf("got %T %v, want a NotStartedError", err, err)
	}
	if code(err) != wantCode {
		t.Errorf("code %s, want %s: %v", code(err), wantCode, err)
	}
	if want := fmt.Sprintf("connect to %s:%d: %s", c.Address, c.Port, wantText); err.Error() != want {
		t.Errorf("text\n%q, want\n%q", err, want)
	}
	if hint(err) == "" {
		t.Errorf("no hint with %v", err)
	}
	if d := time.Since(begin); d > 4*time.Second {
		t.Errorf("told after %s", d)
	}
	return err
}

func TestMachinesThatCannotBeReachedAreToldApart(t *testing.T) {
	free, _ := net.Listen("tcp", "127.0.0.1:0")
	port := free.Addr().(*net.TCPAddr).Port
	_ = free.Close()
	c := remotetest.Misbehave(t, remotetest.Manners{}).Config()
	c.Port = port
	refused(t, c, "FD-SSH-REFUSED", fmt.Sprintf("dial tcp 127.0.0.1:%d: connect: connection refused", port))

	for _, r := range []struct {
		manners    remotetest.Manners
		code, text string
		tries      int
	}{
		{remotetest.Manners{Silent: true}, "FD-SSH-TIMEOUT", "no answer in time", 1},
		{remotetest.Manners{Greeting: "SSH-2.0-hangs\r\n"}, "FD-SSH-TIMEOUT", "no answer in time", 1},
		{remotetest.Manners{Hangup: true}, "FD-SSH-RESET", "the connection was dropped before sshd greeted", 4},
		{remotetest.Manners{Hangup: true, Greeting: "Exceeded MaxStartups\r\n"}, "FD-SSH-RESET",
			"the connection was dropped before sshd greeted", 4},
		{remotetest.Manners{Hangup: true, Greeting: "Not allowed at this time\r\n"}, "FD-SSH-RESET",
			"sshd refuses this address for now: Not allowed at this time", 1},
		{remotetest.Manners{Hangup: true, Greeting: "HTTP/1.1 400 Bad Request\r\n\r\n"}, "FD-SSH-PROTOCOL",
			`no SSH server answers there; it said "HTTP/1.1 400 Bad Request"`, 1},
	} {
		rogue := remotetest.Misbehave(t, r.manners)
		refused(t, rogue.Config(), r.code, r.text)
		if n := rogue.Accepted(); n != r.tries {
			t.Errorf("%+v: tried %d times, want %d", r.manners, n, r.tries)
		}
	}
}

func TestDroppedConnectionsAreTriedAgain(t *testing.T) {
	r := remotetest.Misbehave(t, remotetest.Manners{Resets: 2})
	if _, err := remotetest.Machine(t, r.Config()).Run(t.Context(), "true"); err != nil {
		t.Fatal(err)
	}
	if r.Accepted() != 3 {
		t.Errorf("%d connections, want 3", r.Accepted())
	}
}

func TestConnectEndsWithItsContext(t *testing.T) {
	r := remotetest.Misbehave(t, remotetest.Manners{Silent: true})
	c := r.Config()
	c.ConnectTimeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := remotetest.Machine(t, c).Connect(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || code(err) != "FD-SSH-TIMEOUT" {
		t.Errorf("got %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	if err := remotetest.Machine(t, c).Connect(ctx); !errors.Is(err, context.Canceled) || code(err) != "FD-SSH-CANCELLED" {
		t.Errorf("got %v", err)
	}
}

func TestGateBoundsHandshakes(t *testing.T) {
	r := remotetest.Misbehave(t, remotetest.Manners{Silent: true})
	c := r.Config()
	c.Gate = remote.NewGate(2)
	c.ConnectTimeout = time.Second
	results := make(chan error)
	for range 5 {
		m := remotetest.Machine(t, c)
		go func() { results <- m.Connect(t.Context()) }()
	}
	time.Sleep(300 * time.Millisecond)
	if n := r.Accepted(); n != 2 {
		t.Errorf("%d handshakes at once, want 2", n)
	}
	for range 5 {
		<-results
	}
}

func fingerprint(t *testing.T, private string) string {
	t.Helper()
	text, err := os.ReadFile(private + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return key.Type() + " " + ssh.FingerprintSHA256(key)
}

func TestUnknownHostKeyIsRefused(t *testing.T) {
	s := remotetest.Start(t)
	c := s.Config()
	c.KnownHosts = []string{filepath.Join(s.Dir, "nothing")}
	offered := fingerprint(t, filepath.Join(s.Dir, "host_ed25519"))
	err := refused(t, c, "FD-HOSTKEY-UNKNOWN", "the host key "+offered+" is unknown: no line for it in "+c.KnownHosts[0])
	var key *remote.HostKeyError
	text, _ := os.ReadFile(s.KnownHosts)
	if !errors.As(err, &key) || key.Line()+"\n" != string(text) {
		t.Errorf("the line to add is not %q", text)
	}
}

func TestChangedHostKeyIsToldApart(t *testing.T) {
	s, other := remotetest.Start(t), remotetest.WriteKey(t, filepath.Join(t.TempDir(), "other"))
	public, _ := os.ReadFile(other + ".pub")
	line := fmt.Sprintf("# ours\n[127.0.0.1]:%d %s", s.Port, public)
	_ = os.WriteFile(s.KnownHosts, []byte(line), 0o600)
	refused(t, s.Config(), "FD-HOSTKEY-CHANGED", fmt.Sprintf("the host key has changed: it is %s, known is %s (%s:2)",
		fingerprint(t, filepath.Join(s.Dir, "host_ed25519")), fingerprint(t, other), s.KnownHosts))

	rsa := filepath.Join(t.TempDir(), "rsa")
	keygen(t, "-t", "rsa", "-b", "2048", "-f", rsa)
	public, _ = os.ReadFile(rsa + ".pub")
	_ = os.WriteFile(s.KnownHosts, fmt.Appendf(nil, "[127.0.0.1]:%d %s", s.Port, public), 0o600)
	refused(t, s.Config(), "FD-HOSTKEY-CHANGED", fmt.Sprintf("the host key has changed: it is %s, known is %s (%s:1)",
		fingerprint(t, filepath.Join(s.Dir, "host_ed25519")), fingerprint(t, rsa), s.KnownHosts))
}

func keygen(t *testing.T, args ...string) {
	t.Helper()
	path := remotetest.Need(t, "ssh-keygen")
	if out, err := exec.Command(path, append([]string{"-q", "-N", ""}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestTheKnownOneOfSeveralHostKeysIsAskedFor(t *testing.T) {
	dir := t.TempDir()
	rsa := filepath.Join(dir, "rsa")
	keygen(t, "-t", "rsa", "-b", "2048", "-f", rsa)
	s := remotetest.Start(t, "HostKey "+rsa)
	public, _ := os.ReadFile(rsa + ".pub")
	_ = os.WriteFile(s.KnownHosts, fmt.Appendf(nil, "[127.0.0.1]:%d %s", s.Port, public), 0o600)
	if err := s.Machine(t).Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestABrokenLineSpoilsNoOtherUnlessItForbids(t *testing.T) {
	s := remotetest.Start(t)
	good, _ := os.ReadFile(s.KnownHosts)
	broken := "web9 ssh-ed25519 AAAAbroken\n|1|zzz ssh-rsa x\nnonsense\n"
	_ = os.WriteFile(s.KnownHosts, append([]byte(broken), good...), 0o600)
	if err := s.Machine(t).Connect(t.Context()); err != nil {
		t.Errorf("a broken line: %v", err)
	}
	_ = os.WriteFile(s.KnownHosts, append([]byte(broken+"@revoked * ssh-ed25519 AAAAbroken\n"), good...), 0o600)
	refused(t, s.Config(), "FD-KNOWN-HOSTS", s.KnownHosts+":4: a line that begins with @ cannot be read")
	public, _ := os.ReadFile(filepath.Join(s.Dir, "host_ed25519.pub"))
	_ = os.WriteFile(s.KnownHosts, append(append(good, "@revoked * "...), public...), 0o600)
	refused(t, s.Config(), "FD-HOSTKEY-REVOKED", "the host key "+
		fingerprint(t, filepath.Join(s.Dir, "host_ed25519"))+" is revoked at "+s.KnownHosts+":2")
}

func TestRefusedKeysAreNamedAndNotTriedAgain(t *testing.T) {
	s := remotetest.Start(t)
	c := s.Config()
	c.IdentityFiles = nil
	var names []string
	for i := range 6 {
		key := remotetest.WriteKey(t, filepath.Join(t.TempDir(), fmt.Sprint("key", i)))
		c.IdentityFiles = append(c.IdentityFiles, key)
		names = append(names, key+" ("+fingerprint(t, key)+")")
	}
	err := refused(t, c, "FD-SSH-AUTH", "no key was accepted; offered: "+strings.Join(names[:5], ", ")+"; not offered: 1 more")
	if !strings.HasSuffix(hint(err), fmt.Sprintf("then try: ssh -p %d %s@127.0.0.1 true", s.Port, s.User)) {
		t.Errorf("hint %q", hint(err))
	}
	connections := func() int { return strings.Count(s.Log(), "Connection from") }
	for end := time.Now().Add(2 * time.Second); connections() < 2 && time.Now().Before(end); { // sshd writes when it likes
		time.Sleep(10 * time.Millisecond)
	}
	if n := connections(); n != 2 { // the first asked only whether sshd listens
		t.Errorf("%d connections, want 1", n-1)
	}
}

func TestEncryptedKeyNeedsItsPassphrase(t *testing.T) {
	s := remotetest.Start(t)
	key := filepath.Join(t.TempDir(), "locked")
	keygen(t, "-t", "ed25519", "-f", key)
	if out, err := exec.Command("ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", "secret", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	public, _ := os.ReadFile(key + ".pub")
	_ = os.WriteFile(filepath.Join(s.Dir, "authorized_keys"), public, 0o600)
	c := s.Config()
	c.IdentityFiles = []string{key}
	err := refused(t, c, "FD-SSH-KEY", "key "+key+": it is encrypted, FLIPDEPLOY_SSH_PASSPHRASE is not set and no agent holds it")
	if want := "set FLIPDEPLOY_SSH_PASSPHRASE, or add the key to an agent: ssh-add " + key; hint(err) != want {
		t.Errorf("hint %q, want %q", hint(err), want)
	}
	t.Setenv("FLIPDEPLOY_SSH_PASSPHRASE", "wrong")
	refused(t, c, "FD-SSH-KEY", "key "+key+": it is encrypted and FLIPDEPLOY_SSH_PASSPHRASE does not open it")
	t.Setenv("FLIPDEPLOY_SSH_PASSPHRASE", "secret")
	if err := remotetest.Machine(t, c).Connect(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestKeyMayComeAsText(t *testing.T) {
	s := remotetest.Start(t)
	c := s.Config()
	text, _ := os.ReadFile(c.IdentityFiles[0])
	c.IdentityFiles = []string{"/nowhere"}
	refused(t, c, "FD-SSH-KEY", "key /nowhere: no such file or directory")
	t.Setenv("FLIPDEPLOY_SSH_KEY", strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "\r\n"))
	if err := remotetest.Machine(t, c).Connect(t.Context()); err != nil {
		t.Error(err)
	}
	t.Setenv("FLIPDEPLOY_SSH_KEY", "not a key")
	refused(t, c, "FD-SSH-KEY", "key FLIPDEPLOY_SSH_KEY: ssh: no key found")
}

func TestOldAlgorithmsAreRefused(t *testing.T) {
	s := remotetest.Start(t, "KexAlgorithms diffie-hellman-group14-sha1")
	err := s.Machine(t).Connect(t.Context())
	if code(err) != "FD-SSH-ALGO" || !strings.Contains(err.Error(), "no common algorithm for key exchange") {
		t.Errorf("got %v", err)
	}
}
