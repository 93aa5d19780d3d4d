package lb

import "context"

// Hold returns nil while host stands as we left it. What a restarted or reloaded
// HAProxy forgot is set again (again is true); what a person changed is refused. A
// host that is to be in maint and could not go there at once goes when it is idle; so
// does one that was left in drain, once that is not proven to be enough any more.
func (h *HAProxy) Hold(ctx context.Context, act Runner, host string) (again bool, err error) {
	s, err := h.look(ctx, "")
	if err != nil {
		return false, err
	}
	st, again, err := h.hold(ctx, act, host, s)
	if err != nil {
		return again, err
	}
	if !again {
		h.stillAlone(ctx, host, s)
	}
	if l, _ := h.Left(host); l.Maint && !st.maint && !again {
		return false, h.sink(ctx, act, host, s, st)
	}
	return again, nil
}

// hold compares s with what we left and sets again what was forgotten: drain first,
// whatever it was, because requests may have come since.
func (h *HAProxy) hold(ctx context.Context, act Runner, host string, s *snapshot) (standing, bool, error) {
	l, ok := h.Left(host)
	if !ok && !h.adopt(host, s) {
		return standing{}, false, notOut(host, s)
	}
	if !ok {
		l, _ = h.Left(host)
	}
	st, err := l.stands(host, s)
	if err != nil {
		return st, false, err
	}
	if len(st.forgotten) == 0 {
		if !st.same {
			err = h.remember(host, s, l.Maint)
		}
		return st, false, err
	}
	return h.again(ctx, act, host, s, st, l.Maint)
}

func (h *HAProxy) again(ctx context.Context, act Runner, host string, s *snapshot, st standing, maint bool) (standing, bool, error) {
	decide := expect("to", host, s.gen, st.roots, "drain")
	for _, r := range st.roots {
		if r.out() == forcedMaint { // survived the restart: it stays
			decide += "expect " + r.key() + " 1 maint\n"
		}
	}
	a, err := h.tell(ctx, act, host, "drain", decide, "act none "+host)
	if reason(err) == "restarted" {
		return st, false, nil // once more: the next poll sees what stands then
	}
	if err != nil {
		return st, false, err
	}
	if err := h.remember(host, a.snapshot, maint); err != nil {
		return st, true, err
	}
	h.stillAlone(ctx, host, a.snapshot)
	if l, _ := h.Left(host); l.Maint {
		if st, err = l.stands(host, a.snapshot); err != nil {
			return st, true, err
		}
		err = h.sink(ctx, act, host, a.snapshot, st)
	}
	return st, true, err
}

// sink sends a drained host to maint if it is idle; if not, a later poll does.
func (h *HAProxy) sink(ctx context.Context, act Runner, host string, s *snapshot, st standing) error {
	if h.load(host, s).sessions > 0 {
		return nil
	}
	after, err := h.turn(ctx, act, host, s, st.roots, "maint", "")
	switch reason(err) {
	case "busy", "restarted":
		return nil
	}
	if err != nil {
		return err
	}
	return h.remember(host, after, true)
}

// notOut: we know of nothing that we left, and it is not out as we would leave it.
func notOut(host string, s *snapshot) error {
	roots, err := s.targets(host)
	if err != nil {
		return err
	}
	return &RefusedError{Reason: ReasonChanged, Detail: roots[0].key() + " is " + stateWord(roots[0].out())}
}
