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
const tries = 3

// connect returns a live connection or a *NotStartedError.
func (m *Machine) connect(ctx context.Context) (*link, error) {
	trust, err := loadHostKeys(m.cfg.KnownHosts)
	if err != nil {
		return nil, m.notConnected(err)
	}
	for try := 1; ; try++ {
		l, err := m.connectOnce(ctx, trust)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, errDropped) || try == tries || !pause(ctx, try) {
			return nil, m.notConnected(err)
		}
	}
}

// pause waits before the next try, about 250 ms and then 500 ms; false when ctx
// ended.
func pause(ctx context.Context, try int) bool {
	d := time.Duration(try) * 250 * time.Millisecond
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
	defer offer.close()
	leave, err := m.cfg.Gate.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, cancel := context.WithTimeoutCause(ctx, m.cfg.ConnectTimeout, errConnectTimeout)
	defer cancel()
	dialer := net.Dialer{KeepAlive: 15 * time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", m.cfg.hostPort())
	if err != nil {
		return nil, withCause(ctx, err)
	}
	return m.handshake(ctx, &wire{Conn: conn}, offer, trust)
}

// handshake is bounded by closing the connection: the library has no deadline
// for it.
func (m *Machine) handshake(ctx context.Context, conn *wire, offer *offer, trust *hostKeys) (*link, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	offer.agent.extend()
	addr := m.cfg.hostPort()
	c, chans, reqs, err := ssh.NewClientConn(conn, addr, m.clientConfig(offer, trust))
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
	addr := m.cfg.hostPort()
	return &ssh.ClientConfig{
		Config:            ssh.Config{KeyExchanges: known.KeyExchanges, Ciphers: known.Ciphers, MACs: known.MACs},
		User:              m.cfg.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(offer.signers...)},
		HostKeyCallback:   trust.check,
		HostKeyAlgorithms: trust.algorithms(addr),
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
