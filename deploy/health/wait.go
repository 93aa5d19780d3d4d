package health

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"al.essio.dev/pkg/shellescape"
)

// A Vantage is a machine from which a host is asked.
type Vantage struct {
	Name   string
	Dialer Dialer
	Addr   string // of the host, as seen from there; without a port the check's is added
}

// errLate ends Wait at its own deadline.
var errLate = errors.New("health.deadline")

// Wait returns nil once every vantage got Rise good answers in a row, each on a
// fresh connection, and, when a revision is wanted and VersionPath can tell it,
// that revision. Before that it returns a *UnhealthyError or *VersionError at the
// Deadline, at once a *ForbiddenError, or the cause of ctx.
func (c Check) Wait(ctx context.Context, vantages []Vantage, revision string) error {
	c = c.filled()
	if len(vantages) == 0 {
		return errors.New("health: nobody to ask from")
	}
	within, cancel := context.WithTimeoutCause(ctx, c.Deadline, errLate)
	defer cancel()
	watches := make([]watch, len(vantages))
	var all sync.WaitGroup
	for i, v := range vantages {
		w := &watches[i]
		w.check, w.at, w.began = c, v, time.Now()
		all.Go(func() {
			if w.run(within, revision); w.final != nil {
				cancel() // the others cannot change the verdict
			}
		})
	}
	all.Wait()
	return c.verdict(ctx, watches)
}

func (c Check) verdict(ctx context.Context, watches []watch) error {
	bad := &UnhealthyError{Within: c.Deadline}
	for _, w := range watches {
		if w.final != nil {
			return w.final
		}
		if !w.healthy {
			bad.Sights = append(bad.Sights, w.sight)
			bad.Try = or(bad.Try, c.try(w.at))
		}
	}
	if err := context.Cause(ctx); err != nil && len(bad.Sights) > 0 {
		return fmt.Errorf("asking for health from %s: %w; so far %s", bad.Sights[0].Vantage, err, bad.Sights[0])
	}
	if len(bad.Sights) > 0 {
		return bad
	}
	return nil
}

// A watch is one vantage's part of Wait.
type watch struct {
	check   Check
	at      Vantage
	began   time.Time
	sight   Sight
	healthy bool
	final   error // nothing that happens later changes it
}

func (w *watch) run(ctx context.Context, revision string) {
	w.sight = Sight{Vantage: w.at.Name, Last: errors.New("no answer yet")}
	if !w.rises(ctx) {
		return
	}
	w.healthy = w.check.VersionPath == "" || revision == "" || w.answers(ctx, revision)
}

// rises tells whether Rise good answers in a row came before ctx ended.
func (w *watch) rises(ctx context.Context) bool {
	for row := 0; ; {
		next := time.After(w.check.Interval)
		err := w.check.Probe(ctx, w.at.Dialer, w.at.Addr)
		w.sight.Tries++
		var forbidden *ForbiddenError
		switch {
		case err == nil:
			row, w.sight.Good = row+1, w.sight.Good+1
		case errors.As(err, &forbidden):
			w.final = &ForbiddenError{Vantage: w.at.Name, Err: forbidden.Err}
			return false
		case ctx.Err() != nil:
			w.unanswered(err)
			return false
		default:
			row, w.sight.Last = 0, err
		}
		if row >= w.check.Rise {
			return true
		}
		if !pause(ctx, next) {
			return false
		}
	}
}

// unanswered keeps what was seen before, where the end came in the middle of a question.
func (w *watch) unanswered(err error) {
	if w.sight.Tries == 1 && errors.Is(err, errLate) {
		w.sight.Last = fmt.Errorf("no answer within %s", time.Since(w.began).Round(time.Millisecond))
	}
}

func pause(ctx context.Context, next <-chan time.Time) bool {
	select {
	case <-ctx.Done():
		return false
	case <-next:
	}
	// A question asked at the very end has no time for an answer.
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		<-ctx.Done()
	}
	return ctx.Err() == nil
}

// try asks the same as we do, for a person.
func (c Check) try(v Vantage) string {
	if at, ok := v.Dialer.(Place); ok && c.Kind == Command {
		return "cd " + shellescape.Quote(at.Home()) + " && " + shellescape.QuoteCommand(c.Command)
	}
	return c.command(v.Addr, c.Path)
}

// command asks a path of addr.
func (c Check) command(addr, path string) string {
	addr = c.target(addr)
	if c.Kind == TCP {
		return "nc -vz " + strings.Replace(addr, ":", " ", strings.Count(addr, ":"))
	}
	if c.Host == "" {
		return fmt.Sprintf("curl -i '%s://%s%s'", c.Scheme, addr, path)
	}
	return fmt.Sprintf("curl -i --connect-to '::%s' '%s://%s%s'", addr, c.Scheme, c.Host, path)
}
