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

	ConnectTimeout  time.Duration // for each try, the handshake included; 10 s
	KeepAlive       time.Duration // 5 s
	KeepAliveMisses int           // silent intervals until the connection counts as lost; 3

	CallTimeout time.Duration // for the answer of a script; 1 min. See Patient

	MaxOutput int   // bytes of stdout and of stderr kept, half of the head, half of the tail; 128 KiB
	Gate      *Gate // bounds handshakes at once; default: one for the whole process
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
		c.Gate = defaultGate
	}
	if len(c.KnownHosts) == 0 {
		c.KnownHosts = []string{"~/.ssh/known_hosts"}
	}
	return c
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
// anew when the connection was lost, never within a call. It is safe for use by
// many goroutines.
type Machine struct {
	cfg     Config
	dialing chan struct{} // held by the one goroutine that connects

	mu     sync.Mutex
	live   *link
	closed bool
}

var errClosed = errors.New("the machine was closed")

// New returns the machine without any input or output.
func New(c Config) *Machine {
	return &Machine{cfg: c.withDefaults(), dialing: make(chan struct{}, 1)}
}

// Name is what people call the machine.
func (m *Machine) Name() string { return m.cfg.Name }

// Connect returns once there is a live, authenticated connection. Every error is
// a *NotStartedError.
func (m *Machine) Connect(ctx context.Context) error {
	_, err := m.connected(ctx)
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

// connected is the live connection, made when there is none.
func (m *Machine) connected(ctx context.Context) (*link, error) {
	if l, err := m.current(); l != nil || err != nil {
		return l, err
	}
	select {
	case m.dialing <- struct{}{}:
		defer func() { <-m.dialing }()
	case <-ctx.Done():
		return nil, m.notConnected(context.Cause(ctx))
	}
	if l, err := m.current(); l != nil || err != nil {
		return l, err
	}
	l, err := m.connect(ctx)
	if err != nil {
		return nil, err
	}
	return m.adopt(l)
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
