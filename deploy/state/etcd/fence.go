package etcd

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// Fence is the highest epoch that anyone took here, 0 when none was.
func (s *Store) Fence(ctx context.Context) (int64, error) {
	n, _, err := s.fence(ctx)
	return n, err
}

func (s *Store) fence(ctx context.Context) (epoch int64, revision string, err error) {
	var r rangeResponse
	if err := s.client.ask(ctx, "read the epoch", "kv/range", rangeRequest{Key: s.key("epoch")}, &r); err != nil {
		return 0, "", err
	}
	if len(r.KVs) == 0 {
		return 0, "0", nil
	}
	word := epochOf(string(r.KVs[0].Value))
	if epoch, err = strconv.ParseInt(word, 10, 64); err != nil || epoch < 0 {
		return 0, "", &Fault{Doing: "read the epoch", Why: fmt.Sprintf("it is %.40q, not a number", word), code: "FD-FENCE-UNREADABLE",
			hint: "look at it: etcdctl get " + string(s.key("epoch"))}
	}
	return epoch, r.KVs[0].Changed, nil
}

// epochOf is the number; behind it is the word of who raised it.
func epochOf(value string) string {
	epoch, _, _ := strings.Cut(value, " ")
	return epoch
}

// RaiseTo has the epoch stand at epoch, if it is below and the lock is ours. From then on no
// other run's journal is written.
func (s *Store) RaiseTo(ctx context.Context, epoch int64) error {
	g, err := s.holding("raise the epoch")
	if err != nil {
		return err
	}
	stands, revision, err := s.fence(ctx)
	if err != nil {
		return err
	}
	if stands >= epoch {
		return &state.FencedError{Balancer: Name, Ours: epoch, Fence: strconv.FormatInt(stands, 10)}
	}
	value := fmt.Sprintf("%d %s", epoch, unique())
	var r txnResponse
	txn := txnRequest{
		Compare: []compare{created(s.key("lock"), g.created), changed(s.key("epoch"), revision)},
		Success: []op{put(s.key("epoch"), value, "")}, Failure: []op{get(s.key("epoch"))},
	}
	if err := s.client.ask(ctx, "raise the epoch", "kv/txn", txn, &r); err != nil {
		return err
	}
	if now := r.at(0); !r.Succeeded && (now == nil || string(now.Value) != value) { // else the answer to an earlier try was lost
		return s.shutOut(ctx, epoch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch, s.raised, s.n = epoch, value, 0
	return nil
}

// holding is the lock, where we have it and believe so: etcd may believe for longer.
func (s *Store) holding(doing string) (*hold, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		return nil, &Fault{Doing: doing, Why: "the lock is not held", code: "FD-LOCK-LOST", hint: hintStatus}
	}
	if s.held.alive.Err() != nil {
		return nil, context.Cause(s.held.alive)
	}
	return s.held, nil
}

// shutOut is why something that is fenced was not done.
func (s *Store) shutOut(ctx context.Context, epoch int64) error {
	stands, err := s.Fence(ctx)
	switch {
	case err != nil:
		return err
	case stands != epoch:
		return &state.FencedError{Balancer: Name, Ours: epoch, Fence: strconv.FormatInt(stands, 10)}
	}
	return &state.LostError{Balancer: Name, Why: errGone.Error()}
}
