package health

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	// One probe after a takeover may be answered by the old process, so it takes
	// this many on fresh connections in a row to believe in the new one ...
	inRow = 5
	// ... and this many others after the first new answer, where old acceptors
	// give up one by one, are no second server.
	strays = 2
)

// answers tells whether VersionPath answered revision often enough. Answers that
// are right follow each other at once; after another one it waits the interval.
func (w *watch) answers(ctx context.Context, revision string) bool {
	fail := &VersionError{Vantage: w.at.Name, Revision: revision, Within: w.check.Deadline,
		Last: errors.New("no answer yet"), Try: w.check.command(w.at.Addr, w.check.VersionPath)}
	for row, seen := 0, false; row < inRow; {
		next := time.After(w.check.Interval)
		err := w.askVersion(ctx, revision)
		fail.Tries++
		switch {
		case err == nil:
			row, seen = row+1, true
			continue
		case ctx.Err() == nil:
			row, fail.Last = 0, err
			if seen {
				fail.Strays++
			}
		}
		if fail.Strays > strays || !pause(ctx, next) {
			w.refute(ctx, fail)
			return false
		}
	}
	return true
}

// refute makes fail the verdict, unless it was not our own deadline that ended the asking.
func (w *watch) refute(ctx context.Context, fail *VersionError) {
	if cause := context.Cause(ctx); cause == nil || errors.Is(cause, errLate) {
		w.final = fail
	}
	w.sight.Last = fail.Last
}

func (w *watch) askVersion(ctx context.Context, revision string) error {
	a, err := w.check.ask(ctx, w.at.Dialer, w.at.Addr, w.check.VersionPath)
	if err != nil {
		return err
	}
	if err := a.judge(Status{Class: 2}, ""); err != nil {
		return err
	}
	if !holdsWord(a.body, revision) {
		return fmt.Errorf("%s answered %s", a.path, a.said())
	}
	return nil
}

// Version is what VersionPath answers, asked once on a connection of its own.
func (c Check) Version(ctx context.Context, d Dialer, addr string) (string, error) {
	c = c.filled()
	a, err := c.ask(ctx, d, addr, c.VersionPath)
	if err != nil {
		return "", err
	}
	return a.body, a.judge(Status{Class: 2}, "")
}

// holdsWord tells whether word stands in text as a whole: v2 is not in v2.1, nor
// in v2-dirty, but it is in "running v2."
func holdsWord(text, word string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		i += from
		before := strings.TrimRight(text[:i], ".+-")
		after := strings.TrimLeft(text[i+len(word):], ".+-")
		if !wordByte(before, len(before)-1) && !wordByte(after, 0) {
			return true
		}
		from = i + 1
	}
}

func wordByte(s string, i int) bool {
	if i < 0 || i >= len(s) {
		return false
	}
	b := s[i]
	return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= 0x80
}
