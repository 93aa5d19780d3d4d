package deploy

import (
	"context"
	"fmt"
)

// sample reads from the balancers who serves, for the planner and the result.
func (x *run) sample(ctx context.Context) {
	for tick(ctx, x.Timing.Sample) {
		x.count(ctx)
	}
}

// count has every balancer asked who serves, once for all who want to know now.
func (x *run) count(ctx context.Context) {
	_, _ = x.census.get(ctx, func(ctx context.Context) (struct{}, error) { x.ask(ctx); return struct{}{}, nil })
}

// ask asks every balancer once who serves; the fewest on any counts. What one
// that does not answer has is not known, and changes nothing.
func (x *run) ask(ctx context.Context) {
	serving := map[string]bool{}
	low := -1
	for _, b := range x.Balancers {
		seats, err := b.Seats(ctx)
		if err != nil {
			return
		}
		n := 0
		for host, s := range seats {
			if s.Serving {
				n++
			}
			if s.State != StateAbsent {
				was, seen := serving[host]
				serving[host] = s.Serving && (was || !seen)
			}
		}
		if low < 0 || n < low {
			low = n
		}
	}
	if low >= 0 && x.sampled(serving, low) {
		x.emit(Event{Kind: KindLB, Detail: fmt.Sprintf("%d of %d hosts serve", low, len(x.Plan.Hosts)), Serving: &low})
	}
}

// sampled tells whether another number serves than was told last.
func (x *run) sampled(serving map[string]bool, low int) (changed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.low = min(x.low, low)
	for i := range x.hosts {
		x.hosts[i].Serving = serving[x.hosts[i].Name]
	}
	changed, x.saw = x.saw != low, low
	return changed
}
