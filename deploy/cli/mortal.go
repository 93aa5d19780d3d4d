//go:build killpoints

package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// A binary built with -tags killpoints does something right before or right after one
// act: FLIPDEPLOY_AT=web2:flip:1:after FLIPDEPLOY_DO='kill -KILL $PID'. The act waits for
// it; FLIPDEPLOY_LATE=1: and is then sent though the run was ended meanwhile. With
// FLIPDEPLOY_ACTS=FILE it writes down every act, so that a kill matrix misses none.

var acts = struct {
	sync.Mutex
	n map[string]int
}{n: map[string]int{}}

// around carries an act out between two points.
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
	pass(point + ":before")
	err := act()
	pass(point + ":after")
	return err
}

func pass(point string) {
	if os.Getenv("FLIPDEPLOY_AT") != point {
		return
	}
	cmd := exec.Command("sh", "-c", os.Getenv("FLIPDEPLOY_DO"))
	cmd.Env = append(os.Environ(), "PID="+strconv.Itoa(os.Getpid()))
	if out, err := cmd.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("at %s: %v: %s", point, err, out))
	}
}

// late is a context that outlives the run.
func late(ctx context.Context) context.Context {
	if os.Getenv("FLIPDEPLOY_LATE") == "" {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

type mortal struct{ deploy.Host }

func mortalHost(h deploy.Host) deploy.Host { return mortal{h} }

func (m mortal) Flip(ctx context.Context, id string) error {
	return around(m.Name()+":flip", func() error { return m.Host.Flip(late(ctx), id) })
}
func (m mortal) Reload(ctx context.Context, id string) error {
	return around(m.Name()+":reload", func() error { return m.Host.Reload(late(ctx), id) })
}
func (m mortal) Settled(ctx context.Context, id string) error {
	return around(m.Name()+":verify", func() error { return m.Host.Settled(late(ctx), id) })
}
func (m mortal) Restore(ctx context.Context, id string) error {
	return around(m.Name()+":restore", func() error { return m.Host.Restore(late(ctx), id) })
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
	return around(m.at(host, "claim"), func() error { return m.Balancer.Claim(late(ctx), host, b) })
}
func (m *mortalLB) Drain(ctx context.Context, host string, b deploy.Budget) error {
	return around(m.at(host, "drain"), func() error { return m.Balancer.Drain(late(ctx), host, b) })
}
func (m *mortalLB) Ready(ctx context.Context, host string, say func(string)) error {
	return around(m.at(host, "ready"), func() error { return m.Balancer.Ready(late(ctx), host, say) })
}
func (m *mortalLB) Unclaim(ctx context.Context, host string) error {
	return around(m.at(host, "unclaim"), func() error { return m.Balancer.Unclaim(late(ctx), host) })
}

type mortalSwapper struct {
	mortalLB
	swapper deploy.Swapper
}

// Swap is the ready of who returns and the drain of who leaves.
func (m *mortalSwapper) Swap(ctx context.Context, back, out []string, b deploy.Budget) error {
	act := func() error { return m.swapper.Swap(late(ctx), back, out, b) }
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
