package state

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	hintName   = "correct the name in the inventory"
	hintFenced = "another run has taken over: look at it with \"flipdeploy status\""
	hintStatus = "look at it with \"flipdeploy status\""
)

// codeGivenUp is of a call that was under way when another was given up.
const codeGivenUp = "FD-GIVEN-UP"

// A Fault is what the state directory itself could not do.
type Fault struct {
	Balancer, Doing, Why string
	code, hint           string
	unknown              bool
}

func (e *Fault) Error() string { return e.Balancer + ": state: " + e.Doing + ": " + e.Why }

// Code is the fault's own.
func (e *Fault) Code() string { return e.code }

// Hint is the next step.
func (e *Fault) Hint() string { return e.hint }

// OutcomeUnknown is true where the act may have happened.
func (e *Fault) OutcomeUnknown() bool { return e.unknown }

func (s *Store) fault(doing, why, code, hint string) *Fault {
	return &Fault{Balancer: s.name, Doing: doing, Why: why, code: code, hint: hint}
}

// A FencedError says that a run of another epoch holds the fence: this one may
// not act any more, and did not.
type FencedError struct {
	Balancer string
	Ours     int64
	Fence    string // as it was read
}

func (e *FencedError) Error() string {
	if e.Fence == "" {
		return fmt.Sprintf("%s: fenced: the fence cannot be read, this run is epoch %d", e.Balancer, e.Ours)
	}
	return fmt.Sprintf("%s: fenced: the fence is at epoch %s, this run is epoch %d", e.Balancer, e.Fence, e.Ours)
}

// Code is FD-FENCED.
func (e *FencedError) Code() string { return "FD-FENCED" }

// Hint is the next step.
func (e *FencedError) Hint() string { return hintFenced }

// Refusal is deploy.RefusedFenced.
func (e *FencedError) Refusal() string { return "fenced" }

// A MarkError says that a backend does not carry the mark that an act needs.
type MarkError struct {
	Balancer string
	Mark     Mark // what is there; Mark.Rollout is "" when nothing is
	Rollout  string
	Epoch    int64
}

func (e *MarkError) Error() string {
	at := e.Balancer + ": " + e.Mark.Upstream + " " + e.Mark.Address + ": "
	switch {
	case e.Missing():
		return at + "our owner mark is gone"
	case e.Mark.Rollout == Hand:
		return at + "taken out by hand by " + e.Mark.Who
	case e.Mark.Rollout == e.Rollout && e.Mark.Epoch != e.Epoch:
		return at + fmt.Sprintf("our owner mark is of epoch %d, this run is epoch %d", e.Mark.Epoch, e.Epoch)
	}
	return at + fmt.Sprintf("owned by rollout %s of %s (host %s, %s)", e.Mark.Rollout, e.Mark.App, e.Mark.Host, e.Mark.Who)
}

// Missing tells that no mark is there at all.
func (e *MarkError) Missing() bool { return e.Mark.Rollout == "" }

// Code is FD-MARK-FOREIGN, or FD-MARK-MISSING.
func (e *MarkError) Code() string {
	if e.Missing() {
		return "FD-MARK-MISSING"
	}
	return "FD-MARK-FOREIGN"
}

// Hint is the next step.
func (e *MarkError) Hint() string {
	if e.Mark.Rollout == Hand {
		return "put it back with \"flipdeploy ready " + e.Mark.Host + "\" once its owner agrees"
	}
	return hintStatus
}

// Refusal is deploy.RefusedForeign, or deploy.RefusedChanged when a mark of ours
// was taken away.
func (e *MarkError) Refusal() string {
	if e.Missing() {
		return "changed"
	}
	return "foreign"
}

// A BudgetError says that as many hosts as allowed are out already.
type BudgetError struct {
	Balancer string
	Parallel int
	Out      []string // app/host
}

func (e *BudgetError) Error() string {
	return fmt.Sprintf("%s: %d out already (%s), parallel is %d", e.Balancer, len(e.Out), strings.Join(e.Out, ", "), e.Parallel)
}

// Code is FD-BUDGET.
func (e *BudgetError) Code() string { return "FD-BUDGET" }

// Hint is the next step.
func (e *BudgetError) Hint() string {
	return "bring the hosts that are out back first: " + strings.Join(e.Out, ", ")
}

// Refusal is deploy.RefusedBudget.
func (e *BudgetError) Refusal() string { return "budget" }

// claimant is who asked.
type claimant struct {
	rollout  string
	epoch    int64
	parallel int
}

// refused makes an error of the words by which a script said no to us.
func (s *Store) refused(doing string, words []string, us claimant) error {
	words = append(words, "")
	switch words[0] {
	case "fenced":
		return &FencedError{Balancer: s.name, Ours: us.epoch, Fence: clean(words[1])}
	case "moved":
		return s.moved(strings.Join(words[1:], " "))
	case "stays":
		return s.moved("")
	case "turned":
		return s.fault(doing, "the run went on without this call, and it did nothing", codeGivenUp, hintStatus)
	case "mark":
		return &MarkError{Balancer: s.name, Mark: markOf(words[1:]), Rollout: us.rollout, Epoch: us.epoch}
	case "budget":
		return &BudgetError{Balancer: s.name, Parallel: us.parallel, Out: words[1 : len(words)-1]}
	case "tools", "missing", "readonly", "open":
		return s.unprepared(words)
	case "dir":
		return s.fault(doing, "act.lock cannot be opened in "+s.dir, "FD-STATE-DIR", "run \"flipdeploy doctor\"")
	case "busy":
		return s.fault(doing, fmt.Sprintf("act.lock is still held after %d s", s.limits.lockWait), "FD-STATE-BUSY", hintBusy(s.dir))
	case "write":
		return s.fault(doing, "cannot write "+clean(words[1]), "FD-STATE-WRITE", "look for room and rights: df "+s.dir+"; ls -ld "+s.dir)
	case "timeout":
		f := s.fault(doing, fmt.Sprintf("no end after %d s, stopped", s.limits.script), "FD-STATE-TIMEOUT", hintStatus)
		f.unknown = true
		return f
	}
	return s.fault(doing, "not understood: "+clean(strings.Join(words, " ")), "FD-STATE-ANSWER", "run \"flipdeploy doctor\"")
}

func hintBusy(dir string) string { return "see who holds it there: fuser -v " + dir + "/act.lock" }

func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
