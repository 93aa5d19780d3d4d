// Package etcd keeps lock, epoch, journal, freeze and pause of an app in etcd instead of on
// the balancers, and satisfies what package state asks of such a place. What a script on a
// balancer has to see at the moment it acts (fence, turn, owner marks) stays there.
//
// It speaks etcd's own JSON over HTTP (/v3/…, from etcd 3.4 on), with nothing but net/http:
// the client library would be more than a third of the program (ARCHITECTURE.md). Every
// request may be sent again, to another member, without being known to have failed: a key is
// written with what only its writer knows, and only while the lock is ours.
package etcd

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy/state"
)

// Name is what the store is called where a balancer's name would stand.
const Name = "etcd"

// A Config says where etcd is and who asks.
type Config struct {
	Endpoints      []string // host:port
	Prefix         string   // of all keys, begins with /
	TLS            *tls.Config
	User, Password string        // "" without
	Wait           time.Duration // for an answer that counts, of whatever member; default 10 s
	Try            time.Duration // for one member's; default 2 s
}

// A Store is the state of one app.
type Store struct {
	app    string
	prefix string // of the app's keys
	conf   Config
	client *client

	mu     sync.Mutex
	held   *hold  // while we have the lock
	epoch  int64  // that we raised
	raised string // as it stands in the epoch's key
	n      int    // pieces of journals written with this epoch
	listed map[string]bool
	id     string // of the cluster
}

var (
	_ state.Locker = (*Store)(nil)
	_ state.Shelf  = (*Store)(nil)
	_ state.Fenced = (*Store)(nil)
)

// New is the state of app in etcd; nothing is asked yet.
func New(app string, c Config) *Store {
	if c.Wait == 0 {
		c.Wait = 10 * time.Second
	}
	if c.Try == 0 {
		c.Try = 2 * time.Second
	}
	return &Store{app: app, prefix: strings.TrimSuffix(c.Prefix, "/") + "/" + app + "/", conf: c, client: newClient(c), listed: map[string]bool{}}
}

// Name is "etcd".
func (s *Store) Name() string { return Name }

// Close ends the connections.
func (s *Store) Close() { s.client.http.CloseIdleConnections() }

func (s *Store) key(name string) []byte { return []byte(s.prefix + name) }

// Prepare returns nil once the cluster has answered as a whole, to us.
func (s *Store) Prepare(ctx context.Context) error {
	var r rangeResponse
	if err := s.client.ask(ctx, "reach it", "kv/range", rangeRequest{Key: s.key("epoch")}, &r); err != nil {
		return err
	}
	id, err := strconv.ParseUint(r.Header.ClusterID, 10, 64)
	if err != nil {
		return &Fault{Doing: "reach it", Why: "an answer without the cluster's id", code: "FD-STORE-ANSWER", hint: hintVersion}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id = strconv.FormatUint(id, 16)
	return nil
}

// Prepared is Prepare: nothing has to be made.
func (s *Store) Prepared(ctx context.Context) error { return s.Prepare(ctx) }

// Line says in one line which store this is: kind, cluster and prefix, then where it was
// found. Prepare has to have been called.
func (s *Store) Line() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%s %s %s %s", Name, s.id, s.conf.Prefix, strings.Join(s.conf.Endpoints, ","))
}

// unique is a word that nobody else writes.
func unique() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}
