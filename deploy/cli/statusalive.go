package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/health"
)

// A runner runs scripts on a machine.
type runner interface {
	Run(ctx context.Context, script string) ([]byte, error)
}

// alive are the machines that answer now, and why the first of the others does not. A way
// that was lost in the middle of a question looks like an answer that broke off.
func alive(ctx context.Context, from []health.Vantage) (there []health.Vantage, lost error) {
	ctx, cancel := context.WithTimeout(ctx, watchWait)
	defer cancel()
	errs := make([]error, len(from))
	_ = eachIndex(from, func(i int, v health.Vantage) error {
		if m, ok := v.Dialer.(runner); ok {
			_, errs[i] = m.Run(ctx, ":")
		}
		return nil
	})
	for i, v := range from {
		switch {
		case errs[i] == nil:
			there = append(there, v)
		case lost == nil:
			lost = fmt.Errorf("%s was lost meanwhile: %w", v.Name, errs[i])
		}
	}
	return there, lost
}

// probe asks the host for its health from machines that are there when the question is
// over, too: without one, nothing is known of it. A bad answer is asked for twice, since
// the way may have been lost and found meanwhile.
func (h *hostStatus) probe(ctx context.Context, c *checker, host string) error {
	var lost error
	from := c.from[host]
	for try := 0; len(from) > 0 && try < 3; try++ {
		bad := c.only(host, from).Probe(ctx, host)
		if bad == nil {
			h.Healthy, h.Asked = true, true
			return nil
		}
		there, gone := alive(ctx, from)
		switch {
		case gone != nil:
			from, lost = there, gone
		case try > 0:
			h.Asked = true
			return bad
		}
	}
	if lost == nil {
		return errors.New("nobody is there to ask it for its health")
	}
	return fmt.Errorf("its health is not known: %w", lost)
}

// only is the checker of one host that is asked from some machines.
func (c *checker) only(host string, from []health.Vantage) *checker {
	return &checker{check: c.check, own: c.own, auto: c.auto, warn: func(_, _, _ string) {}, from: map[string][]health.Vantage{host: from}}
}

// lostWay tells that an error is about the way to a machine.
func lostWay(err error) bool {
	return err != nil && strings.HasPrefix(deploy.CodeOf(err), "FD-SSH-")
}
