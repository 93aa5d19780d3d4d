package lb

import (
	"fmt"
	"maps"
	"strings"
)

// Left is what we left a host as, to be compared with what stands later. It can be
// written down and given to a later run with Recall.
type Left struct {
	Pid    int            `json:"pid"`    // of the HAProxy that we told
	Start  int64          `json:"start"`  // its start, seconds
	Bits   map[string]int `json:"bits"`   // POOL/SERVER → 8 drained, 1 in maint
	Maint  bool           `json:"maint"`  // in maint, or to be as soon as it is idle
	Served bool           `json:"served"` // it served before we took it out
	Tried  int            `json:"tried"`  // what it was told since, and no answer came

	Alone   string `json:"alone,omitempty"`    // why drain is enough; "" when it is not, or nobody knows yet
	AloneBy string `json:"alone_by,omitempty"` // the HAProxy of which that was proven
	Total   int64  `json:"total,omitempty"`    // requests that it had given the host by then
}

// as tells that a server which is out is so by us: as we left it, or as it was told and
// nobody knows whether it heard.
func (l Left) as(v *server) bool {
	want, known := l.Bits[v.key()]
	return known && v.out() == want || l.Tried != 0 && v.out() == l.Tried
}

// Left tells what we left host as; false when we left nothing.
func (h *HAProxy) Left(host string) (Left, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l, ok := h.left[host]
	l.Bits = maps.Clone(l.Bits)
	return l, ok
}

// Recall takes what an earlier run left as ours.
func (h *HAProxy) Recall(host string, l Left) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l.Bits = maps.Clone(l.Bits)
	h.left[host] = l
}

func (h *HAProxy) forget(host string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.left, host)
	delete(h.trying, host)
}

func (h *HAProxy) try(host string, on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if on {
		h.trying[host] = true
	} else {
		delete(h.trying, host)
	}
}

func (h *HAProxy) tried(host string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.trying[host]
}

// telling notes that host is being told to go to bits; 0 that it was not.
func (h *HAProxy) telling(host string, bits int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l, ok := h.left[host]; ok {
		l.Tried = bits
		h.left[host] = l
	}
}

// remember notes what stands now as what we left.
func (h *HAProxy) remember(host string, s *snapshot, maint bool) error {
	roots, err := s.targets(host)
	if err != nil {
		return err
	}
	l, _ := h.Left(host)
	l.Pid, l.Start, l.Maint, l.Bits, l.Tried = s.gen.pid, s.gen.start, maint, map[string]int{}, 0
	for _, r := range roots {
		l.Bits[r.key()] = r.out()
	}
	if maint {
		l.Alone = ""
	}
	h.Recall(host, l)
	return nil
}

// adopt takes a host that stands out, all its servers alike, as ours: the caller's
// owner mark says so. It reports whether it did.
func (h *HAProxy) adopt(host string, s *snapshot) bool {
	roots, err := s.targets(host)
	if err != nil {
		return false
	}
	bits := roots[0].out()
	for _, r := range roots {
		if r.out() != bits || bits != forcedDrain && bits != forcedMaint {
			return false
		}
	}
	return h.remember(host, s, bits == forcedMaint) == nil
}

// A standing is how what is compares with what we left.
type standing struct {
	roots     []*server
	forgotten []*server // in rotation, and it was a restart that put them there
	same      bool      // HAProxy has not restarted
	maint     bool      // all are in maint
}

// stands compares. Another state of the same process is a person's doing, and so is
// one that neither we nor a restart can have set.
func (l Left) stands(host string, s *snapshot) (standing, error) {
	roots, err := s.targets(host)
	if err != nil {
		return standing{}, err
	}
	st := standing{roots: roots, same: l.Pid == s.gen.pid && l.Start == s.gen.start, maint: true}
	for _, r := range roots {
		want, known := l.Bits[r.key()]
		st.maint = st.maint && r.out() == forcedMaint
		switch have := r.out(); {
		case l.as(r):
		case have == 0 && (!st.same || !known):
			st.forgotten = append(st.forgotten, r)
		default:
			return st, changed(r, want)
		}
	}
	return st, nil
}

func changed(v *server, want int) error {
	return &RefusedError{Reason: ReasonChanged, Detail: fmt.Sprintf("%s is %s, we left it in %s", v.key(), stateWord(v.out()), stateWord(want))}
}

func stateWord(bits int) string {
	switch {
	case bits == 0:
		return "ready"
	case bits&maintBits != 0:
		return "maint"
	case bits&drainBits != 0:
		return "drain"
	}
	return fmt.Sprintf("state %d", bits)
}

// expect tells the script what each server must be now and shall be.
func expect(mode, host string, gen generation, roots []*server, want string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "act %s %s\npid %d %d\n", mode, host, gen.pid, gen.start)
	for _, r := range roots {
		fmt.Fprintf(&b, "expect %s %d %s\n", r.key(), r.out(), want)
	}
	return b.String()
}
