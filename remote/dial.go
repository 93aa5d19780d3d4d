package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// DialContext returns a connection that the machine itself makes: to a "tcp"
// address, or to a "unix" socket there. It is closed when ctx ends. Deadlines
// work, which those of the SSH library do not.
func (m *Machine) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	kind, payload, err := dialRequest(network, addr)
	if err != nil {
		return nil, m.notDialled(addr, err)
	}
	release, err := m.Hold(ctx)
	if err != nil {
		return nil, err
	}
	l, err := m.warm(ctx)
	if err != nil {
		release()
		return nil, err
	}
	ch, err := l.dial(ctx, kind, payload)
	if err != nil {
		release()
		return nil, m.notDialled(addr, err)
	}
	return newTunnel(ctx, l, ch, network, addr, release), nil
}

// passage is the way to a machine behind this one, open until it is closed. Nothing is
// run here: many a bastion lets nobody do more than pass.
func (m *Machine) passage(ctx context.Context, addr string) (net.Conn, error) {
	kind, payload, err := dialRequest("tcp", addr)
	if err != nil {
		return nil, m.notDialled(addr, err)
	}
	l, err := m.connected(ctx)
	if err != nil {
		return nil, err
	}
	l.conn.eager.Store(true)
	ch, err := l.dial(ctx, kind, payload)
	if err != nil {
		return nil, m.notDialled(addr, err).through()
	}
	return newTunnel(context.WithoutCancel(ctx), l, ch, "tcp", addr, func() {}), nil
}

func (l *link) dial(ctx context.Context, kind string, payload []byte) (ssh.Channel, error) {
	ch, reqs, err := l.openChannel(ctx, kind, payload, func() {})
	if err == nil {
		l.spawn(func() { ssh.DiscardRequests(reqs) })
	}
	return ch, err
}

// warm is a connection that has seen a session: sshd switches Nagle off only
// then, and without that every small answer takes 40 ms.
func (m *Machine) warm(ctx context.Context) (*link, error) {
	l, err := m.connected(ctx)
	if err != nil || l.eager.Load() {
		return l, err
	}
	var unknown *UnknownError
	switch _, err := m.Run(ctx, ":"); {
	case errors.As(err, &unknown): // whether nothing was done does not matter
		return nil, l.notStarted("open a session", unknown.Err)
	case err != nil:
		return nil, err
	}
	return m.connected(ctx)
}

func dialRequest(network, addr string) (kind string, payload []byte, err error) {
	switch network {
	case "unix":
		return "direct-streamlocal@openssh.com", ssh.Marshal(struct {
			Path, Reserved string
			Port           uint32
		}{Path: addr}), nil
	case "tcp", "tcp4", "tcp6":
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			return "", nil, err
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return "", nil, err
		}
		return "direct-tcpip", ssh.Marshal(struct {
			Host     string
			Port     uint32
			From     string
			FromPort uint32
		}{host, uint32(n), "127.0.0.1", 0}), nil
	}
	return "", nil, net.UnknownNetworkError(network)
}

func (m *Machine) notDialled(addr string, err error) *NotStartedError {
	e := &NotStartedError{fault{Doing: "dial " + addr, Err: err, code: "FD-DIAL", machine: m.cfg.Name,
		hint: "nothing answers at " + addr + " when asked from " + m.cfg.Name}}
	if strings.HasPrefix(addr, "/") { // sshd says no word of why
		e.hint += ", or its sshd forwards no sockets (AllowStreamLocalForwarding)"
	}
	var refused *ssh.OpenChannelError
	if !errors.As(err, &refused) {
		return e
	}
	e.Err = fmt.Errorf("%s: %s", refused.Reason, Clean(refused.Message))
	if refused.Reason == ssh.Prohibited {
		e.code = "FD-SSH-FORWARD"
		e.hint = "in sshd_config on " + m.cfg.Name + ": AllowTcpForwarding local, without DisableForwarding, no PermitOpen that leaves out " + addr + ", and no \"restrict\" before the key"
	}
	return e
}

// through names the machine that lets nobody pass: the error will be told of the one
// behind it.
func (e *NotStartedError) through() *NotStartedError {
	e.Doing += " through " + e.machine
	return e
}

// A tunnel is one end of a net.Pipe, which knows deadlines; two goroutines carry
// between its other end and the channel.
type tunnel struct {
	net.Conn
	network, addr string
	stop          func() bool
}

func newTunnel(ctx context.Context, l *link, ch ssh.Channel, network, addr string, over func()) *tunnel {
	near, far := net.Pipe()
	l.spawn(func() { _, _ = io.Copy(far, ch); _ = far.Close() })
	l.spawn(func() { _, _ = io.Copy(ch, far); l.drop(ch); over() })
	l.spawn(func() { _, _ = io.Copy(io.Discard, ch.Stderr()) })
	return &tunnel{near, network, addr, context.AfterFunc(ctx, func() { _ = near.Close() })}
}

func (t *tunnel) Close() error {
	t.stop()
	return t.Conn.Close()
}

func (t *tunnel) LocalAddr() net.Addr  { return place{t.network, "via ssh"} }
func (t *tunnel) RemoteAddr() net.Addr { return place{t.network, t.addr} }

type place struct{ network, addr string }

func (p place) Network() string { return p.network }
func (p place) String() string  { return p.addr }
