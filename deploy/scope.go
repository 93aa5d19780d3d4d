package deploy

// A Scope says which hosts a run has to do with.
type Scope struct {
	Unread  map[string]string // hosts that could not be reached, and why; they are skipped
	Only    map[string]bool   // nil: all
	OutToo  bool              // change hosts that are out, too, and leave them out
	Restart bool              // a new process, whatever release runs
}

const notSelected = "not selected"

// Leaves tells that the run leaves the host alone.
func (c Scope) Leaves(host string) bool {
	return c.Unread[host] != "" || c.Only != nil && !c.Only[host]
}

// left is a host that the run leaves alone, on what it is known to run.
func (s Survey) left(host string) PlannedHost {
	r := s.Running[host]
	id := r.Release
	if id == "" {
		id = s.Current[host]
	}
	h := PlannedHost{Name: host, From: id, To: id, Ran: r.Release != "", Out: s.outOf(host), Serving: s.serves(host), Skip: notSelected}
	if why := s.Scope.Unread[host]; why != "" {
		h.Skip, h.Unread = why, true
	}
	return h
}

// within fits a planned host to the scope.
func (s Survey) within(h PlannedHost) PlannedHost {
	h.Again = s.Scope.Restart
	if h.Out != "" && s.Scope.OutToo {
		h.InPlace = s.outEverywhere(h.Name)
	}
	return h
}

// outEverywhere tells that no balancer sends requests to the host, by somebody's will.
func (s Survey) outEverywhere(host string) bool {
	for _, seats := range s.Seats {
		if in, ok := seats[host]; ok && in.rotates() {
			return false
		}
	}
	return true
}

// rotates tells whether the balancer would send requests here, or does not know.
func (s Seat) rotates() bool {
	return s.State == StateReady || s.State == StateDown || s.State == StateUnknown
}

// out tells that somebody took the host out there.
func (s Seat) out() bool { return s.State == StateDrain || s.State == StateMaint }
