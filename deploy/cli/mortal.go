//go:build killpoints

package cli

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// A binary built with -tags killpoints ends itself, as SIGKILL does, right before or
// right after one act: FLIPDEPLOY_KILL=web2:flip:1:after. With FLIPDEPLOY_ACTS=FILE it
// writes down every act instead, so that a kill matrix misses none.

var acts = struct {
	sync.Mutex
	n map[string]int
}{n: map[string]int{}}

// around carries an act out between the two points at which the process may end.
func around(name string, act func() error) error {
	acts.Lock()
	acts.n[name]++
	point := fmt.Sprintf("%s:%d", name, acts.n[name])
	if file := os.Getenv("FLIPDEPLOY_ACTS"); file != "" {
		f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			fmt.Fprintln(f, point)
			f.Close()
		}
	}
	acts.Unlock()
	dieAt(point + ":before")
	err := act()
	dieAt(point + ":after")
	return err
}

func dieAt(point string) {
	if os.Getenv("FLIPDEPLOY_KILL") == point {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until it arrives
	}
}

type mortal struct{ deploy.Host }

func mortalHost(h deploy.Host) deploy.Host { return mortal{h} }

func (m mortal) Flip(ctx context.Context, id string) error {
	return around(m.Name()+":flip", func() error { return m.Host.Flip(ctx, id) })
}
func (m mortal) Reload(ctx context.Context, id string) error {
	return around(m.Name()+":reload", func() error { return m.Host.Reload(ctx, id) })
}
func (m mortal) Settled(ctx context.Context, id string) error {
	return around(m.Name()+":verify", func() error { return m.Host.Settled(ctx, id) })
}
func (m mortal) Restore(ctx context.Context, id string) error {
	return around(m.Name()+":restore", func() error { return m.Host.Restore(ctx, id) })
}

type mortalLB struct{ deploy.Balancer }

func mortalBalancer(b deploy.Balancer) deploy.Balancer {
	if s, ok := b.(deploy.Swapper); ok {
		return &mortalSwapper{mortalLB{b}, s}
	}
	return &mortalLB{b}
}

func (m *mortalLB) at(host, act string) string { return host + ":" + act + "@" + m.Name() }

func (m *mortalLB) Claim(ctx context.Context, host string, b deploy.Budget) error {
	return around(m.at(host, "claim"), func() error { return m.Balancer.Claim(ctx, host, b) })
}
func (m *mortalLB) Drain(ctx context.Context, host string, b deploy.Budget) error {
	return around(m.at(host, "drain"), func() error { return m.Balancer.Drain(ctx, host, b) })
}
func (m *mortalLB) Ready(ctx context.Context, host string, say func(string)) error {
	return around(m.at(host, "ready"), func() error { return m.Balancer.Ready(ctx, host, say) })
}
func (m *mortalLB) Unclaim(ctx context.Context, host string) error {
	return around(m.at(host, "unclaim"), func() error { return m.Balancer.Unclaim(ctx, host) })
}

type mortalSwapper struct {
	mortalLB
	swapper deploy.Swapper
}

// Swap is the ready of who returns and the drain of who leaves.
func (m *mortalSwapper) Swap(ctx context.Context, back, out []string, b deploy.Budget) error {
	act := func() error { return m.swapper.Swap(ctx, back, out, b) }
	for _, h := range back {
		act = wrapped(m.at(h, "ready"), act)
	}
	for _, h := range out {
		act = wrapped(m.at(h, "drain"), act)
	}
	return act()
}

func wrapped(name string, act func() error) func() error {
	return func() error { return around(name, act) }
}
