package deploy

import (
	"errors"
	"strings"
)

// A Fault is an error with its place, a stable code and the way out.
type Fault struct {
	Host      string
	Phase     Phase
	Code_     string
	Err       error
	Hint_     string
	Evidence_ []string
}

// Error reads `web3: drain: still 12 sessions after 30s`.
func (f *Fault) Error() string {
	var b strings.Builder
	if f.Host != "" {
		b.WriteString(f.Host + ": ")
	}
	if s := f.Phase.Step(); s != "" {
		b.WriteString(s + ": ")
	}
	b.WriteString(f.Err.Error())
	return b.String()
}

func (f *Fault) Unwrap() error { return f.Err }

// Code is the fault's own, or that of what it wraps.
func (f *Fault) Code() string {
	if f.Code_ != "" {
		return f.Code_
	}
	return CodeOf(f.Err)
}

// Hint is the next thing to do.
func (f *Fault) Hint() string {
	if f.Hint_ != "" {
		return f.Hint_
	}
	return HintOf(f.Err)
}

// Evidence is what was seen: the app's last log lines, a balancer's words.
func (f *Fault) Evidence() []string {
	var inner interface{ Evidence() []string }
	if len(f.Evidence_) == 0 && errors.As(f.Err, &inner) {
		return inner.Evidence()
	}
	return f.Evidence_
}

// CodeOf is the stable code that err carries, "FD-INTERNAL" when it has none.
func CodeOf(err error) string {
	var c interface{ Code() string }
	if errors.As(err, &c) && c.Code() != "" {
		return c.Code()
	}
	return "FD-INTERNAL"
}

// HintOf is the next step that err carries.
func HintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

// unknown tells whether nobody knows how an operation ended.
func unknown(err error) bool {
	var u interface{ OutcomeUnknown() bool }
	return errors.As(err, &u) && u.OutcomeUnknown()
}

// refusal is why a balancer said no without changing anything.
func refusal(err error) string {
	var r interface{ Refusal() string }
	if errors.As(err, &r) {
		return r.Refusal()
	}
	return ""
}

// codeDrainTimeout is a balancer's word for requests still in flight in the end.
const codeDrainTimeout = "FD-DRAIN-TIMEOUT"

// Reasons of a refusal, as balancers and their state give them.
const (
	RefusedFloor   = "floor"   // too few would serve
	RefusedBudget  = "budget"  // too many are out
	RefusedForeign = "foreign" // the mark of another rollout or a hand
	RefusedOut     = "out"     // it is out already, not by us
	RefusedChanged = "changed" // a person changed it while we held it
	RefusedFenced  = "fenced"  // a newer run has taken over
)

func fault(host string, phase Phase, err error) *Fault {
	var f *Fault
	if errors.As(err, &f) && f.Host == host {
		return f
	}
	return &Fault{Host: host, Phase: phase, Err: err}
}

// Step is the verb of a phase, as errors name it.
func (p Phase) Step() string {
	switch p {
	case Staging, Staged:
		return "stage"
	case Draining, Drained:
		return "drain"
	case Flipping:
		return "flip"
	case Reloading:
		return "reload"
	case Verifying:
		return "verify"
	case Readying:
		return "ready"
	case Baking:
		return "bake"
	case RolledBack, Failed, Stuck:
		return "undo"
	case Pending, Done, LeftOut, Unknown:
	}
	return ""
}

var errTurned = &Fault{Code_: "FD-TURNED-BACK", Err: errors.New("the rollout turned back"), Hint_: "see which host failed first"}
