package cli

import (
	"context"
	"sync"
)

// A noted is something to know of a balancer before a rollout.
type noted struct {
	LB   string `json:"lb"`
	Text string `json:"text"`
}

// notes are what balancers say of themselves, in the inventory's order: what a reload
// of theirs can cost, and settings that matter while a host is out.
func (s *session) notes(ctx context.Context) ([]noted, error) {
	var mu sync.Mutex
	said := map[string][]string{}
	err := each(s.lbs, func(b *balancer) error {
		texts, err := b.notes(ctx)
		mu.Lock()
		defer mu.Unlock()
		said[b.name] = texts
		return named(b.name, err)
	})
	all := []noted{}
	for _, b := range s.lbs {
		for _, text := range said[b.name] {
			all = append(all, noted{b.name, text})
		}
	}
	return all, err
}

// notes are what this balancer says of itself.
func (b *balancer) notes(ctx context.Context) ([]string, error) {
	d, ok := b.driver.(interface {
		Notes(ctx context.Context) ([]string, error)
	})
	if !ok {
		return nil, nil
	}
	return d.Notes(ctx)
}
