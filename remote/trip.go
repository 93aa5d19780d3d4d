package remote

import (
	"context"
	"net"
	"time"
)

// RoundTrip is how long the machine takes to answer, when nothing is asked of it. Every
// error is a *NotStartedError.
func (m *Machine) RoundTrip(ctx context.Context) (time.Duration, error) {
	release, err := m.Hold(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	l, err := m.connected(ctx)
	if err != nil {
		return 0, err
	}
	ctx, cancel := m.within(ctx)
	defer cancel()
	began, answered := time.Now(), make(chan error, 1)
	l.spawn(func() {
		_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
		answered <- err
	})
	select {
	case err = <-answered:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-l.dead:
		err = l.cause
	}
	if err != nil {
		return 0, l.notStarted("ask for an answer", err)
	}
	return time.Since(began), nil
}

// Sessions is how many more of the live connection can carry bytes side by side, as far as
// is known: none behind another machine or a command, where one channel has all of them.
func (m *Machine) Sessions() int {
	l, err := m.current()
	if l == nil || err != nil || m.cfg.Via != nil || m.cfg.Dial != nil {
		return 0
	}
	return l.slots.free() + len(l.idle)
}

// Answer is how long the live connection took for the quickest of its last three answers while it
// was made, when each message waits for the one before: a round trip, and what either side was
// busy with. 0: there is none.
func (m *Machine) Answer() time.Duration {
	l, err := m.current()
	if l == nil || err != nil {
		return 0
	}
	return l.answer
}

// Lag is the shortest round trip that this machine's kernel saw on the live connection,
// whatever either side was busy with; 0 where it does not tell. Behind a forwarder it is
// that of the way to the forwarder.
func (m *Machine) Lag() time.Duration {
	l, err := m.current()
	if l == nil || err != nil {
		return 0
	}
	tcp, ok := l.conn.Conn.(*net.TCPConn)
	if !ok {
		return 0
	}
	return leastTrip(tcp)
}
