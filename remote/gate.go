package remote

import "context"

// A Gate bounds how many handshakes run at once: sshd begins to drop connections
// at ten that are not yet authenticated (MaxStartups).
type Gate struct{ slots chan struct{} }

var defaultGate = NewGate(handshakes)

// handshakes leaves room below sshd's ten: it takes a moment to see that one is done.
const handshakes = 8

// NewGate lets n handshakes run at once.
func NewGate(n int) *Gate { return &Gate{make(chan struct{}, max(n, 1))} }

// enter returns once there is room; leave makes room again.
func (g *Gate) enter(ctx context.Context) (leave func(), err error) {
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
