//go:build bench

package upload

import (
	"io"
	"net"
	"testing"
	"time"
)

// A delayed carries TCP connections to another address; each byte arrives later.
type delayed struct{ l net.Listener }

func delay(t *testing.T, to string, by time.Duration) *delayed {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			go late(far, near, by)
			go late(near, far, by)
		}
	}()
	return &delayed{l}
}

func (d *delayed) addr() string { return d.l.Addr().String() }
func (d *delayed) port() int    { return d.l.Addr().(*net.TCPAddr).Port }

// late copies; what waits is bounded as by a long link of 10 Gbit/s.
func late(to io.WriteCloser, from io.Reader, by time.Duration) {
	type piece struct {
		at   time.Time
		data []byte
	}
	waiting := make(chan piece, 4096)
	go func() {
		defer close(waiting)
		for {
			buf := make([]byte, 32<<10)
			n, err := from.Read(buf)
			waiting <- piece{time.Now().Add(by), buf[:n]}
			if err != nil {
				return
			}
		}
	}()
	defer to.Close()
	for p := range waiting {
		time.Sleep(time.Until(p.at))
		if _, err := to.Write(p.data); err != nil {
			for range waiting { // until the other side has gone, too
			}
			return
		}
	}
}
