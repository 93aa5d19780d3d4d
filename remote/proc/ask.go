package proc

import (
	"context"
	"strings"
	"time"
)

const (
	askRise    = 5 // answers in a row
	askStrays  = 2 // others that may come between: a last connection of the old process
	askTimeout = 2 * time.Second
	strayFor   = 3 * time.Second
)

// An asking proves a release by the app's own words, where its process does not
// show it.
type asking struct {
	want    string
	need    int // answers in a row; default askRise
	probe   func(context.Context) (string, error)
	timeout time.Duration
	first   time.Duration // when it was first needed
	wrong   int           // other answers in a row
	wrongAt time.Duration // since when
}

// again asks, each time on a fresh connection. Wrong takes as many answers as taken, and
// that they last: old workers that drain may still give them.
func (k *asking) again(ctx context.Context, at time.Duration) Verdict {
	if k.first == never {
		k.first = at
	}
	switch {
	case k.probe == nil && at-k.first < wrongFor:
		return waiting // exec may be under way
	case k.probe == nil:
		return Stalled
	case k.rise(ctx):
		return taken
	case k.wrong <= 1:
		k.wrongAt = at
	case k.wrong >= askRise && at-k.wrongAt >= strayFor:
		return Wrong
	}
	if at >= k.timeout {
		return Stalled
	}
	return waiting
}

// rise is true after enough right answers in a row.
func (k *asking) rise(ctx context.Context) bool {
	for row, strays := 0, 0; row < orElse(k.need, askRise); {
		switch right, answered := k.ask(ctx); {
		case right:
			row, k.wrong = row+1, 0
			continue
		case !answered:
			k.wrong = 0
		default:
			k.wrong++
		}
		if strays++; row == 0 || strays > askStrays {
			return false
		}
		row = 0
	}
	return true
}

func (k *asking) ask(ctx context.Context) (right, answered bool) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	said, err := k.probe(ctx)
	rev := revisionOf(k.want)
	return err == nil && (rev == adopted || hasWord(said, rev)), err == nil
}

// told asks the app which release it is, where its processes do not show it: as often as
// it has workers, which all have to say the same.
func (a *App) told(ctx context.Context, f facts, s spot, r Running) Running {
	if r.Release != none || s.deaf || a.cfg.VersionProbe == nil || !a.cfg.foreign(s.main) {
		return r
	}
	said := map[string]bool{}
	for range max(1, len(a.cfg.workers(f))) {
		text, err := a.heardOnce(ctx)
		r.Release = orElse(f.revised(text), none)
		if said[r.Release] = true; err != nil || r.Release == none || len(said) > 1 {
			r.Release = none
			break
		}
	}
	return r
}

func (a *App) heardOnce(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return a.cfg.VersionProbe(ctx)
}

// revised is the release whose revision stands in text: that of current, or else the
// only one.
func (f *facts) revised(text string) string {
	if f.current != "" && hasWord(text, revisionOf(f.current)) {
		return f.current
	}
	found := map[string]bool{}
	for _, ids := range f.entries {
		for _, id := range ids {
			if hasWord(text, revisionOf(id)) {
				found[id] = true
			}
		}
	}
	for id := range found {
		if len(found) == 1 {
			return id
		}
	}
	return ""
}

// adopted stands for the revision of an app that was found: nobody told it one.
const adopted = "adopted"

// revisionOf leaves out the "-<8 hex>" that a release id ends with.
func revisionOf(id string) string {
	if i := strings.LastIndexByte(id, '-'); i > 0 && len(id)-i == 9 {
		return id[:i]
	}
	return id
}

// hasWord is true when word stands in text with nothing of a revision beside it.
func hasWord(text, word string) bool {
	split := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._+-", r))
	}
	for _, w := range strings.FieldsFunc(text, split) {
		if w == word {
			return true
		}
	}
	return false
}
