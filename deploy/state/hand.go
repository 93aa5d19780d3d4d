package state

import (
	"context"
	"encoding/json"
	"strings"
	"time"
)

// A Sight is what keeps rollouts of the app off one balancer. The zero value is
// nothing.
type Sight struct {
	Holder  *Holder // of the lease, nil while it is free
	Freeze  *Freeze // by hand, nil without one
	Pausing bool    // the holder is asked to pause
}

// Sight reads who holds the app here, and takes nothing: not even for a moment
// would the lease look held to a run that wants it.
func (s *Store) Sight(ctx context.Context) (Sight, error) {
	out, err := s.ask(ctx, "look at the lock", "sight", claimant{}, nil)
	var saw Sight
	for line := range strings.Lines(out) {
		what, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch what {
		case "holder":
			h := ReadHolder(rest)
			saw.Holder = &h
		case "freeze":
			saw.Freeze = ReadFreeze(rest)
		case "pause":
			saw.Pausing = true
		}
	}
	return saw, err
}

// ReadFreeze is the freeze of a line, and remembers how it stands there.
func ReadFreeze(line string) *Freeze {
	f := readFreeze(line)
	f.line = line
	return &f
}

// Line is the freeze as ReadFreeze was given it, "" for one that is not kept yet.
func (f Freeze) Line() string { return f.line }

// Freeze keeps every rollout of the app off this balancer until Unfreeze. A freeze
// that is there already is kept and returned; nil says that f is the one.
func (s *Store) Freeze(ctx context.Context, f Freeze) (*Freeze, error) {
	out, err := s.ask(ctx, "freeze", "freeze", claimant{}, object(f))
	if err != nil || out == "" {
		return nil, err
	}
	return ReadFreeze(strings.TrimSuffix(strings.TrimPrefix(out, "freeze "), "\n")), nil
}

// Unfreeze removes f, as Sight or Freeze returned it. A freeze that another wrote
// meanwhile stays, and is a *FrozenError; that none is there any more is no error.
func (s *Store) Unfreeze(ctx context.Context, f Freeze) error {
	out, err := s.ask(ctx, "unfreeze", "unfreeze", claimant{}, f.line)
	if err != nil || out == "" {
		return err
	}
	now := ReadFreeze(strings.TrimSuffix(strings.TrimPrefix(out, "freeze "), "\n"))
	return &FrozenError{App: s.app, Balancer: s.name, Freeze: *now}
}

// Pause asks the run that holds the lease to stop after the hosts in hand, which it
// learns with its next heartbeat, and returns who it is; nil says that none does and
// that nobody was asked. What is asked ends with that run.
func (s *Store) Pause(ctx context.Context, who string, now time.Time) (*Holder, error) {
	asked := struct {
		Who   string    `json:"who"`
		Since time.Time `json:"since"`
	}{who, now.UTC().Truncate(time.Second)}
	out, err := s.ask(ctx, "pause", "pause", claimant{}, object(asked))
	if err != nil || out == "" {
		return nil, err
	}
	h := ReadHolder(strings.TrimSuffix(strings.TrimPrefix(out, "holder "), "\n"))
	return &h, nil
}

// Prepared is nil where Prepare would be: the state directory stands or can be made,
// and the tools are there. Nothing is changed.
func (s *Store) Prepared(ctx context.Context) error {
	_, err := s.ask(ctx, "prepare", "prepared", claimant{}, struct{ Sudo bool }{s.sudo})
	return err
}

func object(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only a year beyond 9999 does that
	}
	return string(b)
}
