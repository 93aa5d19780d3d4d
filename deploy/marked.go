package deploy

import (
	"context"
	"maps"
	"time"
)

// A mark takes a slot, also one that should be gone: marks that a balancer did not
// remove from hosts in rotation are remembered, and removed before the next claim.
type leftMarks struct {
	turn  chan struct{} // one at a time; no mutex, as balancers are asked meanwhile
	hosts map[string]bool
}

func newLeftMarks() leftMarks {
	return leftMarks{make(chan struct{}, 1), map[string]bool{}}
}

// mine waits for the turn, which ends with the returned function.
func (m leftMarks) mine() (done func()) {
	m.turn <- struct{}{}
	return func() { <-m.turn }
}

// unmark removes our marks from a host that is in rotation, at the latest before
// another is claimed.
func (l *life) unmark(ctx context.Context) error {
	err := l.unclaim(ctx)
	if err != nil {
		defer l.run.marked.mine()()
		l.run.marked.hosts[l.host.Name()] = true
	}
	return err
}

// sweep removes the marks that were left, but for those of a host that is to be
// claimed again. What a balancer does not take yet is left for the next claim.
func (x *run) sweep(ctx context.Context, claims string) {
	defer x.marked.mine()()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	delete(x.marked.hosts, claims)
	maps.DeleteFunc(x.marked.hosts, func(host string, _ bool) bool {
		return everywhere(x.Carries[host], func(b Balancer) error { return b.Unclaim(ctx, host) }) == nil
	})
}
