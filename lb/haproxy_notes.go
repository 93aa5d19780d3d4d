package lb

import (
	"context"
	"slices"
)

// Notes says what people should know of this HAProxy before a rollout: what keeps clients
// with a host that leaves, and what its reload takes who is out from.
func (h *HAProxy) Notes(ctx context.Context) ([]string, error) {
	s, err := h.look(ctx, "")
	if err != nil {
		return nil, err
	}
	var notes []string
	for _, host := range sorted(h.cfg.Hosts) {
		if len(s.of(host)) == 0 {
			continue
		}
		for _, v := range s.of(host) {
			if needed, why := maintNeeded([]*server{v}, s.pools, h.stickyTables(ctx, s.gen), false, true); needed {
				notes = append(notes, why+": a host that leaves has its clients until they pause, then it goes to maint")
			}
		}
	}
	slices.Sort(notes)
	return append(slices.Compact(notes), h.stateFile(ctx, s.gen)...), nil
}
