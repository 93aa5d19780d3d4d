package deploy

import (
	"fmt"
	"strings"
	"time"
)

// Mode is what a run is for.
type Mode string

const (
	ModeRollout  Mode = "rollout"
	ModeRollback Mode = "rollback"
	ModeRestart  Mode = "restart"
)

// Failure says what follows when more hosts failed than allowed.
type Failure string

const (
	FailRollback Failure = "rollback"
	FailPause    Failure = "pause"
	FailContinue Failure = "continue" // the failed host is undone, the others go on
)

// DrainTimeout says what follows when requests are still in flight at drain_timeout.
type DrainTimeout string

const (
	DrainAbort   DrainTimeout = "abort"   // the host is given back, the run pauses
	DrainProceed DrainTimeout = "proceed" // go on beside what is left
	DrainCut     DrainTimeout = "cut"     // close what is left
)

// A Plan is all that a run decided before its first act. It is stored in the
// journal as it is; every number in it is resolved once and never computed again.
type Plan struct {
	Rollout    string        `json:"rollout"`
	App        string        `json:"app"`
	Mode       Mode          `json:"mode"`
	Revision   string        `json:"revision"`           // what the fleet will run
	Release    string        `json:"release,omitempty"`  // its release id; "" when hosts differ
	Previous   string        `json:"previous,omitempty"` // revision that most hosts ran
	Pops       int           `json:"pops,omitempty"`     // rollback: rollouts taken from the stack
	Entry      string        `json:"entry,omitempty"`    // program inside the releases
	Parallel   int           `json:"parallel"`
	Canary     int           `json:"canary"`
	MinServing int           `json:"min_serving"`
	EachZone   bool          `json:"each_zone,omitempty"` // it was a percentage, and is as much of each zone
	Serving    int           `json:"serving"`             // hosts that served when the plan was made
	MaxFail    int           `json:"max_failures"`
	OnFailure  Failure       `json:"on_failure"`
	OnDrain    DrainTimeout  `json:"on_drain_timeout,omitempty"`
	NoUndo     bool          `json:"no_undo,omitempty"`
	Bake       time.Duration `json:"bake"`
	ZoneBake   time.Duration `json:"zone_bake,omitempty"` // the first zone is watched that long before the next
	Judge      *Judge        `json:"judge,omitempty"`
	Zones      []Zone        `json:"zones,omitempty"` // in the order in which they change
	Hosts      []PlannedHost `json:"hosts"`           // in the order in which they change
}

// A PlannedHost is one host's part of a plan.
type PlannedHost struct {
	Name    string `json:"name"`
	Zone    string `json:"zone,omitempty"`
	From    string `json:"from"`               // release id that current pointed at, "" for none
	To      string `json:"to"`                 // release id wanted; equal to From when nothing is to be done
	Ran     bool   `json:"ran"`                // the app ran, on From
	Drift   bool   `json:"drift,omitempty"`    // current pointed elsewhere than at what ran
	Serving bool   `json:"serving"`            // in rotation and operational when the plan was made
	Out     string `json:"out,omitempty"`      // why it is left out: who took it out
	InPlace bool   `json:"in_place,omitempty"` // changed and proven all the same, and never put back
	Skip    string `json:"skip,omitempty"`     // why this run has nothing to do with it
	Unread  bool   `json:"unread,omitempty"`   // skipped, since it could not be reached
	Again   bool   `json:"again,omitempty"`    // a new process though the release is the same
	Adopts  string `json:"adopts,omitempty"`   // what was found here and becomes From while staging
	NoWay   string `json:"no_way,omitempty"`   // why From cannot be come back to
}

// Changes tells whether the plan has anything to do on the host.
func (h PlannedHost) Changes() bool {
	return h.Skip == "" && (h.Out == "" || h.InPlace) && (h.From != h.To || !h.Ran || h.Drift || h.Again)
}

// Unread counts the hosts that could not be reached and are skipped.
func (p Plan) Unread() int {
	n := 0
	for _, h := range p.Hosts {
		if h.Unread {
			n++
		}
	}
	return n
}

// Changes counts the hosts that the plan changes.
func (p Plan) Changes() int {
	n := 0
	for _, h := range p.Hosts {
		if h.Changes() {
			n++
		}
	}
	return n
}

// A Wish is what a person asked for; Amounts are still as written.
type Wish struct {
	Parallel, Canary, MinServing, MaxFail Amount
	OnFailure                             Failure
	NoUndo                                bool
	Bake, ZoneBake                        time.Duration
	Judge                                 *Judge
	OnDrain                               DrainTimeout
	Downtime                              bool // nobody has to serve; one host at a time
}

// An Amount is a number of hosts or a share of those in rotation.
type Amount struct {
	N       int
	Percent bool
	Set     bool
}

func (a Amount) down(base int) int {
	if a.Percent {
		return base * a.N / 100
	}
	return a.N
}

func (a Amount) up(base int) int {
	if a.Percent {
		return (base*a.N + 99) / 100
	}
	return a.N
}

// Resolve turns the wish into numbers, each rounded to the safe side: parallel
// and max_failures down (parallel at least 1), min_serving and canary up. The
// base of percentages is the hosts in rotation when the plan is made, those that
// this run leaves alone among them.
func (p Plan) Resolve(w Wish) Plan {
	rotation := 0
	for _, h := range p.Hosts {
		if h.Out == "" {
			rotation++
		}
	}
	p.Parallel = max(1, w.Parallel.down(rotation))
	p.Canary = w.Canary.up(rotation)
	p.MaxFail = w.MaxFail.down(rotation)
	if w.OnFailure == FailContinue && !w.MaxFail.Set {
		p.MaxFail = len(p.Hosts) // no number was given: all of them may
	}
	p.MinServing = max(1, p.Serving-p.Parallel)
	if w.MinServing.Set {
		p.MinServing = w.MinServing.up(rotation)
	}
	if w.Downtime {
		p.Parallel, p.MinServing = 1, 0
	}
	p.OnFailure, p.NoUndo, p.Bake, p.OnDrain, p.Judge = w.OnFailure, w.NoUndo, w.Bake, w.OnDrain, w.Judge
	if p.NoUndo && p.OnFailure == FailRollback {
		p.OnFailure = FailPause // what is not to be undone is not rolled back either
	}
	return p.zoned(w)
}

// Floor tells whether the plan can be carried out at all: when a serving host is
// to change, taking one out must leave min_serving. Hosts that do not serve yet
// and will after their change count, since they are changed first.
func (p Plan) Floor() error {
	gain, serving := 0, false
	for _, h := range p.Hosts {
		if h.Changes() && !h.Serving && h.Out == "" {
			gain++
		}
		serving = serving || h.Changes() && h.Serving
	}
	has := p.Serving
	if p.EachZone {
		has = p.Served()
	}
	if !serving || has+gain-1 >= p.MinServing {
		return p.zoneFloor()
	}
	return &Fault{
		Code_: "FD-FLOOR",
		Err:   fmt.Errorf("%d of %d hosts serve and min_serving is %d: no host can be taken out", has, len(p.Hosts), p.MinServing),
		Hint_: "bring more hosts into rotation, or lower min_serving",
	}
}

// RevisionOf is the revision in a release id.
func RevisionOf(release string) string {
	if i := strings.LastIndexByte(release, '-'); i > 0 {
		return release[:i]
	}
	return release
}
