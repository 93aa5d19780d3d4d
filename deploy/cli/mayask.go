package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/health"
)

// allowed is nil unless a machine that is to ask hosts for their health may not: it
// would be found out only after the first flip. Where hosts may be asked from themselves
// instead, that counts, too. Nobody is asked about hosts that we did not reach ourselves.
func (c *checker) allowed(ctx context.Context, unreached ...string) error {
	var asks []inquiry
	if c.check.Kind == health.Command && c.check.VersionPath == "" { // connections are not wanted
		return nil
	}
	for _, host := range sortedKeys(c.from) {
		if slices.Contains(unreached, host) {
			continue
		}
		for _, v := range c.from[host] {
			asks = append(asks, inquiry{host: host, from: v})
		}
	}
	refused := refusals(ctx, asks)
	if !c.auto {
		return c.forbiddenTo(asks, refused)
	}
	own := map[string]inquiry{}
	for _, q := range refused {
		own[q.host] = inquiry{host: q.host, from: c.own[q.host]}
	}
	themselves := refusals(ctx, slices.Collect(maps.Values(own)))
	refused = slices.DeleteFunc(refused, func(q inquiry) bool {
		return !slices.ContainsFunc(themselves, func(o inquiry) bool { return o.host == q.host })
	})
	return c.forbiddenTo(asks, append(refused, themselves...))
}

// An inquiry is after a host's health, from a machine.
type inquiry struct {
	host string
	from health.Vantage
	err  error // why it may not be made
}

// refusals are the inquiries that an sshd forbids. It says so at once: a host that does
// not answer, or not well, is told of elsewhere.
func refusals(ctx context.Context, asks []inquiry) []inquiry {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(32, len(asks)) { // not one for each of thousands
		wg.Go(func() {
			for i := range next {
				asks[i].err = asks[i].tried(ctx)
			}
		})
	}
	for i := range asks {
		next <- i
	}
	close(next)
	wg.Wait()
	return slices.DeleteFunc(slices.Clone(asks), func(q inquiry) bool { return !health.Forbidden(q.err) })
}

// tried is why the host cannot be connected to; nothing is asked of it.
func (q inquiry) tried(ctx context.Context) error {
	conn, err := q.from.Dialer.DialContext(ctx, "tcp", q.from.Addr)
	if err != nil {
		return err
	}
	_ = conn.Close() // nothing was asked
	return nil
}

// forbiddenTo has one error for each machine to which some of all inquiries are refused.
func (c *checker) forbiddenTo(all, refused []inquiry) error {
	count, by := map[string]int{}, map[string][]inquiry{}
	for _, q := range all {
		count[q.from.Name]++
	}
	for _, q := range refused {
		by[q.from.Name] = append(by[q.from.Name], q)
	}
	return each(sortedKeys(by), func(name string) error {
		var hosts []string
		if len(by[name]) < count[name] {
			for _, q := range by[name] {
				hosts = append(hosts, q.host)
			}
		}
		return c.forbidden(by[name][0].from, by[name][0].err, hosts...)
	})
}

// forbidden tells of a machine that may not ask these hosts, or any.
func (c *checker) forbidden(v health.Vantage, err error, hosts ...string) error {
	what, instead := "it may ask no host for its health", `; or health.via = "host" or "auto"`
	if len(hosts) > 0 {
		what = "it may not ask for the health of " + strings.Join(hosts, ", ")
	}
	if _, host := c.own[v.Name]; host {
		what, instead = "it may not ask itself for its health", `; or health.via = "lb"`
	}
	if c.auto { // it was tried
		instead = ""
	}
	return &deploy.Fault{Host: v.Name, Code_: "FD-SSH-FORWARD", Err: fmt.Errorf("%s: %w", what, err),
		Hint_: "in sshd_config on " + v.Name + ": AllowTcpForwarding local, without DisableForwarding, no PermitOpen that leaves hosts out, and no \"restrict\" before the key" + instead}
}
