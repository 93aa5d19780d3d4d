package remote

import (
	"context"
	"fmt"
	"time"
)

type patienceKey struct{}

// Patient lets calls under ctx take up to d, for scripts whose work grows with what is
// there: copies, sums. Others are given up after Config.CallTimeout.
func Patient(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, patienceKey{}, d)
}

// within ends with ctx, and when a call has been waited for long enough: sshd answers for
// a machine whose disk or sudo hangs.
func (m *Machine) within(ctx context.Context) (context.Context, context.CancelFunc) {
	d, given := ctx.Value(patienceKey{}).(time.Duration)
	if !given {
		d = m.cfg.CallTimeout
	}
	return context.WithTimeoutCause(ctx, d, fmt.Errorf("no answer for %s", d))
}
