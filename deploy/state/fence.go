package state

import (
	"context"
	"strings"
)

// Fence is the highest epoch that acted on the app here, 0 when none did.
func (s *Store) Fence(ctx context.Context) (int64, error) {
	out, err := s.ask(ctx, "read the fence", "fences", claimant{}, nil)
	if err != nil {
		return 0, err
	}
	n := number(strings.TrimSpace(out))
	if n < 0 {
		return 0, s.fault("read the fence", "it holds "+clean(strings.TrimSpace(out))+", not an epoch", "FD-FENCE-UNREADABLE",
			"look at "+s.dir+"/"+s.app+"/fence on "+s.name)
	}
	return n, nil
}

// Turn returns once no act of this epoch that was sent with a lower turn can take effect
// here any more. Acts are sent with the turn that the shell variable fd_turn has before
// their script begins, 0 without.
func (s *Store) Turn(ctx context.Context, epoch, turn int64) error {
	_, err := s.ask(ctx, "shut out what was given up", "turn", claimant{epoch: epoch}, struct{ Epoch, Turn int64 }{epoch, turn})
	return err
}

// RaiseTo has the fence stand at epoch here; one that stands there already, or higher, is a
// *FencedError.
func (s *Store) RaiseTo(ctx context.Context, epoch int64) error {
	_, err := s.ask(ctx, "raise the fence", "raise", claimant{epoch: epoch}, epoch)
	return err
}

// Raise returns the new epoch once every store is fenced with it: from then on no
// script of an older run does anything on any of them. floor is what the fences
// of the hosts say. On an error some may be fenced already; older runs are shut
// out there, and Raise may be called again. The caller holds the lease.
func Raise[F Fenced](ctx context.Context, stores []F, floor ...int64) (int64, error) {
	epoch := int64(0)
	for _, f := range floor {
		epoch = max(epoch, f)
	}
	for _, s := range stores {
		f, err := s.Fence(ctx)
		if err != nil {
			return 0, err
		}
		epoch = max(epoch, f)
	}
	epoch++
	for _, s := range stores {
		if err := s.RaiseTo(ctx, epoch); err != nil {
			return 0, err
		}
	}
	return epoch, nil
}
