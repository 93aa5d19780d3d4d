package remotetest

import (
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/flipdeploy/flipdeploy/remote"
)

// Manners are how a Rogue misbehaves. The zero value runs nothing and says so
// with exit status 0.
type Manners struct {
	Silent     bool   // accepts and never says a word
	Greeting   string // says this and then nothing, or ends if Hangup
	Hangup     bool   // ends the connection instead of greeting
	Resets     int    // ends the first so many connections before the greeting, then behaves
	NoSessions bool   // refuses every session
	NoExec     bool   // refuses to run anything
	NoAnswer   bool   // neither runs anything nor refuses to
	Deaf       bool   // closes the session in which it runs something, and has read nothing
	Endless    bool   // writes for ever
	NoStatus   bool   // closes the session and does not tell how the script ended
	Mute       bool   // answers no keep-alive once a session is open
	Early      string // says this in a session in which nothing was asked yet
	Cut        bool   // ends the connection right behind an exit status, and gives no output
	// Shell is called with the markers' line of the script and writes the answer;
	// nil: both markers around nothing.
	Shell func(begin, end string, out, err io.Writer)
}

// A Rogue is an SSH server in this process that does what real ones do rarely.
type Rogue struct {
	Addr       string
	KeyFile    string
	KnownHosts string

	manners  Manners
	config   *ssh.ServerConfig
	l        net.Listener
	mu       sync.Mutex
	accepted int
	conns    []net.Conn
	done     sync.WaitGroup
}

// Misbehave starts a Rogue until the test ends.
func Misbehave(t testing.TB, m Manners) *Rogue {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	r := &Rogue{Addr: l.Addr().String(), manners: m, l: l, config: &ssh.ServerConfig{NoClientAuth: true}}
	r.config.AddHostKey(signer)
	dir := t.TempDir()
	r.KeyFile = WriteKey(t, filepath.Join(dir, "id"))
	r.KnownHosts = filepath.Join(dir, "known_hosts")
	write(t, r.KnownHosts, knownLine(r.Addr, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))))
	r.done.Go(r.accept)
	t.Cleanup(r.stop)
	return r
}

// Config reaches the Rogue.
func (r *Rogue) Config() remote.Config {
	return remote.Config{
		Name: "web1", Address: "127.0.0.1", Port: r.l.Addr().(*net.TCPAddr).Port, User: "deploy",
		IdentityFiles: []string{r.KeyFile}, KnownHosts: []string{r.KnownHosts},
		ConnectTimeout: 500 * time.Millisecond, KeepAlive: 50 * time.Millisecond, KeepAliveMisses: 3,
	}
}

// Accepted is how many connections came.
func (r *Rogue) Accepted() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.accepted
}

func (r *Rogue) stop() {
	_ = r.l.Close()
	r.mu.Lock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.mu.Unlock()
	r.done.Wait()
}

func (r *Rogue) accept() {
	for {
		c, err := r.l.Accept()
		if err != nil {
			return
		}
		r.mu.Lock()
		r.accepted++
		n := r.accepted
		r.conns = append(r.conns, c)
		r.mu.Unlock()
		r.done.Go(func() { r.serve(c, n) })
	}
}

func (r *Rogue) serve(c net.Conn, n int) {
	m := r.manners
	_, _ = io.WriteString(c, m.Greeting)
	switch {
	case m.Hangup, n <= m.Resets:
		_ = c.Close()
		return
	case m.Silent, m.Greeting != "":
		_, _ = io.Copy(io.Discard, c)
		return
	}
	defer c.Close()
	_, chans, reqs, err := ssh.NewServerConn(c, r.config)
	if err != nil {
		return
	}
	mute := make(chan struct{})
	var once sync.Once
	r.done.Go(func() { answer(reqs, m.Mute, mute) })
	for ch := range chans {
		if m.NoSessions {
			_ = ch.Reject(ssh.ConnectionFailed, "open failed")
			continue
		}
		session, in, err := ch.Accept()
		if err != nil {
			return
		}
		once.Do(func() { close(mute) })
		_, _ = io.WriteString(session, m.Early)
		r.done.Go(func() { r.session(session, in, c) })
	}
}

// answer replies to keep-alives, until told to be mute.
func answer(reqs <-chan *ssh.Request, may bool, mute <-chan struct{}) {
	for q := range reqs {
		if may {
			select {
			case <-mute:
				continue
			default:
			}
		}
		if q.WantReply {
			_ = q.Reply(false, nil)
		}
	}
}

func (r *Rogue) session(ch ssh.Channel, reqs <-chan *ssh.Request, on io.Closer) {
	for q := range reqs {
		switch m := r.manners; {
		case q.Type != "exec" || m.NoExec:
			_ = q.Reply(false, nil)
			continue
		case m.NoAnswer:
			continue
		}
		_ = q.Reply(true, nil)
		if r.manners.Deaf {
			time.AfterFunc(200*time.Millisecond, func() { _ = ch.Close() })
			continue
		}
		r.done.Go(func() { r.shell(ch, on) })
	}
}

// shell reads the script's first line, which has the markers' names, and plays
// what a shell would answer.
func (r *Rogue) shell(ch ssh.Channel, on io.Closer) {
	script := readScript(ch)
	begin, end := field(script, "{ echo ", ";"), field(script, "s=$?; echo ", " ")
	switch m := r.manners; {
	case m.Mute:
		return
	case m.Cut:
		_, _ = ch.SendRequest("exit-status", false, make([]byte, 4)) // 0
		_ = on.Close()
		return
	case m.Endless:
		_, _ = io.WriteString(ch, begin+"\n")
		for {
			if _, err := ch.Write(make([]byte, 32<<10)); err != nil {
				return
			}
		}
	case m.Shell != nil:
		m.Shell(begin, end, ch, ch.Stderr())
	default:
		for _, w := range []io.Writer{ch, ch.Stderr()} {
			_, _ = io.WriteString(w, begin+"\n")
			if !m.NoStatus {
				_, _ = io.WriteString(w, end+" 0\n")
			}
		}
	}
	if !r.manners.NoStatus {
		_, _ = ch.SendRequest("exit-status", false, make([]byte, 4)) // 0
	}
	_ = ch.Close()
}

func readScript(ch io.Reader) string {
	var text strings.Builder
	buf := make([]byte, 4096)
	for !strings.HasSuffix(text.String(), "; }\n") {
		n, err := ch.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			break
		}
	}
	return text.String()
}

func field(script, after, before string) string {
	_, rest, _ := strings.Cut(script, after)
	name, _, _ := strings.Cut(rest, before)
	return name
}
