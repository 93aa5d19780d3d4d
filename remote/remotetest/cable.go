package remotetest

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// A Cable carries TCP connections to another address until it is cut.
type Cable struct {
	Addr string // where to connect to

	to     string
	l      net.Listener
	mu     sync.Mutex
	conns  []net.Conn
	frozen atomic.Pointer[chan struct{}] // not nil: nothing passes until it is closed
	sent   atomic.Int64                  // bytes towards the other end
	limit  atomic.Int64                  // cut once so many were sent; 0: never
	done   sync.WaitGroup
}

// Plug lays a cable to the address.
func Plug(t testing.TB, to string) *Cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cable{Addr: l.Addr().String(), to: to, l: l}
	c.done.Go(c.accept)
	t.Cleanup(func() { _ = l.Close(); c.Thaw(); c.Cut(); c.done.Wait() })
	return c
}

// Port is the port of Addr.
func (c *Cable) Port() int { return c.l.Addr().(*net.TCPAddr).Port }

// Cut resets every connection. New ones pass.
func (c *Cable) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = conn.Close()
	}
	c.conns = nil
}

// CutAfter cuts the cable when n more bytes went towards the other end.
func (c *Cable) CutAfter(n int64) { c.limit.Store(c.sent.Load() + n) }

// Freeze lets nothing pass any more, as when a router dies: nobody is told.
func (c *Cable) Freeze() {
	hold := make(chan struct{})
	c.frozen.CompareAndSwap(nil, &hold)
}

// Thaw ends a Freeze.
func (c *Cable) Thaw() {
	if hold := c.frozen.Swap(nil); hold != nil {
		close(*hold)
	}
}

func (c *Cable) accept() {
	for {
		near, err := c.l.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		c.mu.Lock()
		c.conns = append(c.conns, near, far)
		c.mu.Unlock()
		c.done.Go(func() { c.carry(far, near, &c.sent) })
		c.done.Go(func() { c.carry(near, far, new(atomic.Int64)) })
	}
}

func (c *Cable) carry(to, from net.Conn, count *atomic.Int64) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if hold := c.frozen.Load(); hold != nil {
			<-*hold
		}
		limit := c.limit.Load()
		if limit > 0 && count == &c.sent && count.Load()+int64(n) >= limit {
			_, _ = to.Write(buf[:max(0, limit-count.Load())]) // to the byte
			c.limit.Store(0)
			c.Cut()
			return
		}
		count.Add(int64(n))
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
