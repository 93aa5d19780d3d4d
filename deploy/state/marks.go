package state

import (
	"context"
	"strings"
)

// Hand is the rollout word of a mark that a person left with "flipdeploy drain".
const Hand = "hand"

// A Mark says who took a backend out, or is about to.
type Mark struct {
	Key
	App     string
	Rollout string // or Hand
	Epoch   int64
	Host    string
	Before  string // what it was before our first act
	Who     string
	When    string
	Claimed bool // only about to: whoever took it out since was another
}

// Marks are those of every app on this machine.
func (s *Store) Marks(ctx context.Context) ([]Mark, error) {
	out, err := s.ask(ctx, "read the owner marks", "marks", claimant{}, nil)
	if err != nil {
		return nil, err
	}
	var all []Mark
	for line := range strings.Lines(out) {
		if words := strings.Fields(line); len(words) > 1 {
			all = append(all, markOf(words))
		}
	}
	return all, nil
}

// markOf reads `app key rollout epoch host before who when`, and behind it perhaps
// "claimed"; marks from before that word was known are without it. A mark with no words in
// it has an owner that nobody knows, "?".
func markOf(words []string) Mark {
	at := func(i int) string {
		if i < len(words) {
			return clean(words[i])
		}
		return ""
	}
	return Mark{App: at(0), Key: keyOf(at(1)), Rollout: at(2), Epoch: number(at(3)), Host: at(4), Before: at(5), Who: at(6), When: at(7), Claimed: at(8) == "claimed"}
}
