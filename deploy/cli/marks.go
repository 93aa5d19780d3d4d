package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// stray are those of the marks that take a place in a pool of the app, and are of no
// backend that the inventory knows: of a host that has left it, or has another address.
func (b *balancer) stray(marks []state.Mark) (left []state.Mark) {
	pools, known := map[string]bool{}, map[state.Key]bool{}
	for _, keys := range b.keys {
		for _, k := range keys {
			pools[k.Upstream], known[k] = true, true
		}
	}
	for _, m := range marks {
		if m.App == b.store.App() && pools[m.Upstream] && !known[m.Key] {
			left = append(left, m)
		}
	}
	return left
}

// strays are such marks as Seats saw them last.
func (b *balancer) strays() []state.Mark {
	if seen := b.seen.Load(); seen != nil {
		return *seen
	}
	return nil
}

// lift removes the stray marks of a host, and returns how many there were.
func (b *balancer) lift(ctx context.Context, host string) (int, error) {
	own := state.Claim{Rollout: b.rollout, Host: host, Parallel: 1, Before: string(deploy.StateReady), Who: b.who}
	for _, m := range b.strays() {
		if m.Host == host {
			own.Keys, own.Takes = append(own.Keys, m.Key), append(own.Takes, m.Rollout)
		}
	}
	if len(own.Keys) == 0 {
		return 0, nil
	}
	if _, err := b.store.Act(b.epoch, own).Run(ctx, ":"); err != nil {
		return 0, err
	}
	_, err := b.store.Act(b.epoch, state.Drop{Rollout: b.rollout, Host: host, Keys: own.Keys}).Run(ctx, ":")
	return len(own.Keys), err
}

// sayStrays tells of every such mark where it is and how it goes: it would take a place
// for ever.
func (s *session) sayStrays() {
	for _, b := range s.lbs {
		for _, m := range b.strays() {
			s.emit(deploy.Event{Kind: deploy.KindWarning, Host: m.Host, LB: b.name, Code: "FD-MARK-LEFT",
				Detail: fmt.Sprintf("owner mark of %s on %s %s, since %s, of no backend in the inventory", m.Rollout, m.Upstream, m.Address, m.When),
				Hint:   liftHint(b.name, m.Host)})
		}
	}
}

func liftHint(lb, host string) string {
	return fmt.Sprintf("see that %s sends %s no requests that it cannot serve, then remove the mark with \"flipdeploy ready --force %s\"", lb, host, host)
}

// unlisted refuses hosts that are not in the inventory. To force one ready is to remove
// the marks that it left; whether there are any is known only later.
func (o handOptions) unlisted(inv *inventory.Inventory) error {
	for _, h := range o.hosts {
		if !slices.Contains(hostNames(inv), h) && !(o.ready && o.force) {
			return usage("no host %q in the inventory; there are %s", h, strings.Join(hostNames(inv), ", "))
		}
	}
	return nil
}

// liftMarks removes what a host left that the inventory does not have, or has elsewhere.
func (s *session) liftMarks(ctx context.Context, host string) (lifted bool, err error) {
	for _, b := range s.lbs {
		n, err := b.lift(ctx, host)
		if err != nil {
			return lifted, named(b.name, err)
		}
		if n > 0 {
			lifted = true
			s.emit(deploy.Event{Kind: deploy.KindHost, Host: host, LB: b.name, Phase: deploy.LeftOut,
				Detail: fmt.Sprintf("its owner mark on %s is removed; nothing was set there", b.name)})
		}
	}
	if !lifted && s.hosts[host] == nil {
		return false, usage("no host %q in the inventory, and no owner mark of it; there are %s", host, strings.Join(hostNames(s.inv), ", "))
	}
	return lifted, nil
}
