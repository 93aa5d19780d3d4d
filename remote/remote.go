// Package remote runs scripts on one machine over one SSH connection. A call
// ends in one of three ways, told apart by type: the script exited, it never
// started, or nobody knows.
package remote

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"
)

// Config is how a machine is reached. Zero values mean the usual ones.
type Config struct {
	Name    string // for people; default: Address
	Address string
	Port    int    // 22
	User    string // who we are here

	// IdentityFiles are the keys to offer; none: the agent's, else the usual files.
	// FLIPDEPLOY_SSH_KEY, a key as text, replaces them all.
	IdentityFiles []string
	KnownHosts    []string // ~/.ssh/known_hosts
	HostKeyAlias  string   // the name by which KnownHosts has it; default: Address and Port

	// LikeSSH offers keys as ssh does with a configuration: IdentityFiles that are
	// missing are no error, and the agent's other keys follow unless IdentitiesOnly.
	LikeSSH          bool
	UsualFiles       bool // IdentityFiles are only those that ssh always tries: the agent goes first
	IdentitiesOnly   bool
	CertificateFiles []string // beside those that lie by their keys
	Agent            string   // its socket; "": SSH_AUTH_SOCK, "none": none

	// Passphrase asks a person for that of a key; nil: nobody can be asked.
	Passphrase func(ctx context.Context, key string) (string, error)

	// Via is the machine that the connection goes through, nil for none. Many machines
	// may share one: theirs are channels in its one connection. It is not ours to close.
	Via *Machine
	// Dial makes the connection to sshd in place of TCP: a ProxyCommand.
	Dial func() (net.Conn, error)

	ConnectTimeout  time.Duration // for each try, the handshake included; 10 s
	KeepAlive       time.Duration // 5 s
	KeepAliveMisses int           // silent intervals until the connection counts as lost; 3

	CallTimeout time.Duration // for the answer of a script, or for a byte to move; 1 min. See Patient

	MaxOutput int   // bytes of stdout and of stderr kept, half of the head, half of the tail; 128 KiB
	Gate      *Gate // bounds handshakes at once; default: one for the whole process
	// Window bounds connections at once; nil: the machine keeps its own for as long as it is
	// open. Not for machines that others are reached through.
	Window *Window
}

func (c Config) withDefaults() Config {
	c.Port = or(c.Port, 22)
	c.Name = or(c.Name, c.Address)
	c.User = or(c.User, localUser())
	c.ConnectTimeout = or(c.ConnectTimeout, 10*time.Second)
	c.KeepAlive = or(c.KeepAlive, 5*time.Second)
	c.KeepAliveMisses = or(c.KeepAliveMisses, 3)
	c.CallTimeout = or(c.CallTimeout, time.Minute)
	c.MaxOutput = or(c.MaxOutput, 128<<10)
	if c.Gate == nil {
		c.Gate = c.gate()
	}
	if len(c.KnownHosts) == 0 {
		c.KnownHosts = []string{"~/.ssh/known_hosts"}
	}
	return c
}

// gate: handshakes through a machine have a gate of their own, so that they never
// wait for one that waits for that machine.
func (c Config) gate() *Gate {
	if c.Via != nil {
		return c.Via.inner
	}
	return defaultGate
}

// known is the address under which the known_hosts files have the machine.
func (c Config) known() string {
	if c.HostKeyAlias != "" {
		return net.JoinHostPort(c.HostKeyAlias, "22")
	}
	return c.hostPort()
}

func (c Config) hostPort() string { return net.JoinHostPort(c.Address, strconv.Itoa(c.Port)) }

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// A Machine is one machine reached over SSH. It connects when first needed, and
// anew when the connection was lost or had to make room in a Window, never within a call. It is safe for use by
// many goroutines.
type Machine struct {
	cfg     Config
	inner   *Gate         // of handshakes with machines behind this one
	dialing chan struct{} // held by the one goroutine that connects

	mu     sync.Mutex
	live   *link
	closed bool
	tried  int   // tries to connect that failed, and
	failed error // the last one's error
}

var errClosed = errors.New("the machine was closed")

// New returns the machine without any input or output.
func New(c Config) *Machine {
	return &Machine{cfg: c.withDefaults(), inner: NewGate(handshakes), dialing: make(chan struct{}, 1)}
}

// Name is what people call the machine.
func (m *Machine) Name() string { return m.cfg.Name }

// Via is the machine that the connection goes through, nil for none.
func (m *Machine) Via() *Machine { return m.cfg.Via }

// Login is user@address:port.
func (m *Machine) Login() string { return m.cfg.User + "@" + m.cfg.hostPort() }

// Connect returns once there is a live, authenticated connection. Every error is
// a *NotStartedError.
func (m *Machine) Connect(ctx context.Context) error {
	release, err := m.Hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	_, err = m.connected(ctx)
	return err
}

// Close ends the connection and with it every call still pending. It returns
// once nothing of the machine runs any more; later calls are refused.
func (m *Machine) Close() error {
	m.mu.Lock()
	live := m.live
	m.live, m.closed = nil, true
	m.mu.Unlock()
	if live != nil {
		live.fail(errClosed)
		live.wait()
	}
	return nil
}

// connected is the live connection, made when there is none. Whoever waits for a try
// that fails shares its error: a refused key is not offered once for each, and a dead
// bastion not waited for once a host.
func (m *Machine) connected(ctx context.Context) (*link, error) {
	if l, err := m.current(); l != nil || err != nil {
		return l, err
	}
	before, _ := m.failure()
	select {
	case m.dialing <- struct{}{}:
		defer func() { <-m.dialing }()
	case <-ctx.Done():
		return nil, m.notConnected(context.Cause(ctx))
	}
	if l, err := m.current(); l != nil || err != nil {
		return l, err
	}
	if now, err := m.failure(); now != before {
		return nil, err
	}
	l, err := m.connect(ctx)
	if err != nil {
		if ctx.Err() == nil {
			m.fail(err)
		}
		return nil, err
	}
	return m.adopt(l)
}

func (m *Machine) failure() (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tried, m.failed
}

func (m *Machine) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tried++
	m.failed = err
}

func (m *Machine) current() (*link, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, m.notConnected(errClosed)
	}
	if m.live != nil && m.live.lost() {
		m.live = nil
	}
	return m.live, nil
}

func (m *Machine) adopt(l *link) (*link, error) {
	m.mu.Lock()
	if !m.closed {
		m.live = l
		m.mu.Unlock()
		return l, nil
	}
	m.mu.Unlock()
	l.fail(errClosed)
	l.wait()
	return nil, m.notConnected(errClosed)
}
