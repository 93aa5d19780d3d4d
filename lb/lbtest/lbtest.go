// Package lbtest is what every balancer driver must pass, on a real balancer with
// real traffic on loopback.
package lbtest

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/lb"
)

// A Driver is a balancer driver as the suite sees it.
type Driver interface {
	Check(ctx context.Context) error
	Seats(ctx context.Context) (map[string]lb.Seat, error)
	Claim(ctx context.Context, act lb.Runner, host string, minServing int, also ...lb.Floor) error
	Drain(ctx context.Context, act lb.Runner, host string, minServing int, also ...lb.Floor) error
	Empty(ctx context.Context, act lb.Runner, host string, say func(string)) error
	Hold(ctx context.Context, act lb.Runner, host string) (again bool, err error)
	Ready(ctx context.Context, act lb.Runner, host string, say func(string)) error
	GiveBack(ctx context.Context, act lb.Runner, host string) error
	Counters(ctx context.Context, hosts []string) (map[string]lb.Counters, error)
}

// A Rig is a running balancer with its hosts: web1, web2, … all in rotation.
type Rig struct {
	Driver   Driver
	Act      lb.Runner // what changes things; no fence, no marks
	Addr     string    // where traffic goes in, host:port
	Backends map[string]*Backend
	Reload   func()            // the balancer's own reload, back before it returns
	TakeOut  func(host string) // by a person, behind the driver's back
	PutBack  func(host string)
	Remind   bool // a reload forgets who is out
	Counts   bool // it counts errors for each host, anew after a reload
	Reopen   bool // it reloads, and busy keep-alive clients have to open a new connection
}

// A Factory starts a balancer in front of n fresh backends and ends both with t.
type Factory func(t testing.TB, n int) *Rig

// A Case is one thing that must hold.
type Case struct {
	Name  string
	Hosts int
	Test  func(t *testing.T, r *Rig)
}

// Run runs all cases on what start starts.
func Run(t *testing.T, start Factory) {
	for _, c := range Cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Test(t, start(t, c.Hosts))
		})
	}
}

// Need ends the test where a program is missing: skipped, or failed where
// FLIPDEPLOY_NEED=1 says that this machine must have it.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("FLIPDEPLOY_NEED") == "1" {
			t.Fatalf("%s is not installed", p)
		}
		t.Skipf("%s is not installed", p)
	}
}

// Eventually waits until ok, at most five seconds.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// Within is a context of d for one step of a test.
func Within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
