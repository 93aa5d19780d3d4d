package deploy

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
	Unseen  bool   // an earlier run died while it baked, or was in doubt: it is done, and no canary
	Trusted bool   // somebody goes on in spite of that doubt
	Loose   bool   // a balancer that was lost may have it out
	Away    bool   // its zone could not be reached when it was to change: others come first
	Watched bool   // it is of the first zone, and was, or is, watched before the next is begun
	Zone    int    // its zone's place in the plan
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
	Zones     int  // one of them at a time; 0 is one
	ZoneBake  bool // the first is watched before the next
	AnyZone   bool // the first is no trial for the others

	cameBack bool // all of the wave, as whole says
}

// A Decision is what to do now. Start may be empty while workers are busy.
type Decision struct {
	Start   []string // hosts to begin with, in the direction of the view
	Watch   bool     // they are done: the first zone is watched as a whole
	Turn    bool     // go back from here on
	Over    bool     // nothing is left to do or to wait for
	Waiting bool     // hosts are left, none may start now, none is busy
}

// Next decides.
func Next(v View) Decision {
	v.cameBack = v.Waves && v.whole()
	t := v.tally()
	switch {
	case v.Direction == Forward && !v.Stop && t.failures > v.MaxFail && v.OnFailure == FailRollback:
		return Decision{Turn: true}
	case v.halted(t) || !t.left():
		return Decision{Over: t.busy == 0}
	}
	return v.begin(t)
}

// begin is who may start of those that are left.
func (v *View) begin(t tally) Decision {
	if start := v.watchers(t); len(start) > 0 {
		return Decision{Start: start, Watch: true}
	}
	left, free, blocked := v.open(t), v.Parallel-t.held, false
	var start []string
	for h := range v.todo(t) {
		holds := h.keeps() // its slot already
		if left--; left < 0 || free <= 0 && !holds && len(start)+t.busy > 0 {
			break
		}
		blocked = blocked || h.Blocked
		if h.Blocked || free <= 0 && !holds {
			continue
		}
		start = append(start, h.Name)
		if !holds {
			free--
		}
	}
	idle := len(start) == 0 && t.busy == 0
	// With no host to wait for, the slots are held by hosts that stay out: nothing
	// that is left can ever start.
	return Decision{Start: start, Waiting: idle && blocked, Over: idle && !blocked}
}

// halted: nothing more may start, though hosts are left.
func (v *View) halted(t tally) bool {
	if v.Stop {
		return true
	}
	switch v.Direction {
	case Back:
		return t.stuck > 0
	case AsIs: // no host hinders another
		return false
	case Forward:
	}
	return t.failures > v.MaxFail
}

func (v *View) wants(h *HostView) bool {
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

// passed: in waves a slot is given on before the bake, by the change that puts its
// host back. A zone that is watched takes none.
func (v *View) passed(h *HostView) bool {
	return h.Busy && (v.Waves && (h.Phase == Baking || h.Returns && v.cameBack) || h.Watched && h.Phase == Baking)
}

// whole tells that the wave has come back to the gate, all of it.
func (v *View) whole() bool {
	for i := range v.Hosts {
		h := &v.Hosts[i]
		if h.Busy && !h.Returns && h.Phase != Baking {
			return false
		}
	}
	return true
}
