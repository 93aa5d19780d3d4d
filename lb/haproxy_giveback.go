package lb

import (
	"context"
	"time"
)

// GiveBack puts a host that was taken out and not touched since back as it was
// found, at once. One that we did not take out, or that is back, is left alone; one
// that a person changed is refused. A host that did not serve before, and is in
// maint, gets one round of checks first: HAProxy would call it up unseen.
func (h *HAProxy) GiveBack(ctx context.Context, act Runner, host string) error {
	var surfaced time.Time
	for {
		done, err := h.giveBack(ctx, act, host, &surfaced)
		if done {
			h.forget(host)
			return nil
		}
		if err != nil {
			return err
		}
		if !pause(ctx, h.cfg.PollEvery) {
			return context.Cause(ctx)
		}
	}
}

func (h *HAProxy) giveBack(ctx context.Context, act Runner, host string, surfaced *time.Time) (bool, error) {
	l, ok := h.Left(host)
	if !ok && !h.tried(host) {
		return true, nil
	}
	s, err := h.look(ctx, "")
	if err != nil {
		return false, err
	}
	if inRotation(s, host) {
		return true, nil
	}
	roots, err := l.ours(host, s)
	if err != nil {
		return false, err
	}
	return h.lift(ctx, act, host, s, roots, l, surfaced)
}

// ours are host's servers, each in rotation or as we set it.
func (l Left) ours(host string, s *snapshot) ([]*server, error) {
	roots, err := s.targets(host)
	if err != nil {
		return nil, err
	}
	for _, r := range roots {
		want, known := l.Bits[r.key()]
		if !known {
			want = forcedDrain // sent, and never answered
		}
		if r.out() != 0 && r.out() != want && !l.as(r) {
			return nil, changed(r, want)
		}
	}
	return roots, nil
}

// lift takes the next step up: through drain for a host that was down, else at once.
func (h *HAProxy) lift(ctx context.Context, act Runner, host string, s *snapshot, roots []*server, l Left, surfaced *time.Time) (bool, error) {
	want := "ready"
	for _, r := range roots {
		switch {
		case l.Served || l.Bits == nil:
		case r.out() == forcedMaint:
			want = "drain"
		case r.checked() && !r.full() && r.op != opStopped && time.Since(*surfaced) < patience:
			return false, nil
		}
	}
	after, err := h.turn(ctx, act, host, s, roots, want, "")
	if err != nil {
		return false, ignore(err, "restarted")
	}
	if want == "drain" {
		*surfaced = time.Now()
		return false, h.remember(host, after, false)
	}
	return inRotation(after, host), nil
}
