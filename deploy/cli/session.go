package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/deploy/state/etcd"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
	"github.com/flipdeploy/flipdeploy/remote"
	"github.com/flipdeploy/flipdeploy/remote/site"
)

// A session is one command at work on one fleet: its machines, and the lock once
// it is held.
type session struct {
	inv       *inventory.Inventory
	screen    *ui.UI
	getenv    func(string) string
	rollout   string
	edges     []*remote.Machine // the balancers' machines
	webs      []*remote.Machine // the hosts'
	net       *network
	entry     string  // program inside a release
	unreached []error // why each of webs could not be reached, nil where it was
	hosts     map[string]*host
	lbs       []*balancer
	stores    []*state.Store // of the balancers
	etcd      *etcd.Store    // nil: state is kept on the balancers
	checker   *checker
	lease     *state.Lease
	who       string // holds the lease
	book      *state.Book
	epoch     int64 // since the fence was raised
	limit     *site.Limit
	asks      *url.URL // while hosts change, nil for nowhere

	mu  sync.Mutex
	seq int64
	saw func(deploy.Event) // told of every event, one at a time; nil: nobody is
}

// open makes the session; no connection is made yet.
func open(inv *inventory.Inventory, screen *ui.UI, env Env) (*session, error) {
	id, err := state.NewID(time.Now(), rand.Reader)
	if err != nil {
		return nil, err
	}
	s := &session{inv: inv, screen: screen, getenv: env.Getenv, rollout: id, hosts: map[string]*host{}, net: newNetwork(inv.SSH, env.passphrase())}
	return s, s.wire()
}

// close ends all connections. The lock goes with them.
func (s *session) close() {
	if s.lease != nil {
		s.lease.Release()
	}
	_ = each(slices.Concat(s.edges, s.webs), func(m *remote.Machine) error { return m.Close() })
	s.net.close()
	if s.etcd != nil {
		s.etcd.Close()
	}
}

// connect reaches every machine, all side by side. Without the balancers nothing is
// known, and everything that could not be reached is told. A host that cannot be
// reached is told by hostsReached: an unfinished rollout may be settled without it.
func (s *session) connect(ctx context.Context) error {
	err := both(
		func() error { return dial(ctx, s.edges) },
		func() error { s.unreached = dialEach(ctx, s.webs); return nil },
	)
	if err != nil {
		return errors.Join(err, s.hostsReached())
	}
	return each(s.stores, func(st *state.Store) error { return st.Prepare(ctx) })
}

// hostsReached is nil when every host could be reached.
func (s *session) hostsReached() error { return errors.Join(s.unreached...) }

func dial(ctx context.Context, machines []*remote.Machine) error {
	return errors.Join(dialEach(ctx, machines)...)
}

func dialEach(ctx context.Context, machines []*remote.Machine) []error {
	errs := make([]error, len(machines))
	_ = eachIndex(machines, func(i int, m *remote.Machine) error {
		errs[i] = named(m.Name(), m.Connect(ctx))
		return nil
	})
	return errs
}

func both(a, b func() error) error {
	return each([]func() error{a, b}, func(f func() error) error { return f() })
}

// lock takes the lease on every balancer, or in etcd. The context that it returns ends with
// the lock, and not with ctx: what is under way may be brought to an end.
func (s *session) lock(ctx context.Context, t state.Terms) (context.Context, error) {
	holder := state.Whoami(s.getenv, s.rollout, time.Now())
	s.who = strings.TrimSpace(holder.User + " " + holder.URL)
	t.Waiting = s.waiting()
	t.Partly = func(e *state.LostError) {
		s.emit(deploy.Event{Kind: deploy.KindWarning, LB: e.Balancer, Code: e.Code(), Detail: e.Error() + "; held on the others"})
	}
	_, lease, err := state.AcquireWait(ctx, s.keepers(s.stores), holder, t)
	if err != nil {
		return nil, err
	}
	s.lease = lease
	if err := s.kept(ctx); err != nil { // whoever moves state has the lock, too
		return nil, err
	}
	for _, b := range s.lbs {
		b.who = strings.ReplaceAll(holder.User, " ", "_")
	}
	held, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	go func() {
		<-lease.Lost() // closed by Release at the latest
		cancel(lease.Err())
	}()
	s.emit(deploy.Event{Kind: deploy.KindLock, Detail: "locked on " + s.keeperNames()})
	return held, nil
}

// waiting tells once who holds the lock, not at every try.
func (s *session) waiting() func(*state.HeldError) {
	var once sync.Once
	return func(e *state.HeldError) {
		once.Do(func() { s.emit(deploy.Event{Kind: deploy.KindLock, Detail: "waiting: " + e.Error()}) })
	}
}

// emit numbers an event and shows it.
func (s *session) emit(e deploy.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	e.Seq = s.seq
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	if e.Rollout == "" {
		e.Rollout = s.rollout
	}
	if e.Kind == deploy.KindHost && e.Phase == deploy.Draining && s.lease != nil {
		s.lease.Note(e.Host)
	}
	s.screen.Event(e)
	if s.saw != nil {
		s.saw(e)
	}
}

// follow has saw told of every event from now on.
func (s *session) follow(saw func(deploy.Event)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.saw = saw
}

func (s *session) hostList() []*host {
	var all []*host
	for _, h := range s.inv.Hosts {
		all = append(all, s.hosts[h.Name])
	}
	return all
}

func (s *session) order() []string { return hostNames(s.inv) }

func hostNames(inv *inventory.Inventory) []string {
	var names []string
	for _, h := range inv.Hosts {
		names = append(names, h.Name)
	}
	return names
}

// engineHosts are the hosts as the engine sees them.
func (s *session) engineHosts() map[string]deploy.Host {
	m := map[string]deploy.Host{}
	for name, h := range s.hosts {
		m[name] = mortalHost(h)
	}
	return m
}

func (s *session) engineBalancers() []deploy.Balancer {
	var all []deploy.Balancer
	for _, b := range s.lbs {
		all = append(all, b.engine())
	}
	return all
}

// each does one thing on all items side by side and joins the errors in order.
func each[T any](items []T, do func(T) error) error {
	return eachIndex(items, func(_ int, item T) error { return do(item) })
}

func eachIndex[T any](items []T, do func(int, T) error) error {
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Go(func() { errs[i] = do(i, item) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// named puts the machine in front of an error that does not name it.
func named(machine string, err error) error {
	if err == nil {
		return nil
	}
	if join, ok := err.(interface{ Unwrap() []error }); ok { // each with its own code and hint
		if all := errors.Join(join.Unwrap()...); all != nil && all.Error() == err.Error() {
			return namedAll(join.Unwrap(), machine)
		}
	}
	if strings.HasPrefix(err.Error(), machine+": ") {
		return err
	}
	return &deploy.Fault{Host: machine, Err: err}
}

func namedAll(errs []error, machine string) error {
	all := make([]error, len(errs))
	for i, err := range errs {
		all[i] = named(machine, err)
	}
	return errors.Join(all...)
}

// An unfinishedError says that an earlier rollout has to be settled first.
type unfinishedError struct {
	plan  *deploy.Plan
	where []string
}

func (e *unfinishedError) Error() string {
	return fmt.Sprintf("rollout %s to %s is unfinished", e.plan.Rollout, e.plan.Revision)
}
func (e *unfinishedError) Code() string       { return "FD-UNFINISHED" }
func (e *unfinishedError) Hint() string       { return deploy.OutcomeUnfinished.Next(e.plan.Mode) }
func (e *unfinishedError) Evidence() []string { return e.where }
