package state

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// A Condition is what must hold of the owner marks for an act to take place, and
// what becomes of them by it: a Claim, an Owned or a Drop; nil asks nothing.
type Condition interface{ act() (act, []error) }

// A Claim holds when no key carries a mark of another and the budget has room.
// After the driver's script, which only checks, the marks are ours and durable; new ones
// say that the host is claimed and was not taken out yet.
// Marks of the same rollout, older epochs too, are taken over as they are.
type Claim struct {
	Rollout, Host string
	Keys          []Key
	Parallel      int      // hosts with marks on the same upstreams, this one included
	Before        string   // the balancer's state of the host, one word
	Who           string   // for people
	Takes         []string // earlier rollouts whose marks are to become ours
	Beside        []string // hosts of ours that return by the same change: they leave room
}

// An Owned holds when every key carries the mark of this rollout and epoch.
type Owned struct {
	Rollout, Host string
	Keys          []Key
}

// A Leave holds as Owned does. From just before the driver's script on, which takes the
// host out or refuses, the marks say that what is out is out by us.
type Leave struct{ Owned }

// An OwnedAll holds when that is so of every key of several hosts.
type OwnedAll struct {
	Rollout string
	Hosts   map[string][]Key
}

// A Drop holds as Owned does; once the driver's script, which only checks, said
// yes, the marks are gone. No mark left: the driver's script is not run and the
// answer is yes, so that a Drop may be repeated.
type Drop struct {
	Rollout, Host string
	Keys          []Key
}

// act is what the script's template reads.
type act struct {
	Claim, Owned, Drop   bool
	Leaves               bool
	App, Rollout, Host   string
	Epoch                int64
	Keys, Upstreams      []string
	Mine, Beside         []string
	Pairs                []string // host=key
	Parallel             int
	Before, Who, When    string
	Driver, File, Intent string
}

func (c Claim) act() (act, []error) {
	a, errs := ownAct(c.Rollout, c.Host, c.Keys)
	a.Claim, a.Owned = true, false
	a.Parallel, a.Before, a.Who = c.Parallel, c.Before, word(c.Who)
	a.Mine = append([]string{c.Rollout}, c.Takes...)
	for _, h := range c.Beside {
		a.Beside = append(a.Beside, h)
		errs = append(errs, check("host", hostName, h))
	}
	for _, t := range c.Takes {
		errs = append(errs, check("rollout", rolloutName, t))
	}
	return a, append(errs, check("state", stateWord, c.Before))
}

func (o Owned) act() (act, []error) { return ownAct(o.Rollout, o.Host, o.Keys) }

func (l Leave) act() (act, []error) {
	a, errs := l.Owned.act()
	a.Leaves = true
	return a, errs
}

func (o OwnedAll) act() (act, []error) {
	all := act{Owned: true, Rollout: o.Rollout}
	var errs []error
	for _, host := range slices.Sorted(maps.Keys(o.Hosts)) {
		a, bad := ownAct(o.Rollout, host, o.Hosts[host])
		all.Keys, all.Pairs, all.Upstreams = append(all.Keys, a.Keys...), append(all.Pairs, a.Pairs...), append(all.Upstreams, a.Upstreams...)
		errs = append(errs, bad...)
	}
	return all, errs
}

func (d Drop) act() (act, []error) {
	a, errs := ownAct(d.Rollout, d.Host, d.Keys)
	a.Drop = true
	return a, errs
}

func ownAct(rollout, host string, keys []Key) (act, []error) {
	a := act{Owned: true, Rollout: rollout, Host: host}
	errs := []error{check("rollout", rolloutName, rollout), check("host", hostName, host)}
	if len(keys) == 0 {
		errs = append(errs, errors.New("no backend to mark"))
	}
	for _, k := range keys {
		errs = append(errs, k.check())
		a.Keys = append(a.Keys, k.file())
		a.Upstreams = append(a.Upstreams, k.Upstream)
	}
	slices.Sort(a.Upstreams)
	a.Upstreams = slices.Compact(a.Upstreams)
	slices.Sort(a.Keys)
	a.Keys = slices.Compact(a.Keys)
	for _, k := range a.Keys {
		a.Pairs = append(a.Pairs, host+"="+k)
	}
	return a, errs
}

// Act is a Runner whose scripts take effect only while the fence stands at epoch
// and c holds, both checked under act.lock in the script that acts. Records are
// in the journal, durable, before the script runs. A script's own output and
// exit code come back as the machine's Runner gives them; a refusal of ours is a
// *FencedError, *MarkError, *BudgetError or *Fault and the script did not run, but
// for a *Fault whose OutcomeUnknown is true or whose code is FD-STATE-WRITE.
func (s *Store) Act(epoch int64, c Condition, intent ...deploy.Record) Runner {
	return &actor{store: s, epoch: epoch, condition: c, intent: intent}
}

type actor struct {
	store     *Store
	epoch     int64
	condition Condition
	intent    []deploy.Record
}

// Run has the script run under the condition. Where another call was given up meanwhile
// the act was refused with it, and is sent again.
func (r *actor) Run(ctx context.Context, script string) (out []byte, err error) {
	for range 3 {
		out, err = r.once(ctx, script)
		if f := (*Fault)(nil); !errors.As(err, &f) || f.code != codeGivenUp {
			break
		}
	}
	return out, err
}

func (r *actor) once(ctx context.Context, script string) ([]byte, error) {
	a, err := r.prepare(script)
	if err != nil {
		return nil, r.store.fault("act", err.Error(), "FD-STATE-NAME", hintName)
	}
	p := r.store.page(a)
	out, err := r.store.send(ctx, render("act", p))
	if words, ok := refusal(p.Token, out, err); ok {
		return nil, r.store.refused("act", words, claimant{rollout: a.Rollout, epoch: r.epoch, parallel: a.Parallel})
	}
	return out, err
}

func (r *actor) prepare(script string) (act, error) {
	var a act
	errs := []error{r.store.bad}
	if r.condition != nil {
		var bad []error
		a, bad = r.condition.act()
		errs = append(errs, bad...)
	}
	a.App, a.Epoch, a.Driver, a.When = r.store.app, r.epoch, script, time.Now().UTC().Format(time.RFC3339)
	for _, rec := range r.intent {
		line, err := encode(r.epoch, rec)
		errs = append(errs, err, check("rollout", rolloutName, rec.Rollout))
		a.File, a.Intent = rec.Rollout+".jsonl", a.Intent+line+"\n"
	}
	if a.Intent != "" {
		a.Intent = a.Intent[:len(a.Intent)-1]
	}
	return a, errors.Join(errs...)
}

// encode makes a record one line. A record that names no epoch gets the writer's.
func encode(epoch int64, r deploy.Record) (string, error) {
	if r.Epoch == 0 {
		r.Epoch = epoch
	}
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	b, err := json.Marshal(r)
	return string(b), err
}
