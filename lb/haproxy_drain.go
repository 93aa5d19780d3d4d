package lb

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Claim changes nothing. It returns nil when act's script saw host in rotation, or
// out just as we left it, and enough others serving, by every floor; the mark is
// act's to write.
func (h *HAProxy) Claim(ctx context.Context, act Runner, host string, minServing int, also ...Floor) error {
	if h.bad != nil {
		return h.bad
	}
	decide := h.budget("claim", host, minServing, also) + h.ours(host)
	_, err := h.act(ctx, act, "claiming", decide, "", "")
	return err
}

// Drain returns once HAProxy itself said that every server of host is in drain. The
// floor is counted in the same script; when a server cannot be set, those set before
// are back. A host that is in drain already, or in maint by us, is left so.
func (h *HAProxy) Drain(ctx context.Context, act Runner, host string, minServing int, also ...Floor) error {
	if h.bad != nil {
		return h.bad
	}
	// A crash or a lost connection here leaves the host drained though no answer came;
	// GiveBack then looks.
	h.try(host, true)
	s, err := h.act(ctx, act, "draining", h.budget("drain", host, minServing, also)+h.ours(host),
		"act verify "+host+"\nexpect * 0 drain\n"+h.ours(host), "ready")
	if err != nil {
		// What was found changed after the set may be half put back: GiveBack looks.
		if r := reason(err); r != "" && r != ReasonChanged {
			h.try(host, false)
		}
		return err
	}
	return h.drained(host, s)
}

func (h *HAProxy) drained(host string, s *acted) error {
	l, before := h.Left(host)
	l.Served, l.Alone = s.served || before && l.Served, ""
	h.Recall(host, l)
	return h.remember(host, s.snapshot, l.Maint)
}

// ours tells the script what we left host as before, if we did.
func (h *HAProxy) ours(host string) string {
	l, _ := h.Left(host)
	var b strings.Builder
	for _, key := range sorted(l.Bits) {
		if l.Bits[key] != 0 {
			fmt.Fprintf(&b, "expect %s %d drain\n", key, l.Bits[key])
		}
	}
	return b.String()
}

func (h *HAProxy) budget(mode, host string, minServing int, also []Floor) string {
	s := fmt.Sprintf("act %s %s\nmin %d\n", mode, host, minServing)
	s += alsoLines(also)
	if h.cfg.AllowAgent {
		s += "agent\n"
	}
	return s
}

// reason is why err refused, "" when it is another error.
func reason(err error) string {
	var r *RefusedError
	if errors.As(err, &r) {
		return r.Reason
	}
	return ""
}

// acted is the state that an act read back, and what was before.
type acted struct {
	*snapshot
	served bool
}

// act runs check and act as one script and reads the state it left. An act that sets
// nothing has no readback.
func (h *HAProxy) act(ctx context.Context, act Runner, doing, decide, readback, undo string) (*acted, error) {
	out, err := act.Run(ctx, h.actScript(decide, readback, undo))
	if err != nil {
		return nil, h.explain(doing, err)
	}
	s, err := h.parsed(out)
	if err != nil {
		return nil, err
	}
	return &acted{s, strings.Contains("\n"+string(out), "\nfd-lb was 1\n")}, nil
}

// turn sets the servers from, seen in s, to want, when each still is as seen.
func (h *HAProxy) turn(ctx context.Context, act Runner, host string, s *snapshot, roots []*server, want, more string) (*snapshot, error) {
	decide := expect("to", host, s.gen, roots, want)
	a, err := h.tell(ctx, act, host, want, decide+more, expect("verify", host, s.gen, roots, want))
	if err != nil {
		return nil, err
	}
	return a.snapshot, nil
}

// tell is an act that may take effect though no answer comes: what host is then, it is by
// us.
func (h *HAProxy) tell(ctx context.Context, act Runner, host, want, decide, readback string) (*acted, error) {
	h.telling(host, map[string]int{"drain": forcedDrain, "maint": forcedMaint}[want])
	a, err := h.act(ctx, act, "setting "+want, decide, readback, "")
	if why := reason(err); why != "" && why != ReasonChanged {
		h.telling(host, 0)
	}
	return a, err
}
