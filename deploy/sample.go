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
	_, _ = x.census.Get(ctx, func(ctx context.Context) (struct{}, error) { x.ask(ctx); return struct{}{}, nil })
}

// ask asks every balancer once who serves; the fewest on any counts, where there are
// zones those that serve everywhere. What one that does not answer has is not known, and
// changes nothing; nor is how many serve while a balancer is about to take over an edit.
func (x *run) ask(ctx context.Context) {
	serving := map[string]bool{}
	low, whole := -1, true
	for _, b := range x.Balancers {
		seats, err := b.Seats(ctx)
		if err != nil && len(x.Plan.Zones) > 1 { // the others' zones go on
			whole = false
			continue
		} else if err != nil {
			return
		}
		n := 0
		for host, s := range seats {
			if s.Serving {
				n++
			}
			whole = whole && !s.Changing
			if s.State != StateAbsent {
				was, seen := serving[host]
				serving[host] = s.Serving && (was || !seen)
			}
		}
		if low < 0 || n < low {
			low = n
		}
	}
	if len(x.Plan.Zones) > 0 {
		low = trues(serving)
	}
	if !whole {
		low = -1
	}
	if x.sampled(serving, low) {
		x.emit(Event{Kind: KindLB, Detail: fmt.Sprintf("%d of %d hosts serve", low, len(x.Plan.Hosts)), Serving: &low})
	}
}

func trues(m map[string]bool) (n int) {
	for _, is := range m {
		if is {
			n++
		}
	}
	return n
}

// sampled tells whether another number serves than was told last; low is less than 0 where
// it is not known.
func (x *run) sampled(serving map[string]bool, low int) (changed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if low >= 0 {
		x.low = min(x.low, low)
	}
	for i := range x.hosts {
		if s, seen := serving[x.hosts[i].Name]; seen || low >= 0 {
			x.hosts[i].Serving = s
		}
	}
	if low >= 0 {
		changed, x.saw = x.saw != low, low
	}
	return changed
}
