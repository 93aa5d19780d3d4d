package proc

import (
	"errors"
	"fmt"
)

// An Error is what went wrong with the app's processes on a host.
type Error struct {
	Doing    string // "takeover", "stop"
	Err      error
	code     string
	hint     string
	evidence []string
	unknown  bool
}

func (e *Error) Error() string { return e.Doing + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// Code is the stable code.
func (e *Error) Code() string { return e.code }

// Hint is the next step for a person.
func (e *Error) Hint() string { return e.hint }

// Evidence is what was seen: the app's last log lines, what a source said.
func (e *Error) Evidence() []string { return e.evidence }

// OutcomeUnknown is true when the host could not be asked how it ended.
func (e *Error) OutcomeUnknown() bool { return e.unknown }

func newError(doing, code, hint, format string, args ...any) *Error {
	return &Error{Doing: doing, code: code, hint: hint, Err: fmt.Errorf(format, args...)}
}

const codeMoved = "FD-PID-MOVED"

func hiddenError(port int) error {
	return newError("processes", "FD-PROC-RIGHTS",
		"set reload.sudo = true and allow `ss` in sudoers, or use an SSH user that the app runs as",
		"port %d is held by a process that the SSH user may not see", port)
}

// lostError tells that the host did not say how the app stands.
func lostError(doing string, err error) error {
	return &Error{Doing: doing, code: "FD-HOST-UNKNOWN", unknown: true,
		hint: "the host could not be asked again; when it answers, `flipdeploy status` tells what runs there",
		Err:  fmt.Errorf("nobody knows how it ended: %w", err)}
}

// triggerError keeps the code and hint of a refusal, such as the fence's. That a
// command ended with an error says no more than ours.
func triggerError(doing string, err error) error {
	e := &Error{Doing: doing, Err: err, code: "FD-TRIGGER", unknown: unknownOutcome(err),
		hint: "`flipdeploy doctor` tells which rights and tools the host lacks"}
	var inner interface {
		Code() string
		Hint() string
	}
	if errors.As(err, &inner) && inner.Code() != "FD-REMOTE-EXIT" {
		e.code, e.hint = inner.Code(), inner.Hint()
	}
	return e
}

// moved is true when a process had ended before it was signalled.
func moved(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.code == codeMoved
}

func unknownOutcome(err error) bool {
	var e interface{ OutcomeUnknown() bool }
	return errors.As(err, &e) && e.OutcomeUnknown()
}
