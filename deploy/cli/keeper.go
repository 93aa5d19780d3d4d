package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
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

// governs is nil where the balancers say that state is kept in this etcd; with take those
// say so from then on that said nothing. When none says so, and etcd has state of an app of
// that name all the same, it is another fleet's: test and production may share one etcd.
func (b *beside) governs(ctx context.Context, take bool) error {
	if err := b.Prepare(ctx); err != nil {
		return err
	}
	known := make([]bool, len(b.there))
	err := eachIndex(b.there, func(i int, s *state.Store) (err error) {
		known[i], err = s.KeptIn(ctx, b.Line(), false)
		return err
	})
	if err != nil || len(b.there) == 0 {
		return err
	}
	if !slices.Contains(known, true) {
		if epoch, err := b.Fence(ctx); err != nil || epoch > 0 {
			return errors.Join(err, b.others(epoch))
		}
	}
	return eachIndex(b.there, func(i int, s *state.Store) error {
		if known[i] || !take {
			return nil
		}
		_, err := s.KeptIn(ctx, b.Line(), true)
		return err
	})
}

const codeOthers = "FD-STORE-FLEET"

func (b *beside) others(epoch int64) error {
	if epoch == 0 {
		return nil
	}
	app := b.there[0].App()
	return &deploy.Fault{Code_: codeOthers, Err: fmt.Errorf("etcd has state of an app %s of which these balancers know nothing: %s", app, b.Line()),
		Hint_: `when it is another fleet's, give this one keys of its own: state.store = "etcd://…/PATH"; when these balancers were made anew: flipdeploy move etcd`}
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
