package state

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// A Book is the journal on several balancers, or in a store beside them. It satisfies
// deploy.Journal.
type Book struct {
	stores []Shelf
	epoch  int64

	mu     sync.Mutex
	behind map[Shelf][]entryLine // what a balancer that did not answer has missed
}

type entryLine struct{ rollout, line string }

// NewBook writes with epoch; a Book that only reads may have 0.
func NewBook[S Shelf](stores []S, epoch int64) *Book {
	b := &Book{epoch: epoch, behind: map[Shelf][]entryLine{}}
	for _, s := range stores {
		b.stores = append(b.stores, s)
	}
	return b
}

var _ deploy.Journal = (*Book)(nil)

// How long a balancer may take to write; one that is behind gets less, as the
// others wait for it.
const (
	writeWait  = 20 * time.Second
	behindWait = 3 * time.Second
)

// Append returns nil once the record is durable on every balancer that answers
// and on one at least. One that does not answer gets what it missed with a later
// record, in order: every journal stays a beginning of the longest. A balancer
// that is fenced makes it a *FencedError, whatever the others say.
func (b *Book) Append(ctx context.Context, r deploy.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := check("rollout", rolloutName, r.Rollout); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	line, err := encode(b.epoch, r)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return b.verdict(b.write(ctx, entryLine{r.Rollout, line}))
}

// write has every store written to at once; errs are in the order of stores.
func (b *Book) write(ctx context.Context, l entryLine) []error {
	errs := make([]error, len(b.stores))
	var wg sync.WaitGroup
	for i, s := range b.stores {
		wait := writeWait
		if len(b.behind[s]) > 0 {
			wait = behindWait
		}
		due := append(b.behind[s], l)
		b.behind[s] = due
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, wait)
			defer cancel()
			errs[i] = writeDue(ctx, s, b.epoch, due)
		})
	}
	wg.Wait()
	return errs
}

// writeDue writes what is due in one script for each rollout; mostly there is one.
func writeDue(ctx context.Context, s Shelf, epoch int64, due []entryLine) error {
	for len(due) > 0 {
		n, lines := 0, []string{}
		for n < len(due) && due[n].rollout == due[0].rollout {
			lines = append(lines, due[n].line)
			n++
		}
		if err := s.Write(ctx, epoch, due[0].rollout, lines); err != nil {
			return err
		}
		due = due[n:]
	}
	return nil
}

func (b *Book) verdict(errs []error) error {
	done := 0
	var fenced *FencedError
	for i, s := range b.stores {
		if errs[i] == nil {
			done++
			delete(b.behind, s)
		}
		errors.As(errs[i], &fenced)
	}
	switch {
	case fenced != nil:
		return fenced
	case done == 0 && len(b.stores) == 1:
		return errs[0]
	case done == 0:
		return fmt.Errorf("journal: no balancer took the record: %w", errors.Join(errs...))
	}
	return nil
}

// Behind names the balancers that have missed records.
func (b *Book) Behind() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var names []string
	for _, s := range b.stores {
		if len(b.behind[s]) > 0 {
			names = append(names, s.Name())
		}
	}
	return names
}

// Journals are those of every balancer that answers, merged, newest first; an
// error only when none does.
func (b *Book) Journals(ctx context.Context) ([]Journal, error) {
	lists, errs := make([][]Journal, len(b.stores)), make([]error, len(b.stores))
	var wg sync.WaitGroup
	for i, s := range b.stores {
		wg.Go(func() { lists[i], errs[i] = s.Journals(ctx) })
	}
	wg.Wait()
	for _, err := range errs {
		if err == nil {
			return Merge(lists...), nil
		}
	}
	return nil, errors.Join(errs...)
}

// Unfinished is the newest rollout that planned and did not end, nil when all did.
func (b *Book) Unfinished(ctx context.Context) (*Journal, error) {
	all, err := b.Journals(ctx)
	for i := range all {
		if all[i].Unfinished() {
			return &all[i], err
		}
	}
	return nil, err
}

// History tells the rollouts of the past, newest first.
func (b *Book) History(ctx context.Context) ([]Entry, error) {
	all, err := b.Journals(ctx)
	var entries []Entry
	for i := range all {
		if e, ok := all[i].entry(); ok {
			entries = append(entries, e)
		}
	}
	return entries, err
}
