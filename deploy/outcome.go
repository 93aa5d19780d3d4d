package deploy

// outcomeOf names how a run ended: the worst that holds of any host wins.
func outcomeOf(hosts []HostView, dir, began Direction, stopped, paused bool) Outcome {
	if dir == AsIs {
		return abandonedOutcome(hosts, stopped, paused)
	}
	stuck, left, changes, failures, fresh, skipped := 0, 0, 0, 0, 0, 0
	for _, h := range hosts {
		keeps := dir == Back && h.Fresh && h.Phase == Done
		placed := dir == Forward && h.InPlace && h.Changed && h.Phase == LeftOut && !h.Failed
		switch {
		case h.Skipped:
			skipped++
		case h.Phase == Stuck || h.Phase == Unknown || h.Loose:
			stuck++
		case placed:
		case keeps && h.Changed: // stopping what serves would help nobody
			fresh++
		case dir == Back && h.Changed, dir == Forward && h.wanting():
			left++
		}
		if h.Changes {
			changes++
		}
		if h.Failed || h.Doubt {
			failures++
		}
	}
	switch {
	case stuck > 0:
		return OutcomeStuck
	case stopped && left > 0:
		return OutcomeInterrupted
	case dir == Back && began == Forward && left > 0: // a rollback that is incomplete
		return OutcomeStuck
	case fresh > 0:
		return OutcomePaused
	case dir == Back && began == Forward:
		return OutcomeRolledBack
	case left > 0 || skipped > 0 || paused && failures > 0:
		return OutcomePaused
	case changes == 0:
		return OutcomeNothing
	}
	return OutcomeDone
}

// wanting: a host that is not where the plan would have it, and well: one that failed
// and serves all the same is no success, nor is one that had the release and died.
func (h HostView) wanting() bool {
	return h.Phase == Failed || h.Changes && (h.Phase != Done || h.Failed)
}

// leavesNothing tells whether there is nothing to go on with: the run came to its
// end, or no host was changed and none is out, or all that is not as it was before
// is a host where nothing ran.
func leavesNothing(o Outcome, hosts []HostView, dir Direction) bool {
	if o == OutcomeDone || o == OutcomeNothing || o == OutcomeRolledBack {
		return true
	}
	for _, h := range hosts {
		keeps := dir == Back && h.Fresh && h.Phase == Done
		if h.Changed && !keeps || h.Loose {
			return false
		}
		switch h.Phase {
		case Pending, Staged, Done, RolledBack, LeftOut:
		default:
			if !h.Skipped {
				return false
			}
		}
	}
	return true
}

// onlySkipped tells that hosts which could not be reached before the start are all
// that is missing.
func onlySkipped(hosts []HostView, dir Direction) bool {
	skipped := false
	for _, h := range hosts {
		skipped = skipped || h.Skipped
		if h.Failed || h.Loose || !h.Skipped && h.wanting() && !(h.InPlace && h.Phase == LeftOut) {
			return false
		}
	}
	return skipped && dir == Forward
}

// Exit is the exit code of an outcome.
func (o Outcome) Exit() int {
	switch o {
	case OutcomeDone, OutcomeNothing:
		return 0
	case OutcomeRefused:
		return 1
	case OutcomePaused:
		return 3
	case OutcomeStuck:
		return 4
	case OutcomeLocked:
		return 5
	case OutcomeUnfinished:
		return 6
	case OutcomeRolledBack:
		return 7
	case OutcomeInterrupted:
		return 130
	case Abandoned: // of the past
	}
	return 4
}

// Next is what a person does after an outcome that leaves something unfinished.
func (o Outcome) Next(mode Mode) string {
	switch o {
	case OutcomePaused, OutcomeInterrupted, OutcomeUnfinished, OutcomeStuck:
		if mode == ModeRollback {
			return "finish it with \"flipdeploy resume\""
		}
		return "go on with \"flipdeploy resume\", or back with \"flipdeploy rollback\""
	case OutcomeDone, OutcomeNothing, OutcomeRefused, OutcomeLocked, OutcomeRolledBack, Abandoned:
	}
	return ""
}
