package etcd

import (
	"context"
	"encoding/json"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// Sight reads who holds the app, and takes nothing.
func (s *Store) Sight(ctx context.Context) (state.Sight, error) {
	saw, _, err := s.sight(ctx)
	return saw, err
}

// sight is all three keys as they stood at one moment, and the lock's own.
func (s *Store) sight(ctx context.Context) (saw state.Sight, lock *keyValue, err error) {
	var r txnResponse
	txn := txnRequest{Success: []op{get(s.key("lock")), get(s.key("freeze")), get(s.key("pause"))}}
	if err := s.client.ask(ctx, "look at the lock", "kv/txn", txn, &r); err != nil {
		return saw, nil, err
	}
	if lock = r.at(0); lock != nil {
		h := state.ReadHolder(string(lock.Value))
		saw.Holder = &h
	}
	if freeze := r.at(1); freeze != nil {
		saw.Freeze = state.ReadFreeze(string(freeze.Value))
	}
	saw.Pausing = r.at(2) != nil
	return saw, lock, nil
}

// Freeze keeps every rollout of the app away until Unfreeze. A freeze that is there already
// is kept and returned; nil says that f is the one.
func (s *Store) Freeze(ctx context.Context, f state.Freeze) (*state.Freeze, error) {
	word := unique()
	var r txnResponse
	txn := txnRequest{
		Compare: []compare{absent(s.key("freeze"))},
		Success: []op{put(s.key("freeze"), marked(object(f), word), "")}, Failure: []op{get(s.key("freeze"))},
	}
	if err := s.client.ask(ctx, "freeze", "kv/txn", txn, &r); err != nil {
		return nil, err
	}
	was := r.at(0)
	if r.Succeeded || was == nil || wordOf(was.Value) == word { // the answer to an earlier try was lost
		return nil, nil
	}
	return state.ReadFreeze(string(was.Value)), nil
}

// Unfreeze removes f, as Sight or Freeze returned it. A freeze that another wrote meanwhile
// stays, and is a *state.FrozenError; that none is there any more is no error.
func (s *Store) Unfreeze(ctx context.Context, f state.Freeze) error {
	var r txnResponse
	txn := txnRequest{
		Compare: []compare{holds(s.key("freeze"), f.Line())},
		Success: []op{{Delete: &deleteRequest{Key: s.key("freeze")}}}, Failure: []op{get(s.key("freeze"))},
	}
	if err := s.client.ask(ctx, "unfreeze", "kv/txn", txn, &r); err != nil {
		return err
	}
	if now := r.at(0); !r.Succeeded && now != nil {
		return &state.FrozenError{App: s.app, Balancer: Name, Freeze: *state.ReadFreeze(string(now.Value))}
	}
	return nil
}

// Pause asks the run that holds the lock to stop after the hosts in hand, which it learns
// with its next beat, and returns who it is; nil says that none does and that nobody was
// asked. What is asked ends with that run: it hangs on the same lease.
func (s *Store) Pause(ctx context.Context, who string, now time.Time) (*state.Holder, error) {
	saw, lock, err := s.sight(ctx)
	if err != nil || lock == nil {
		return nil, err
	}
	asked := object(struct {
		Who   string    `json:"who"`
		Since time.Time `json:"since"`
	}{who, now.UTC().Truncate(time.Second)})
	var r txnResponse
	txn := txnRequest{Compare: []compare{created(s.key("lock"), lock.Created)}, Success: []op{put(s.key("pause"), asked, lock.Lease)}}
	if err := s.client.ask(ctx, "pause", "kv/txn", txn, &r); err != nil || !r.Succeeded {
		return nil, err
	}
	return saw.Holder, nil
}

func object(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only a year beyond 9999 does that
	}
	return string(b)
}
