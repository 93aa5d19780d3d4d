package remote_test

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// A jam is a connection that takes nothing while it is held.
type jam struct {
	net.Conn
	hold *sync.Mutex
}

func (j jam) Write(b []byte) (int, error) {
	j.hold.Lock()
	defer j.hold.Unlock()
	return j.Conn.Write(b)
}

// A session that ends while another one sends has its end said behind all that: over a
// slow link, or to a busy machine, that takes its time, and costs nobody the connection.
func TestASessionThatEndsBehindAJamDoesNotEndTheOthers(t *testing.T) {
	sshd := remotetest.Start(t)
	c, hold, dials := sshd.Config(), new(sync.Mutex), 0
	c.Dial = func() (net.Conn, error) {
		dials++
		conn, err := net.Dial("tcp", sshd.HostPort())
		return jam{conn, hold}, err
	}
	m := remotetest.Machine(t, c)
	if err := m.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	both.Go(func() {
		if _, err := m.Run(t.Context(), "sleep 0.5"); err != nil {
			t.Error("the session that ends:", err)
		}
	})
	both.Go(func() {
		if _, err := m.Stream(t.Context(), "cat >/dev/null", bytes.NewReader(make([]byte, 40<<20))); err != nil {
			t.Error("the session that sends:", err)
		}
	})
	time.Sleep(200 * time.Millisecond)
	hold.Lock()
	time.Sleep(2 * time.Second)
	hold.Unlock()
	both.Wait()
	if dials != 1 {
		t.Errorf("connected %d times, want once", dials)
	}
}
