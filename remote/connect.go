package remote

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// tries is how often a connection that sshd dropped before its greeting is tried:
// it does so when too many are not yet authenticated. Nothing else is tried
// again, least of all a refused key: that gets addresses banned.
const tries = 4

// connect returns a live connection or a *NotStartedError.
func (m *Machine) connect(ctx context.Context) (*link, error) {
	trust, err := readHostKeys(m.cfg.KnownHosts)
	if err != nil {
		return nil, m.notConnected(err)
	}
	if m.cfg.Via != nil { // before the gate: nobody waits in there for another machine
		if err := m.cfg.Via.Connect(ctx); err != nil {
			return nil, m.notConnected(err)
		}
	}
	l, err := m.connectInTurn(ctx, trust)
	if err != nil {
		return nil, m.notConnected(err)
	}
	return l, nil
}

// connectInTurn keeps its place in the gate while it pauses: where sshd drops
// connections, fewer are made.
func (m *Machine) connectInTurn(ctx context.Context, trust *hostKeys) (*link, error) {
	leave, err := m.cfg.Gate.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	for try := 1; ; try++ {
		l, err := m.connectOnce(ctx, trust)
		if !errors.Is(err, errDropped) || try == tries || !pause(ctx, try) {
			return l, err
		}
	}
}

// pause waits before the next try, about 250 ms, then twice as long each time; false
// when ctx ended.
func pause(ctx context.Context, try int) bool {
	d := 250 * time.Millisecond << (try - 1)
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (m *Machine) connectOnce(ctx context.Context, trust *hostKeys) (*link, error) {
	offer, err := m.cfg.keys(ctx)
	if err != nil {
		return nil, err
	}
	defer offer.agent.close()
	ctx, cancel := context.WithTimeoutCause(ctx, m.cfg.ConnectTimeout, errConnectTimeout)
	defer cancel()
	conn, err := m.reach(ctx)
	if err != nil {
		return nil, withCause(ctx, err)
	}
	return m.handshake(ctx, &wire{Conn: conn}, offer, trust)
}

// reach is a connection to where sshd listens, by TCP, through another machine or by
// a command. It outlives ctx.
func (m *Machine) reach(ctx context.Context) (net.Conn, error) {
	switch {
	case m.cfg.Dial != nil:
		return m.cfg.Dial()
	case m.cfg.Via != nil:
		return m.cfg.Via.passage(ctx, m.cfg.hostPort())
	}
	dialer := net.Dialer{KeepAlive: 15 * time.Second}
	return dialer.DialContext(ctx, "tcp", m.cfg.hostPort())
}

// handshake is bounded by closing the connection: the library has no deadline
// for it.
func (m *Machine) handshake(ctx context.Context, conn *wire, offer *offer, trust *hostKeys) (*link, error) {
	stop := context.AfterFunc(ctx, func() { offer.agent.close(); _ = conn.Close() })
	offer.agent.extend()
	c, chans, reqs, err := ssh.NewClientConn(conn, m.cfg.known(), m.clientConfig(offer, trust))
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, explainHandshake(ctx, err, conn.greeting(), offer)
	}
	return newLink(m.cfg.Name, ssh.NewClient(c, chans, reqs), conn, m.cfg), nil
}

// clientConfig allows only what the library calls secure; AES-GCM comes first in
// its order, the fastest on today's processors.
func (m *Machine) clientConfig(offer *offer, trust *hostKeys) *ssh.ClientConfig {
	known := ssh.SupportedAlgorithms()
	return &ssh.ClientConfig{
		Config:            ssh.Config{KeyExchanges: known.KeyExchanges, Ciphers: known.Ciphers, MACs: known.MACs},
		User:              m.cfg.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(offer.signers...)},
		HostKeyCallback:   trust.check,
		HostKeyAlgorithms: trust.algorithms(m.cfg.known()),
		ClientVersion:     "SSH-2.0-flipdeploy",
	}
}

// withCause prefers the reason why ctx ended over "i/o timeout".
func withCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
