package deploy

import "iter"

// Ranks of hosts that are left to do: first those that an earlier run left out, as they
// hold a slot that others wait for, then those that do not serve, since changing them
// costs no capacity and may win some.
const (
	rankHeld = iota
	rankDead
	rankLive
	ranks
	rankNone = -1
)

// A tally is what one look at all hosts gives: of thousands, each time that one of them
// is done.
type tally struct {
	busy     int
	failures int
	stuck    int        // in this run, not in an earlier one
	held     int        // slots taken: hosts in hand, and hosts that are out and ours
	proven   int        // hosts that count as canaries that are done
	trying   int        // hosts that may become such
	todo     [ranks]int // hosts left in this direction
	first    [ranks]int // of those
}

func (v *View) tally() (t tally) {
	for i := range v.Hosts {
		v.enter(&t, i)
	}
	return t
}

func (v *View) enter(t *tally, i int) {
	h := &v.Hosts[i]
	passed := v.passed(h)
	if h.Busy {
		t.busy++
		if v.Judged || !passed {
			t.trying++
		}
	}
	if h.Failed {
		t.failures++
		if h.Phase == Stuck || h.Phase == Unknown {
			t.stuck++
		}
	}
	if !passed && h.holds() {
		t.held++
	}
	if h.Changes && (h.Phase == Done && !(v.Judged && h.Unseen) || !v.Judged && passed) {
		t.proven++
	}
	if r := v.rank(h); r != rankNone {
		if t.todo[r]++; t.todo[r] == 1 {
			t.first[r] = i
		}
	}
}

// holds tells whether the host takes a slot.
func (h *HostView) holds() bool {
	return h.Busy || h.Phase == Failed || h.Phase == Stuck || h.Phase == Unknown && !h.Skipped && !h.InPlace
}

func (v *View) rank(h *HostView) int {
	switch {
	case h.Busy || !v.wants(h):
		return rankNone
	case h.Phase == Failed:
		return rankHeld
	case h.Serving:
		return rankLive
	}
	return rankDead
}

// todo are the hosts left in this direction, by rank, in plan order.
func (v *View) todo(t tally) iter.Seq[*HostView] {
	return func(yield func(*HostView) bool) {
		for rank, left := range t.todo {
			for i := t.first[rank]; left > 0; i++ {
				if h := &v.Hosts[i]; v.rank(h) == rank {
					if left--; !yield(h) {
						return
					}
				}
			}
		}
	}
}

// open is how many of those left may be looked at: the rest is held back until the
// canaries are done.
func (v *View) open(t tally) int {
	left := v.Canary - t.proven
	if v.Direction != Forward || left <= 0 {
		return len(v.Hosts)
	}
	return max(0, left-t.trying)
}
