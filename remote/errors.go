package remote

import (
	"errors"
	"fmt"
	"strings"
)

// A fault is what all errors of this package tell. The machine's name is not in
// the text: the caller, who knows what the machine is to him, puts it there.
type fault struct {
	Doing    string // "connect to 10.0.0.2:22", "run"
	Err      error
	code     string
	hint     string
	evidence []string
	machine  string
}

// Error reads `connect to 10.0.0.2:22: connection refused`.
func (f *fault) Error() string { return f.Doing + ": " + f.Err.Error() }

func (f *fault) Unwrap() error { return f.Err }

// Code is the stable code of the fault.
func (f *fault) Code() string { return f.code }

// Hint is the next step for a person.
func (f *fault) Hint() string { return f.hint }

// Evidence is what the other side said, cleaned.
func (f *fault) Evidence() []string { return f.evidence }

// Machine is the name of the machine that was asked.
func (f *fault) Machine() string { return f.machine }

// A NotStartedError tells that nothing of the script was run.
type NotStartedError struct{ fault }

// NotStarted is always true.
func (e *NotStartedError) NotStarted() bool { return true }

// An UnknownError tells that nobody knows whether the script ran, or how far:
// ask the machine again before anything else.
type UnknownError struct{ fault }

// OutcomeUnknown is always true.
func (e *UnknownError) OutcomeUnknown() bool { return true }

// Overdue tells whether the machine was waited for as long as it may take, and may take longer.
func (e *UnknownError) Overdue() bool { return errors.As(e.Err, new(overdue)) }

// An ExitError tells that the script ended with another status than 0.
type ExitError struct {
	Status  int
	Signal  string // the signal that ended it, if one did
	machine string
	stdout  []byte
	stderr  string
}

// Error reads `exit 3: no such file`, with the last line of stderr.
func (e *ExitError) Error() string {
	text := fmt.Sprintf("exit %d", e.Status)
	if e.Signal != "" {
		text = "ended by signal " + e.Signal
	}
	if lines := e.Evidence(); len(lines) > 0 {
		text += ": " + lines[len(lines)-1]
	}
	return text
}

// ExitCode is the status.
func (e *ExitError) ExitCode() int { return e.Status }

// Stdout is what the script wrote, as it wrote it, cut in the middle when too long.
func (e *ExitError) Stdout() []byte { return e.stdout }

// Stderr is what the script complained of, cleaned.
func (e *ExitError) Stderr() string { return e.stderr }

// Code is FD-REMOTE-EXIT.
func (e *ExitError) Code() string { return "FD-REMOTE-EXIT" }

// Hint is the next step for a person.
func (e *ExitError) Hint() string {
	return "a command on " + e.machine + " ended with an error; its words are above"
}

// Machine is the name of the machine that ran the script.
func (e *ExitError) Machine() string { return e.machine }

// Evidence is the last lines of stderr.
func (e *ExitError) Evidence() []string { return lastLines(e.stderr, 10) }

// An OutputError tells that the script exited 0 and wrote more than is kept, so
// that what it wrote cannot be used.
type OutputError struct {
	Bytes   int64
	Limit   int
	machine string
}

func (e *OutputError) Error() string {
	return fmt.Sprintf("the script wrote %d bytes, more than the %d that are kept", e.Bytes, e.Limit)
}

// Code is FD-REMOTE-OUTPUT.
func (e *OutputError) Code() string { return "FD-REMOTE-OUTPUT" }

// Hint is the next step for a person.
func (e *OutputError) Hint() string {
	return "look on " + e.machine + " for what writes so much; if it is right so, please report it"
}

func lastLines(text string, n int) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-n):]
}
