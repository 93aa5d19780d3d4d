package site

import (
	"context"
	"errors"
	"testing"

	"github.com/flipdeploy/flipdeploy/remote"
)

// A forgetful machine loses its first answers.
type forgetful struct {
	Machine
	loses, asked int
	cancel       func()
}

func (f *forgetful) Run(context.Context, string) ([]byte, error) {
	if f.asked++; f.asked > f.loses {
		return []byte("user\tdeploy\n"), nil
	}
	if f.cancel != nil {
		f.cancel()
	}
	return nil, &remote.UnknownError{}
}

func TestALookWhoseAnswerWasLostIsTakenOnceMore(t *testing.T) {
	for _, c := range []struct {
		loses, asked int
		calledOff    bool
		user         string
	}{{0, 1, false, "deploy"}, {1, 2, false, "deploy"}, {2, 2, false, ""}, {1, 1, true, ""}} {
		ctx, cancel := context.WithCancel(t.Context())
		m := &forgetful{loses: c.loses}
		if c.calledOff {
			m.cancel = cancel
		}
		f, err := New(Config{}, m).Observe(ctx)
		cancel()
		if f.User != c.user || m.asked != c.asked || (c.user == "") != errors.As(err, new(*remote.UnknownError)) {
			t.Errorf("%d lost: asked %d times, %q, %v", c.loses, m.asked, f.User, err)
		}
	}
}
