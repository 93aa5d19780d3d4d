package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An answer is what came back to one question.
type answer struct {
	path, status, location, body string
	code                         int
}

func (a answer) judge(good Status, contains string) error {
	switch {
	case !good.Match(a.code) && a.code/100 == 3 && a.location != "":
		return fmt.Errorf("%s answered %s to %s, which is not followed", a.path, a.status, quote(a.location))
	case !good.Match(a.code):
		return fmt.Errorf("%s answered %s", a.path, a.said())
	case !strings.Contains(a.body, contains):
		return fmt.Errorf("%s answered without %s: %s", a.path, quote(contains), a.said())
	}
	return nil
}

// said is `500 Internal Server Error: "db down"`.
func (a answer) said() string {
	if strings.TrimSpace(a.body) == "" {
		return a.status
	}
	return a.status + ": " + quote(a.body)
}

func statusLine(res *http.Response) string {
	text := strings.TrimSpace(strings.TrimPrefix(res.Status, strconv.Itoa(res.StatusCode)))
	return strings.TrimSpace(strconv.Itoa(res.StatusCode) + " " + shown(or(text, http.StatusText(res.StatusCode))))
}

const shownMax = 120

// quote is s for a person: one line, bounded, and nothing in it that a terminal
// or a CI log would obey.
func quote(s string) string { return `"` + shown(s) + `"` }

func shown(s string) string {
	// Bounded first: the rest of 64 KiB need not be looked at.
	r := []rune(strings.Join(strings.Fields(s[:min(len(s), 8*shownMax)]), " "))
	if len(r) > shownMax {
		r = append(r[:shownMax], '…')
	}
	q := strconv.Quote(string(r))
	q = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	return strings.ReplaceAll(q, "##[", `##\[`)
}

func (c Check) dialError(ctx context.Context, err error) error {
	if slow := c.ended(ctx, err, "no connection within %s"); slow != nil {
		return slow
	}
	if Forbidden(err) {
		return &ForbiddenError{Err: err}
	}
	return reason(err)
}

func (c Check) readError(ctx context.Context, err error) error {
	if slow := c.ended(ctx, err, "no answer within %s"); slow != nil {
		return slow
	}
	return reason(err)
}

func (c Check) bodyError(ctx context.Context, a answer, err error) error {
	what := a.path + " answered " + a.status
	if slow := c.ended(ctx, err, strings.ReplaceAll(what, "%", "%%")+", but its body was not complete within %s"); slow != nil {
		return slow
	}
	return fmt.Errorf("%s, but its body broke off: %w", what, reason(err))
}

// ended is nil while ctx runs; then it tells our own timeout from the end of what
// the question was asked for.
func (c Check) ended(ctx context.Context, err error, format string) error {
	// A dialer goes by the deadline that it read from ctx, and may be early by a hair.
	if end, ok := ctx.Deadline(); ok && os.IsTimeout(err) && time.Until(end) < 50*time.Millisecond {
		<-ctx.Done()
	}
	switch cause := context.Cause(ctx); {
	case cause == nil:
		return nil
	case errors.Is(cause, errSlow):
		return fmt.Errorf(format, c.Timeout)
	default:
		return cause
	}
}

// reason is err in the words of a person. What went wrong at the far end of a
// channel through SSH is known by its text alone: the library says `ssh: rejected:
// connect failed ("Connection refused")`, others leave out the brackets.
func reason(err error) error {
	text := err.Error()
	if _, inner, ok := strings.Cut(text, "connect failed"); ok && inner != "" {
		text = strings.ToLower(strings.Trim(inner, ` :()"`))
	}
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
		text = errno.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		text = "connection closed before the end of the answer"
	}
	return &reasonError{text: shown(text), err: err}
}

type reasonError struct {
	text string
	err  error
}

func (e *reasonError) Error() string { return e.text }
func (e *reasonError) Unwrap() error { return e.err }
