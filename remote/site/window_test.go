package site_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// TestAShipmentKeepsItsConnection: where few machines may be connected at once, none is
// connected to anew between two questions to another.
func TestAShipmentKeepsItsConnection(t *testing.T) {
	const hosts = 6
	s, w, y := remotetest.Start(t), remote.NewWindow(2), newYard(t)
	y.o.Hosts = hosts
	cargo := y.cargo(artifact(t, 4<<20))
	var dialled atomic.Int32
	var wg sync.WaitGroup
	for i := range hosts {
		dir := filepath.Join(t.TempDir(), fmt.Sprint(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		c := s.Config()
		c.Name, c.Window = fmt.Sprint("web", i+1), w
		c.Dial = func() (net.Conn, error) {
			dialled.Add(1)
			return net.Dial("tcp", s.HostPort())
		}
		at := site.New(site.Config{Path: dir, Entry: "shop"}, remotetest.Machine(t, c))
		wg.Go(func() {
			if done, err := at.Ship(t.Context(), "v1-abc", cargo, nil); err != nil || done.Sent == 0 {
				t.Errorf("%+v, %v", done, err)
			}
		})
	}
	wg.Wait()
	if n := dialled.Load(); n != hosts || w.Most() > 2 {
		t.Errorf("connected %d times, to %d at once", n, w.Most())
	}
}
