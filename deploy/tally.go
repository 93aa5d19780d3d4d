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
	stuck    int // in this run, not in an earlier one
	held     int // slots taken: hosts in hand, and hosts that are out and ours
	proven   int // hosts that count as canaries that are done
	trying   int // hosts that may become such
	part         // of the zone that may be begun now
	zone     int // it
	zones    []part
}

// A part is what is left of one zone.
type part struct {
	todo  [ranks]int // hosts left in this direction
	first [ranks]int // of those
	hands int        // hosts in hand
	away  bool       // one of them could not be reached when its turn came
	begun bool       // one of them is known to have been changed
}

func (p *part) left() bool { return p.todo != [ranks]int{} }

// left tells whether anything is, in any zone.
func (t *tally) left() bool {
	for i := range t.zones {
		if t.zones[i].left() {
			return true
		}
	}
	return false
}

func (v *View) tally() (t tally) {
	var one [4]part
	if t.zones = one[:]; v.Zones > len(one) {
		t.zones = make([]part, v.Zones)
	}
	t.zones = t.zones[:max(1, v.Zones)]
	for i := range v.Hosts {
		v.enter(&t, i)
	}
	t.zone = v.zone(&t)
	t.part = t.zones[t.zone]
	return t
}

// zone is the one that may be begun now. Only one is in hand at a time; the first is done
// before another is begun; one that cannot be reached waits for the others. A rollback
// goes through them backwards: the zone in hand comes first.
func (v *View) zone(t *tally) int {
	last, away := len(t.zones)-1, -1
	for i := range t.zones {
		if t.zones[i].hands > 0 {
			return i
		}
	}
	for _, held := range []bool{true, false} { // they hold slots that others wait for
		for n := range t.zones {
			i := n
			if v.Direction == Back {
				i = last - n
			}
			switch z := &t.zones[i]; {
			case !z.left() || held && z.todo[rankHeld] == 0:
			case !z.away, v.Direction == Forward && !held && v.tries(t, i):
				return i
			case away < 0:
				away = i
			}
		}
	}
	return max(0, away)
}

// tries tells whether a zone is the first, and so the trial for the others.
func (v *View) tries(t *tally, zone int) bool {
	for i := range t.zones {
		if i != zone && t.zones[i].begun {
			return false
		}
	}
	return !v.AnyZone
}

// watchers are the hosts of the first zone, once it is done and no other was begun.
func (v *View) watchers(t tally) (start []string) {
	if !v.ZoneBake || v.Direction != Forward || t.busy > 0 || len(t.zones) < 2 {
		return nil
	}
	begun := -1
	for i := range t.zones {
		switch z := &t.zones[i]; {
		case !z.begun:
		case begun >= 0 || z.left():
			return nil
		default:
			begun = i
		}
	}
	for i := range v.Hosts {
		if h := &v.Hosts[i]; h.Zone == begun && h.Phase == Done && h.Changed && !h.Watched {
			start = append(start, h.Name)
		}
	}
	return start
}

func (v *View) enter(t *tally, i int) {
	h := &v.Hosts[i]
	z := &t.zones[0]
	if v.Direction != AsIs && h.Zone < len(t.zones) {
		z = &t.zones[h.Zone]
	}
	z.begun = z.begun || h.Changed && h.Phase != Unknown
	if v.rests(h) { // as most of thousands do
		if h.Changes && !(v.Judged && h.Unseen) {
			t.proven++
		}
		return
	}
	passed := v.passed(h)
	if h.Busy {
		t.busy++
		z.hands++
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
		z.away = z.away || h.Away
		if z.todo[r]++; z.todo[r] == 1 {
			z.first[r] = i
		}
	}
}

// rests: it is done, and nothing but that.
func (v *View) rests(h *HostView) bool {
	return v.Direction == Forward && h.Phase == Done && !h.Busy && !h.Failed && !h.Loose
}

// keeps tells that the host has a slot by itself: it is out and ours, or may be so behind
// a way that is cut off.
func (h *HostView) keeps() bool { return h.Phase == Failed || h.Loose && h.Away }

// holds tells whether the host takes a slot.
func (h *HostView) holds() bool {
	return h.Busy || h.keeps() || h.Phase == Stuck || h.Phase == Unknown && !h.Skipped && !h.InPlace
}

func (v *View) rank(h *HostView) int {
	switch {
	case h.Busy || !v.wants(h):
		return rankNone
	case h.keeps():
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
				if h := &v.Hosts[i]; v.rank(h) == rank && (h.Zone == t.zone || v.Zones < 2 || v.Direction == AsIs) {
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
