package deploy

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// A sim is a fleet in memory: real enough that the engine cannot tell, strict
// enough that every invariant is checked at every effect. Its balancers and hosts are
// as strict as the scripts on real ones: fence, owner mark, floor and the state relied
// on are checked where an act takes effect. Who acts is a deployer; several may, one
// after the other or, when one is late, beside each other.
type sim struct {
	mu      sync.Mutex
	hosts   map[string]*simHost // as the first deployer has them
	names   []string
	lbs     []*simLB
	faults  func(op, host string) simFault // what goes wrong with an operation
	broken  []string                       // invariants that did not hold
	records []Record
	events  []Event
	plan    Plan
	zones   map[string]string // of hosts; nil: none

	swappers int // so many of the balancers change by waves
	reloads  int // of theirs

	rules  simRules
	timing Timing
	all    []*deployer
	plain  bool                                 // its balancers keep nobody with a host, until they are configured anew
	trusts bool                                 // whoever goes on does so in spite of a doubt
	unwell map[string]bool                      // of a large fleet
	acts   int                                  // calls that were carried out
	park   func(context.Context, *call) error   // a search has the calls wait; else they take their time
	strike func(c *call) simFault               // what goes wrong with a call, in place of faults
	jitter func(c *call) time.Duration          // how long a call takes, in place of what it says
	after  func(c *call, f simFault, err error) // told of every call that was carried out
}

// simRules are checks that balancers, hosts and deployers make, and mutants leave out.
type simRules struct {
	noFence, noFloor, noOwner, noSurprise, keepsUpstarts, anyBudget, noHostFence, noTurn, noMaint bool
}

// rulesOf are the checks that are to be left out, by name.
func rulesOf(t testing.TB, words string) (r simRules) {
	names := map[string]*bool{"noFence": &r.noFence, "noFloor": &r.noFloor, "noOwner": &r.noOwner, "noSurprise": &r.noSurprise,
		"keepsUpstarts": &r.keepsUpstarts, "anyBudget": &r.anyBudget, "noHostFence": &r.noHostFence, "noTurn": &r.noTurn, "noMaint": &r.noMaint}
	for _, w := range strings.Fields(words) {
		rule, ok := names[w]
		if !ok {
			t.Fatalf("no rule %q", w)
		}
		*rule = true
	}
	return r
}

type simFault int

const (
	fine simFault = iota
	failsBefore
	failsAfter
	lostBefore // nobody knows: it never came there
	lostAfter  // nobody knows: its answer never came back
	diesBefore // the deployer dies
	diesAfter
)

func (f simFault) String() string {
	return [...]string{"fine", "fails", "is reported as failed, and was not", "is lost on its way", "answers, and the answer is lost",
		"finds the deployer dead", "is the deployer's last act"}[f]
}

// A call is one operation that the engine asked for.
type call struct {
	by            *deployer
	op, host, arg string
	lb            string // of which balancer
	takes         time.Duration
	effect        func() error
	saw           string // what a question was answered

	ctx     context.Context // the search's
	answer  chan error
	since   time.Time // when it was asked for
	unheard bool      // nobody waits for its answer
	turn    int       // of its deployer on that machine, when it was given up
	hung    time.Time // since when it hangs
}

func newSim(n, lbs int, release string) *sim {
	s := &sim{hosts: map[string]*simHost{}, unwell: map[string]bool{},
		faults: func(string, string) simFault { return fine }}
	machines := map[string]*simMachine{}
	for i := range n {
		name := fmt.Sprintf("web%d", i+1)
		s.names = append(s.names, name)
		machines[name] = &simMachine{s: s, name: name, current: release, runs: release,
			healthy: map[string]bool{}, ignores: map[string]bool{}, dies: map[string]bool{}, hangs: map[string]bool{}}
	}
	var edges []*simEdge
	for i := range lbs {
		e := &simEdge{s: s, name: fmt.Sprintf("edge%d", i+1), state: map[string]State{}, mark: map[string]string{},
			epochs: map[string]int64{}, claimed: map[string]bool{}, taken: map[string]bool{}, back: map[string]time.Time{}, lives: 1}
		for _, h := range s.names {
			e.set(h, StateReady)
		}
		edges = append(edges, e)
	}
	first := s.deployer(machines, edges)
	s.hosts, s.lbs = first.hosts, first.lbs
	return s
}

// do carries out one operation: a delay, a fault, an effect, the invariants.
func (c *call) do(ctx context.Context) error {
	s := c.by.s
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if s.park != nil {
		return s.park(ctx, c)
	}
	if s.jitter != nil {
		c.takes = s.jitter(c)
	}
	if c.takes > 0 && !tick(ctx, c.takes) && !c.late() {
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.strikes(c)
	return s.carry(c, f)
}

func (s *sim) strikes(c *call) simFault {
	if s.strike != nil {
		return s.strike(c)
	}
	return s.faults(c.op, c.host)
}

// late waits until a call that a deployer left on its way arrives.
func (c *call) late() bool {
	return c.by.late && tick(context.Background(), 3*c.takes)
}

// carry has a call take effect, or not.
func (s *sim) carry(c *call, f simFault) error {
	if c.by.dead && !c.by.late {
		return errDead
	}
	s.acts++
	err := s.carried(c, f)
	if s.after != nil {
		s.after(c, f, err)
	}
	if c.by.dead {
		return errDead
	}
	return err
}

func (s *sim) carried(c *call, f simFault) error {
	switch f {
	case failsBefore:
		return fmt.Errorf("%s %s: simulated fault", c.op, c.host)
	case lostBefore:
		return &simGone{}
	case diesBefore:
		c.by.die()
		return errDead
	}
	if h := s.hosts[c.host]; h != nil && h.gone && !isLB(c.op) || s.cutOff(c) {
		return &simGone{}
	}
	if c.shutOut() {
		return &simRefusal{RefusedFenced}
	}
	err := c.effect()
	s.check(c)
	switch {
	case f == diesAfter:
		c.by.die()
		return errDead
	case f == lostAfter:
		return &simGone{}
	case err == nil && f == failsAfter:
		return fmt.Errorf("%s %s: simulated fault after the effect", c.op, c.host)
	}
	return err
}

func isLB(op string) bool {
	switch op {
	case "swap", "seats", "claim", "unclaim", "drain", "empty", "hold", "ready", "giveback", "counters", "journal", "adopt", "raise":
		return true
	}
	return false
}

// machine is where the call goes, "" where no turn stands: the journal and the checks are
// no acts.
func (c *call) machine() string {
	switch {
	case c.op == "journal" || class(c.op) == "c":
		return ""
	case isLB(c.op):
		return c.lb
	}
	return c.host
}

// shutOut tells that the deployer gave the call up, and has asked that machine something
// else since. A call that comes there shuts out what was given up before.
func (c *call) shutOut() bool {
	at := c.machine()
	if c.unheard {
		return c.turn < c.by.turns[at] && !c.by.s.rules.noTurn
	}
	if c.by.doubt[at] {
		c.by.doubt[at] = false
		c.by.turns[at]++
	}
	return false
}

type simGone struct{}

func (*simGone) Error() string        { return "no route to host" }
func (*simGone) OutcomeUnknown() bool { return true }

type simRefusal struct{ reason string }

func (e *simRefusal) Error() string   { return "refused: " + e.reason }
func (e *simRefusal) Refusal() string { return e.reason }
func (e *simRefusal) Code() string    { return "FD-SIM" }

var errDead = fmt.Errorf("the deployer is dead")
