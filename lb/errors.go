package lb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Fault is an error with a stable code and the way out.
type Fault struct {
	code, text, hint string
	evidence         []string
	cause            error
}

func (f *Fault) Error() string {
	if f.cause != nil {
		return f.text + ": " + f.cause.Error()
	}
	return f.text
}

func (f *Fault) Unwrap() error      { return f.cause }
func (f *Fault) Code() string       { return f.code }
func (f *Fault) Hint() string       { return f.hint }
func (f *Fault) Evidence() []string { return f.evidence }

func fault(code, hint, format string, a ...any) *Fault {
	return &Fault{code: code, hint: hint, text: fmt.Sprintf(format, a...)}
}

// Faults are all the faults of a preflight at once.
type Faults []*Fault

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, one := range f {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i, one := range f {
		errs[i] = one
	}
	return errs
}

func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Reasons of a refusal.
const (
	ReasonFloor   = "floor"   // too few would serve
	ReasonOut     = "out"     // it is out already, not by us
	ReasonChanged = "changed" // somebody changed it while we held it
	ReasonAgent   = "agent"   // an agent on the host decides, not we
	ReasonAbsent  = "absent"  // the balancer does not know the host
	ReasonTrack   = "track"   // it follows a server of another host
)

// A RefusedError says that nothing was changed, and why.
type RefusedError struct {
	Reason       string
	Serving, Min int    // for a floor: hosts that would serve, and must
	Detail       string // the server and its state
}

func (e *RefusedError) Error() string {
	switch e.Reason {
	case ReasonFloor:
		return e.floor()
	case ReasonOut:
		return "it is out of rotation already: " + e.Detail
	case ReasonChanged:
		return "somebody changed it on the balancer: " + e.Detail
	case ReasonAgent:
		return "an agent-check sets its state: " + e.Detail
	case ReasonAbsent:
		return "the balancer does not know it" + e.Detail
	case ReasonTrack:
		return "it tracks a server that is not this host's: " + e.Detail
	}
	return "refused (" + e.Reason + "): " + e.Detail
}

func (e *RefusedError) floor() string {
	if e.Detail != "" {
		return fmt.Sprintf("without it %d would serve in %s", e.Serving, e.Detail)
	}
	return fmt.Sprintf("without it %d would serve, fewer than %d", e.Serving, e.Min)
}

// Refusal is the reason, for callers that do not know this package.
func (e *RefusedError) Refusal() string { return e.Reason }

func (e *RefusedError) Code() string {
	switch e.Reason {
	case ReasonFloor:
		return "FD-FLOOR"
	case ReasonAbsent:
		return "FD-LB-BACKEND"
	}
	return "FD-LB-" + strings.ToUpper(e.Reason)
}

func (e *RefusedError) Hint() string {
	switch e.Reason {
	case ReasonFloor:
		return "bring more hosts into rotation, or lower --min-serving or --parallel"
	case ReasonOut:
		return "put it back with `flipdeploy ready HOST`, or leave it out of the rollout"
	case ReasonChanged:
		return "see who took it over with `flipdeploy status`; it is left as it stands"
	case ReasonAgent:
		return "switch the agent off with `set server POOL/SERVER agent down`, or remove agent-check"
	case ReasonTrack:
		return "let the server track one of its own host, in a listed upstream"
	}
	return "compare the host's backend with the servers of the upstream"
}

// A BusyError says that requests were still in flight when time was up. The host
// is left drained.
type BusyError struct {
	Sessions int
	After    time.Duration
	Arriving bool // new requests still came: sticky clients
	Blind    bool // old workers could not be asked
	// OldWorkers of nginx could still send to the host.
	OldWorkers int
	cause      error
}

func newBusy(ctx context.Context, sessions int, since time.Time) *BusyError {
	return &BusyError{Sessions: sessions, After: rounded(time.Since(since)), cause: context.Cause(ctx)}
}

func (e *BusyError) Error() string {
	switch {
	case e.OldWorkers > 0:
		return fmt.Sprintf("still %s, %s after %s", counted(e.Sessions, "session"), counted(e.OldWorkers, "old nginx worker"), e.After)
	case e.Sessions == 1:
		return fmt.Sprintf("still 1 session after %s", e.After)
	case e.Sessions == 0 && e.Blind:
		return fmt.Sprintf("old HAProxy workers could not be asked for %s", e.After)
	case e.Sessions == 0 && e.Arriving:
		return fmt.Sprintf("requests still arrived after %s", e.After)
	case e.Sessions == 0: // the balancer answered too seldom
		return fmt.Sprintf("idle, but not seen so %d times in a row within %s", stillPolls, e.After)
	}
	return fmt.Sprintf("still %d sessions after %s", e.Sessions, e.After)
}

func (e *BusyError) Unwrap() error { return e.cause }
func (e *BusyError) Code() string  { return "FD-DRAIN-TIMEOUT" }

// Lasting tells that all that is left are sessions that were there before the drain, and no
// request came since.
func (e *BusyError) Lasting() bool { return e.Sessions > 0 && !e.Arriving && !e.Blind }

func (e *BusyError) Hint() string {
	if e.Blind {
		return "set master_socket, so that old workers can be asked"
	}
	if e.OldWorkers > 0 {
		return "raise drain_timeout, or see what old workers hold with `ss -tnp` on the balancer"
	}
	return "raise drain_timeout, or see what holds on with `show sess` on the balancer"
}

// counted is a number and its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func rounded(d time.Duration) time.Duration {
	if d >= time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

// codeIs tells whether err carries a code.
func codeIs(err error, code string) bool {
	var c interface{ Code() string }
	return errors.As(err, &c) && c.Code() == code
}
