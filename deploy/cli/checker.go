package cli

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/health"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// A checker asks hosts for their health from where the inventory says: every
// balancer's machine, or the host itself.
type checker struct {
	check health.Check
	from  map[string][]health.Vantage // by host
	own   map[string]health.Vantage   // the host asks itself
	auto  bool                        // fall back to the host where a balancer forbids it
	warn  func(host, code, text string)
	told  sync.Map // hosts of which warn was told
}

var _ deploy.Checker = (*checker)(nil)

func (c *checker) Healthy(ctx context.Context, host, revision string) error {
	if revision == site.Adopted {
		revision = "" // it was never told one
	}
	asked := c.left(ctx, c.from[host])
	err := c.check.Wait(ctx, asked, revision)
	if err != nil && ctx.Err() == nil { // was it the way from a balancer that was lost meanwhile?
		if now := c.left(ctx, asked); len(now) < len(asked) {
			err = c.check.Wait(ctx, now, revision)
		}
	}
	if !c.fallsBack(host, err) {
		return err
	}
	return c.check.Wait(ctx, []health.Vantage{c.own[host]}, revision)
}

// left are the machines to ask from that can be reached: one balancer of several
// that is lost says nothing about a host. All of them when none can.
func (c *checker) left(ctx context.Context, from []health.Vantage) []health.Vantage {
	if len(from) < 2 {
		return from
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	lost := make([]error, len(from))
	_ = eachIndex(from, func(i int, v health.Vantage) error {
		if m, ok := v.Dialer.(interface{ Connect(context.Context) error }); ok {
			lost[i] = m.Connect(ctx)
		}
		return nil
	})
	var left []health.Vantage
	for i, v := range from {
		if lost[i] == nil {
			left = append(left, v)
		} else if _, again := c.told.LoadOrStore("lost "+v.Name, true); !again {
			c.warn("", "FD-LB-LOST", v.Name+" cannot be reached: hosts are asked for their health from the others: "+lost[i].Error())
		}
	}
	if len(left) == 0 {
		return from
	}
	return left
}

func (c *checker) Probe(ctx context.Context, host string) error {
	for _, v := range c.left(ctx, c.from[host]) {
		err := c.check.Probe(ctx, v.Dialer, v.Addr)
		if c.fallsBack(host, err) {
			return c.check.Probe(ctx, c.own[host].Dialer, c.own[host].Addr)
		}
		if health.Forbidden(err) {
			return c.forbidden(v, err)
		}
		if err != nil {
			return &deploy.Fault{Code_: "FD-UNHEALTHY", Err: fmt.Errorf("from %s: %w", v.Name, err), Hint_: "read the app's log"}
		}
	}
	return nil
}

func (c *checker) fallsBack(host string, err error) bool {
	if !c.auto || !health.Forbidden(err) {
		return false
	}
	if _, again := c.told.LoadOrStore(host, true); again {
		return true
	}
	c.warn(host, "FD-HEALTH-VIA", "asked for its health from itself, not from the balancers: "+err.Error())
	return true
}

// needs is nil when what the health check runs on the host is there.
func (c *checker) needs(ctx context.Context, host string) error {
	at, ok := c.own[host].Dialer.(health.Place)
	if !ok || c.check.Kind != health.Command {
		return nil
	}
	return c.check.Needs(ctx, at)
}

// A ground is a host as its health command finds it.
type ground struct {
	*remote.Machine
	home string
}

func (g ground) Home() string { return g.home }

func checkOf(h inventory.Health) (health.Check, error) {
	c := health.Check{Kind: h.Kind, Scheme: h.Scheme, Path: h.Path, Host: h.Host,
		Status: health.Status{Codes: h.Status}, Body: h.Body, Command: h.Command, Rise: h.Rise, Interval: h.Interval,
		Timeout: h.Timeout, Deadline: h.Deadline, VersionPath: h.VersionPath}
	if h.CA == "" {
		return c, nil
	}
	pool, err := health.LoadCA(h.CA)
	c.CA = pool
	return c, err
}
