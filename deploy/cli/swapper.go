package cli

import (
	"context"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/lb"
)

// A swapper is a balancer whose every change is a reload: hosts leave and return by
// waves.
type swapper struct {
	*balancer
	nginx *lb.Nginx
}

var _ deploy.Swapper = (*swapper)(nil)

// Swap needs the owner marks of all of them.
func (s *swapper) Swap(ctx context.Context, back, out []string, budget deploy.Budget) error {
	owned := state.OwnedAll{Rollout: s.rollout, Hosts: map[string][]state.Key{}}
	for _, hosts := range [][]string{back, out} {
		for _, h := range hosts {
			owned.Hosts[h] = s.keys[h]
		}
	}
	return s.nginx.Swap(ctx, s.store.Act(s.epoch, owned), back, out, budget.MinServing, floors(budget)...)
}

// engine is the balancer as the engine takes it, always the same one.
func (b *balancer) engine() deploy.Balancer {
	n, waves := b.driver.(*lb.Nginx)
	switch {
	case b.as != nil:
	case waves:
		b.as = mortalBalancer(&swapper{balancer: b, nginx: n})
	default:
		b.as = mortalBalancer(b)
	}
	return b.as
}
