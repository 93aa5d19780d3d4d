package deploy

import "slices"

// The planner is a pure function: the same view gives the same decision. Forward,
// rollback and restart share it, and so one budget.

// Direction is where a run is going.
type Direction int

const (
	Forward Direction = iota
	Back              // an automatic rollback: every changed host to what it ran before
	AsIs              // a rollout is abandoned: who was left out returns with whatever it runs
)

// A HostView is what the planner knows of one host.
type HostView struct {
	Name    string
	Phase   Phase
	Busy    bool   // a worker is at it
	Returns bool   // it is proven, and waits for the change that puts it back
	Changes bool   // the plan has something to do on it
	Changed bool   // it was flipped in this run, and not undone
	Serving bool   // as the balancers saw it last
	Blocked bool   // its drain was refused for want of capacity; not asked again yet
	Fresh   bool   // nothing ran before: to go back would be to stop what serves
	Failed  bool   // counts as a failure, whatever became of it since
	Tried   bool   // an undo was tried: there is no second one
	Skipped bool   // could not be reached before the start: nothing was done to it
	InPlace bool   // was out before us: changed, proven, and left out
	Doubt   bool   // it is well, and too little was seen of it
	Unseen  bool   // an earlier run died while it baked: it is done, and no canary
	Loose   bool   // a balancer that was lost may have it out
	Amid    bool   // an earlier run died in its takeover: a process that hangs may still take over
	Release string // what it is known to run
}

// A View is all that a decision rests on.
type View struct {
	Hosts     []HostView // in plan order
	Direction Direction
	Stop      bool // start nothing more: a signal, a pause, a deadline
	Parallel  int
	Canary    int
	MaxFail   int
	OnFailure Failure
	Judged    bool // who waits for the canaries waits for the judge, too
	Waves     bool // hosts that return and hosts that leave share a change

	cameBack bool // all of the wave, as whole says
}

// A Decision is what to do now. Start may be empty while workers are busy.
type Decision struct {
	Start   []string // hosts to begin with, in the direction of the view
	Turn    bool     // go back from here on
	Over    bool     // nothing is left to do or to wait for
	Waiting bool     // hosts are left, none may start now, none is busy
}

// Next decides.
func Next(v View) Decision {
	v.cameBack = v.Waves && v.whole()
	if v.Direction == Forward && !v.Stop && v.failures() > v.MaxFail && v.OnFailure == FailRollback {
		return Decision{Turn: true}
	}
	todo := v.todo()
	free := v.Parallel - v.held()
	switch {
	case v.halted():
		return Decision{Over: !v.busy()}
	case len(todo) == 0:
		return Decision{Over: !v.busy()}
	}
	todo = v.canariesOnly(todo)
	var start []string
	blocked := false
	for _, h := range todo {
		blocked = blocked || h.Blocked
		if h.Blocked || (free <= 0 && h.Phase != Failed) {
			continue
		}
		start = append(start, h.Name)
		if h.Phase != Failed { // a failed host holds its slot already
			free--
		}
	}
	idle := len(start) == 0 && !v.busy()
	// With no host to wait for, the slots are held by hosts that stay out: nothing
	// that is left can ever start.
	return Decision{Start: start, Waiting: idle && blocked, Over: idle && !blocked}
}

// halted: nothing more may start, though hosts are left.
func (v View) halted() bool {
	if v.Stop {
		return true
	}
	switch v.Direction {
	case Back:
		return v.stuck()
	case AsIs: // no host hinders another
		return false
	case Forward:
	}
	return v.failures() > v.MaxFail
}

// todo lists the hosts left in this direction: first those that an earlier run left out,
// as they hold a slot that others wait for, then those that do not serve, since changing
// them costs no capacity and may win some.
func (v View) todo() []*HostView {
	var held, dead, live []*HostView
	for i := range v.Hosts { // of thousands, each time that one of them is done
		switch h := &v.Hosts[i]; {
		case h.Busy || !v.wants(h):
		case h.Phase == Failed:
			held = append(held, h)
		case h.Serving:
			live = append(live, h)
		default:
			dead = append(dead, h)
		}
	}
	return slices.Concat(held, dead, live)
}

func (v View) wants(h *HostView) bool {
	switch v.Direction {
	case Back:
		keeps := h.Fresh && h.Phase == Done
		ours := h.Phase != LeftOut || h.InPlace
		return h.Changed && !h.Tried && !keeps && h.Phase != Unknown && ours && h.Phase != Stuck
	case AsIs:
		return h.Phase == Failed && !h.Tried
	case Forward:
	}
	return h.Changes && (h.Phase == Staged || h.Phase == Failed && !h.Failed && !h.Tried)
}

// canariesOnly holds the rest back until the canaries are done.
func (v View) canariesOnly(todo []*HostView) []*HostView {
	if v.Direction != Forward {
		return todo
	}
	left := v.Canary
	for i := range v.Hosts {
		h := &v.Hosts[i]
		if h.Changes && (h.Phase == Done && !(v.Judged && h.Unseen) || !v.Judged && v.passed(h)) {
			left--
		}
	}
	if left <= 0 {
		return todo
	}
	for i := range v.Hosts {
		h := &v.Hosts[i]
		if h.Busy && (v.Judged || !v.passed(h)) {
			left--
		}
	}
	return todo[:max(0, min(left, len(todo)))]
}

// passed: in waves a slot is given on before the bake, by the change that puts its
// host back.
func (v View) passed(h *HostView) bool {
	return v.Waves && h.Busy && (h.Phase == Baking || h.Returns && v.cameBack)
}

// whole tells that the wave has come back to the gate, all of it.
func (v View) whole() bool {
	for i := range v.Hosts {
		h := &v.Hosts[i]
		if h.Busy && !h.Returns && h.Phase != Baking {
			return false
		}
	}
	return true
}

// held counts the slots taken: hosts in hand, and hosts that are out and ours.
func (v View) held() int {
	n := 0
	for i := range v.Hosts {
		h := &v.Hosts[i]
		if v.passed(h) {
			continue
		}
		if h.Busy || h.Phase == Failed || h.Phase == Stuck || h.Phase == Unknown && !h.Skipped && !h.InPlace {
			n++
		}
	}
	return n
}

func (v View) failures() int {
	n := 0
	for i := range v.Hosts {
		if h := &v.Hosts[i]; h.Failed {
			n++
		}
	}
	return n
}

func (v View) busy() bool {
	for i := range v.Hosts {
		if h := &v.Hosts[i]; h.Busy {
			return true
		}
	}
	return false
}

func (v View) stuck() bool {
	for i := range v.Hosts {
		if h := &v.Hosts[i]; h.Failed && (h.Phase == Stuck || h.Phase == Unknown) { // of this run, not of an earlier one
			return true
		}
	}
	return false
}
