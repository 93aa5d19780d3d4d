package remote

import (
	"context"
	"errors"
	"io"
)

// Fetch runs a script that changes nothing and writes its stdout to to, without a limit
// but to's own: once to refuses more the script is left alone. The error is nil for exit
// 0 and complete output only.
func (m *Machine) Fetch(ctx context.Context, script string, to io.Writer) error {
	_, err := about(ctx, m.cfg.Name, script, func(ctx context.Context) ([]byte, error) {
		release, err := m.Hold(ctx)
		if err != nil {
			return nil, err
		}
		defer release()
		ctx, pulse := m.pulse(ctx)
		defer pulse.stop()
		p, err := m.start(ctx, script, false, &fetched{to, pulse})
		if err == nil {
			defer p.leave()
			err = p.wait(ctx, "fetch")
		}
		var why refusal
		if errors.As(context.Cause(ctx), &why) {
			err = why.error
		}
		return nil, err
	})
	return err
}

// A refusal is why nobody wants the rest.
type refusal struct{ error }

// fetched goes on reading after a refusal: unread output would hold the session open.
type fetched struct {
	to    io.Writer
	pulse *pulse
}

func (f *fetched) Write(p []byte) (int, error) {
	f.pulse.beat()
	if _, err := f.to.Write(p); err != nil {
		f.to = io.Discard
		f.pulse.end(refusal{err})
	}
	return len(p), nil
}
