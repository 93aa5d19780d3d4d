package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/flipdeploy/flipdeploy/remote/site"
)

// A sureMachine is one on which nothing takes effect that this run has given up. A call
// whose outcome nobody knows may be under way for as long as its machine is frozen, and
// the fence lets it: it is of our own epoch. So before anything else is asked there, a
// number rises beside the fence, and scripts that were sent with a lower one are refused.
type sureMachine struct {
	site.Machine

	// turns has scripts of the epoch that were sent with a lower turn refused there.
	turns func(ctx context.Context, epoch, turn int64) error

	mu    sync.Mutex
	epoch int64 // 0: nothing was changed from here yet
	doubt bool  // a call was given up
	turn  int64 // of what is sent
	tried int64 // highest turn that may stand there
}

// fenced is told the epoch once earlier runs are shut out there: whatever was given up
// before is of a lower one.
func (s *sureMachine) fenced(epoch int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch, s.doubt, s.turn, s.tried = epoch, false, 0, 0
}

func (s *sureMachine) Run(ctx context.Context, script string) ([]byte, error) {
	turn, err := s.sure(ctx)
	if err != nil {
		return nil, err
	}
	out, err := s.Machine.Run(ctx, turn+script)
	return out, s.heard(err)
}

func (s *sureMachine) Stream(ctx context.Context, script string, payload io.Reader) ([]byte, error) {
	turn, err := s.sure(ctx)
	if err != nil {
		return nil, err
	}
	out, err := s.Machine.Stream(ctx, turn+script, payload)
	return out, s.heard(err)
}

// sure returns once nothing that was given up can take effect any more, with what a
// script has to begin with for its turn to be known there.
func (s *sureMachine) sure(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doubt && s.epoch != 0 {
		s.tried++ // the answer of the last try may have been lost, and the try be under way
		if err := s.turns(ctx, s.epoch, s.tried); err != nil {
			return "", fmt.Errorf("shut out what may still be under way: %w", err)
		}
		s.turn, s.doubt = s.tried, false
	}
	if s.turn == 0 {
		return "", nil
	}
	return fmt.Sprintf("fd_turn=%d\n", s.turn), nil
}

func (s *sureMachine) heard(err error) error {
	var u interface{ OutcomeUnknown() bool }
	if errors.As(err, &u) && u.OutcomeUnknown() {
		s.mu.Lock()
		s.doubt = true
		s.mu.Unlock()
	}
	return err
}
