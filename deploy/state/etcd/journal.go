package etcd

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// A journal is what its keys hold, one behind the other: journal/<rollout>/<epoch>-<number>.
// etcd takes no request above 1.5 MB, and a plan of thousands of hosts is larger: what is
// written is cut into pieces, and begins with an end of line, as the run before may have died
// between two of its own. rollouts/<rollout> lists them.
const (
	pieceSize  = 512 << 10
	pageKeys   = 64
	kept       = 100 // journals; older ones go when a new one begins
	readCount  = 40  // the newest of them
	journalMax = 32 << 20
)

// Write appends lines to the journal of a rollout, behind a check of epoch and lock. It goes
// on trying until ctx ends or the lock is not ours any more.
func (s *Store) Write(ctx context.Context, epoch int64, rollout string, lines []string) error {
	g, err := s.holding("journal")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer g.whenLost(cancel)()
	if err := s.list(ctx, g, epoch, rollout); err != nil {
		return err
	}
	text := "\n" + strings.Join(lines, "\n") + "\n"
	for len(text) > 0 {
		n := min(len(text), pieceSize)
		if err := s.write(ctx, g, epoch, put(s.piece(epoch, rollout), text[:n], "")); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// piece is a key that was never used: one whose writing nobody knows the end of may still
// appear.
func (s *Store) piece(epoch int64, rollout string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return s.key(fmt.Sprintf("journal/%s/%016d-%08d", rollout, epoch, s.n))
}

// write does ops while the lock is ours and nobody has raised the epoch since.
func (s *Store) write(ctx context.Context, g *hold, epoch int64, ops ...op) error {
	s.mu.Lock()
	raised := s.raised
	if s.epoch != epoch {
		raised = ""
	}
	s.mu.Unlock()
	txn := txnRequest{Compare: []compare{created(s.key("lock"), g.created), holds(s.key("epoch"), raised)}, Success: ops}
	for {
		var r txnResponse
		err := s.client.ask(ctx, "journal", "kv/txn", txn, &r)
		var f *Fault
		switch {
		case err == nil && r.Succeeded:
			return nil
		case err == nil:
			return s.shutOut(ctx, epoch)
		case ctx.Err() == nil && errors.As(err, &f) && (f.code == "FD-STORE-QUORUM" || f.code == "FD-STORE-UNREACHABLE"):
		default:
			return err
		}
	}
}

// list has the journal found, and the oldest ones go.
func (s *Store) list(ctx context.Context, g *hold, epoch int64, rollout string) error {
	s.mu.Lock()
	known := s.listed[rollout]
	s.mu.Unlock()
	if known {
		return nil
	}
	ops := []op{put(s.key("rollouts/"+rollout), strconv.FormatInt(epoch, 10), "")}
	all, err := s.rollouts(ctx, 0)
	if err != nil {
		return err
	}
	for _, old := range all[min(kept, len(all)):] { // etcd takes 128 ops at once
		if len(ops) < 100 && old != rollout {
			pieces := s.key("journal/" + old + "/")
			ops = append(ops, op{Delete: &deleteRequest{Key: s.key("rollouts/" + old)}}, op{Delete: &deleteRequest{Key: pieces, End: after(pieces)}})
		}
	}
	if err := s.write(ctx, g, epoch, ops...); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listed[rollout] = true
	return nil
}

// rollouts are the latest, by their names, the newest first; limit 0 is all.
func (s *Store) rollouts(ctx context.Context, limit int) (names []string, err error) {
	prefix := s.key("rollouts/")
	var r rangeResponse
	if err := s.client.ask(ctx, "read the journals", "kv/range", rangeRequest{Key: prefix, End: after(prefix), Order: "DESCEND", Limit: limit}, &r); err != nil {
		return nil, err
	}
	for _, kv := range r.KVs {
		names = append(names, strings.TrimPrefix(string(kv.Key), string(prefix)))
	}
	return names, nil
}

// Journals are the latest, the newest first by epoch.
func (s *Store) Journals(ctx context.Context) ([]state.Journal, error) {
	names, err := s.rollouts(ctx, readCount)
	if err != nil {
		return nil, err
	}
	var stream []byte
	for _, name := range names {
		stream = fmt.Appendf(stream, "\n{\"file\":\"%s.jsonl\"}\n", name)
		if stream, err = s.pieces(ctx, name, stream); err != nil {
			return nil, err
		}
		if len(stream) > journalMax {
			break
		}
	}
	return state.ReadJournals(stream), nil
}

// pieces reads one journal, page by page.
func (s *Store) pieces(ctx context.Context, rollout string, stream []byte) ([]byte, error) {
	prefix := s.key("journal/" + rollout + "/")
	for from := prefix; ; {
		var r rangeResponse
		if err := s.client.ask(ctx, "read the journals", "kv/range", rangeRequest{Key: from, End: after(prefix), Limit: pageKeys}, &r); err != nil {
			return nil, err
		}
		for _, kv := range r.KVs {
			stream = append(stream, kv.Value...)
			from = append(kv.Key, 0) // the next key that there can be
		}
		if !r.More || len(r.KVs) == 0 {
			return append(stream, '\n'), nil
		}
	}
}
