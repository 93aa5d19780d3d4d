package etcd

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// The lock is a key that lives as long as its lease. The lease dies ttl after the last
// keep-alive that etcd took, whatever became of us; we believe in it for less, counted from
// when the last one that was answered was sent. A new leader gives every lease its full time
// again, so that a dead run's lock may stay for twice as long.
const (
	ttl    = 10 * time.Second
	margin = time.Second
)

// Take returns the lock, just got. A *state.HeldError or *state.FrozenError says who has it.
func (s *Store) Take(ctx context.Context, h state.Holder, t state.Terms) (state.Hold, error) {
	if err := s.free(ctx, t); err != nil {
		return nil, err
	}
	g := &hold{store: s, id: leaseID(), word: unique(), notes: make(chan state.Holder, 1), ttl: min(ttl, t.Silence), sent: time.Now()}
	g.alive, g.end = context.WithCancelCause(context.WithoutCancel(ctx))
	ask := leaseRequest{ID: g.id, TTL: strconv.Itoa(int(g.ttl / time.Second))}
	var f *Fault
	if err := s.client.ask(ctx, "lock", "lease/grant", ask, &struct{}{}); err != nil && !(errors.As(err, &f) && f.said != nil && f.said.Message == leaseThere) {
		g.HangUp()
		return nil, err
	}
	if err := g.take(ctx, h, t); err != nil {
		g.HangUp()
		g.revoke(ctx)
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = g
	return g, nil
}

// free looks before anything is written: who waits for the lock asks often.
func (s *Store) free(ctx context.Context, t state.Terms) error {
	saw, err := s.Sight(ctx)
	switch {
	case err != nil:
		return err
	case saw.Holder != nil:
		return &state.HeldError{App: s.app, Balancer: Name, Holder: *saw.Holder}
	case saw.Freeze != nil && !t.OverrideFreeze:
		return &state.FrozenError{App: s.app, Balancer: Name, Freeze: *saw.Freeze}
	}
	return nil
}

// take puts the key where nobody has it and the app is not frozen. An answer that was lost
// is told by the word that only we have.
func (g *hold) take(ctx context.Context, h state.Holder, t state.Terms) error {
	s := g.store
	if_ := []compare{absent(s.key("lock"))}
	if !t.OverrideFreeze {
		if_ = append(if_, absent(s.key("freeze")))
	}
	look := []op{get(s.key("lock")), get(s.key("freeze"))}
	var r txnResponse
	txn := txnRequest{Compare: if_, Success: append([]op{put(s.key("lock"), g.line(h), g.id)}, look...), Failure: look}
	if err := s.client.ask(ctx, "lock", "kv/txn", txn, &r); err != nil {
		return err
	}
	lock, freeze := r.at(0), r.at(1)
	if r.Succeeded {
		lock, freeze = r.at(1), nil
	}
	switch {
	case lock != nil && g.ours(lock):
		g.created, g.holder = lock.Created, h
		return nil
	case lock != nil:
		return &state.HeldError{App: s.app, Balancer: Name, Holder: state.ReadHolder(string(lock.Value))}
	case freeze != nil:
		return &state.FrozenError{App: s.app, Balancer: Name, Freeze: *state.ReadFreeze(string(freeze.Value))}
	}
	return &Fault{Doing: "lock", Why: "the key was gone as soon as it was written", code: "FD-STORE-ANSWER", hint: hintStatus}
}

// line is the holder, and the word that makes it ours.
func (g *hold) line(h state.Holder) string { return marked(h.Line(), g.word) }

func (g *hold) ours(kv *keyValue) bool { return wordOf(kv.Value) == g.word }

// marked puts a word into an object of JSON; wordOf finds it.
func marked(object, word string) string {
	return object[:len(object)-1] + `,"id":"` + word + `"}`
}

func wordOf(value []byte) string {
	var v struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(value, &v) != nil {
		return ""
	}
	return v.ID
}

// leaseThere is what etcd says to a grant that it has got already.
const leaseThere = "etcdserver: lease already exists"

// leaseID is our choice, so that a grant may be asked for twice.
func leaseID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return strconv.FormatInt(int64(binary.BigEndian.Uint64(b[:])>>1)|1, 10)
}
