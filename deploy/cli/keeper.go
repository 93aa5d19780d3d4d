package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/health"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/deploy/state/etcd"
)

// A keeper keeps lock, journal, epoch and freeze of the app: each balancer's machine, or
// etcd for all of them.
type keeper interface {
	state.Locker
	state.Shelf
	state.Fenced
	notices
}

// notices are what people leave for a run, and what they see of it.
type notices interface {
	Sight(ctx context.Context) (state.Sight, error)
	Freeze(ctx context.Context, f state.Freeze) (*state.Freeze, error)
	Unfreeze(ctx context.Context, f state.Freeze) error
	Pause(ctx context.Context, who string, now time.Time) (*state.Holder, error)
}

// keepers are what keeps it, as far as the balancers are there.
func (s *session) keepers(there []*state.Store) []keeper {
	if s.etcd != nil {
		return []keeper{&beside{s.etcd, there}}
	}
	all := make([]keeper, len(there))
	for i, st := range there {
		all[i] = st
	}
	return all
}

// keeperNames are for people.
func (s *session) keeperNames() string {
	var names []string
	for _, k := range s.keepers(s.stores) {
		names = append(names, k.Name())
	}
	return strings.Join(names, ", ")
}

// beside is etcd for balancers that may say that state is kept elsewhere.
type beside struct {
	*etcd.Store
	there []*state.Store
}

// Sight is an error where the balancers say so: what etcd has is not what holds then.
func (b *beside) Sight(ctx context.Context) (state.Sight, error) {
	if err := b.governs(ctx, false); err != nil {
		return state.Sight{}, err
	}
	return b.Store.Sight(ctx)
}

// Freeze is for nothing while nobody looks for it in etcd.
func (b *beside) Freeze(ctx context.Context, f state.Freeze) (*state.Freeze, error) {
	if err := b.governs(ctx, true); err != nil {
		return nil, err
	}
	return b.Store.Freeze(ctx, f)
}

// governs is nil where the balancers say that state is kept in this etcd; with take they
// say so from then on where they said nothing.
func (b *beside) governs(ctx context.Context, take bool) error {
	if err := b.Prepare(ctx); err != nil {
		return err
	}
	return each(b.there, func(s *state.Store) error { return s.KeptIn(ctx, b.Line(), take) })
}

// kept is nil where the inventory says rightly where state is kept. Without a store the
// balancers' own scripts see to it.
func (s *session) kept(ctx context.Context) error {
	if s.etcd == nil {
		return nil
	}
	return (&beside{s.etcd, s.stores}).governs(ctx, true)
}

// fences are all that have an epoch, the store beside the balancers first.
func (s *session) fences() (all []state.Fenced) {
	if s.etcd != nil {
		all = append(all, s.etcd)
	}
	for _, st := range s.stores {
		all = append(all, st)
	}
	return all
}

// etcdOf is nil where the inventory names none.
func etcdOf(inv *inventory.Inventory) (*etcd.Store, error) {
	e := inv.State.Etcd
	if inv.State.Store == "" {
		return nil, nil
	}
	c := etcd.Config{Endpoints: e.Endpoints, Prefix: e.Prefix, User: e.User, Password: e.Password}
	var err error
	if c.TLS, err = storeTLS(e); err != nil {
		return nil, err
	}
	if e.PasswordFile != "" {
		if c.Password, err = firstLine(e.PasswordFile); err != nil {
			return nil, &deploy.Fault{Code_: "FD-STORE-AUTH", Err: fmt.Errorf("state.store_password_file: %w", err), Hint_: "write the password into its first line"}
		}
	}
	return etcd.New(inv.App.Name, c), nil
}

func storeTLS(e inventory.Etcd) (*tls.Config, error) {
	if !e.TLS {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	bad := func(key string, err error) error {
		return &deploy.Fault{Code_: "FD-STORE-TLS", Err: fmt.Errorf("state.%s: %w", key, err), Hint_: "give files of PEM that belong together"}
	}
	if e.CA != "" {
		pool, err := health.LoadCA(e.CA)
		if err != nil {
			return nil, bad("store_ca", err)
		}
		c.RootCAs = pool
	}
	if e.Cert != "" {
		cert, err := tls.LoadX509KeyPair(e.Cert, e.Key)
		if err != nil {
			return nil, bad("store_cert", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

func firstLine(file string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", reason(err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	if line = strings.TrimSuffix(line, "\r"); line == "" {
		return "", fmt.Errorf("%s: the first line is empty", file)
	}
	return line, nil
}
