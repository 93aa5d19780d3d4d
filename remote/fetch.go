package remote

import (
	"context"
	"io"
)

// Fetch runs a script that changes nothing and writes its stdout to to, without a limit.
// The error is nil for exit 0 and complete output only.
func (m *Machine) Fetch(ctx context.Context, script string, to io.Writer) error {
	_, err := about(ctx, m.cfg.Name, script, func(ctx context.Context) ([]byte, error) {
		w := &broken{to: to}
		p, err := m.start(ctx, script, false, w)
		if err != nil {
			return nil, err
		}
		if err := p.wait(ctx, "fetch"); err != nil {
			return nil, err
		}
		return nil, w.err
	})
	return err
}

// broken goes on reading once nobody wants it: unread output would hold the script up.
type broken struct {
	to  io.Writer
	err error
}

func (b *broken) Write(p []byte) (int, error) {
	if b.err == nil {
		_, b.err = b.to.Write(p)
	}
	return len(p), nil
}
