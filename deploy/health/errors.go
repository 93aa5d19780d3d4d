package health

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Forbidden tells whether a machine does not let connections be made through it:
// asking again will not help, asking from elsewhere may. A refused connection is
// something else: there the machine tried.
func Forbidden(err error) bool {
	if err == nil {
		return false
	}
	var says interface{ Forbidden() bool }
	if errors.As(err, &says) {
		return says.Forbidden()
	}
	text := err.Error()
	return strings.Contains(text, "administratively prohibited") || strings.Contains(text, "unknown channel type")
}

// A ForbiddenError says that a machine does not forward connections.
type ForbiddenError struct {
	Vantage string
	Err     error
}

func (e *ForbiddenError) Error() string {
	text := "connections may not be made through it: " + shown(e.Err.Error())
	if e.Vantage == "" {
		return text
	}
	return "from " + e.Vantage + ": " + text
}

// Forbidden is true.
func (e *ForbiddenError) Forbidden() bool { return true }
func (e *ForbiddenError) Unwrap() error   { return e.Err }

// Code is stable.
func (e *ForbiddenError) Code() string { return "FD-HEALTH-VIA" }

// Hint is what a person can do.
func (e *ForbiddenError) Hint() string {
	return fmt.Sprintf(`allow it in sshd_config on %s (AllowTcpForwarding local), or set health.via = "host"`, or(e.Vantage, "that machine"))
}

// A Sight is what one vantage saw until Wait gave up.
type Sight struct {
	Vantage     string
	Tries, Good int
	Last        error // the last bad answer
}

func (s Sight) String() string {
	return fmt.Sprintf("%s (%s, %d good)", s.Last, count(s.Tries, "try", "tries"), s.Good)
}

// An UnhealthyError says that a host did not become healthy in time.
type UnhealthyError struct {
	Within time.Duration
	Sights []Sight // of the vantages that did not find it healthy
	Try    string  // a command that asks the same
}

func (e *UnhealthyError) Error() string {
	var from []string
	for _, s := range e.Sights {
		if s.Last.Error() == e.Sights[0].Last.Error() {
			from = append(from, s.Vantage)
		}
	}
	return fmt.Sprintf("not healthy from %s within %s: %s", strings.Join(from, " and "), e.Within, e.Sights[0])
}

// Code is stable.
func (e *UnhealthyError) Code() string { return "FD-UNHEALTHY" }

// Hint is what a person can do.
func (e *UnhealthyError) Hint() string {
	return fmt.Sprintf("read the app's log; ask it from %s: %s", e.Sights[0].Vantage, e.Try)
}

// Evidence is what each vantage saw, where they are several.
func (e *UnhealthyError) Evidence() []string {
	if len(e.Sights) < 2 {
		var said interface{ Evidence() []string }
		if errors.As(e.Sights[0].Last, &said) {
			return said.Evidence()
		}
		return nil
	}
	var lines []string
	for _, s := range e.Sights {
		lines = append(lines, s.Vantage+": "+s.String())
	}
	return lines
}

// A VersionError says that a host is healthy on another release than the wanted.
type VersionError struct {
	Vantage  string
	Revision string
	Last     error // the last answer that was not the revision
	Tries    int
	Strays   int // answers of another release after the first of the wanted
	Within   time.Duration
	Try      string
}

func (e *VersionError) Error() string {
	if e.Strays > strays {
		return fmt.Sprintf("not only %s from %s: %d other answers after the first of it, the last: %s", e.Revision, e.Vantage, e.Strays, e.Last)
	}
	return fmt.Sprintf("not %s from %s within %s: %s (%s)", e.Revision, e.Vantage, e.Within, e.Last, count(e.Tries, "try", "tries"))
}

// Code is stable.
func (e *VersionError) Code() string { return "FD-VERSION" }

// Hint is what a person can do.
func (e *VersionError) Hint() string {
	return fmt.Sprintf("the old process may still answer, or the app reports another revision; ask it from %s: %s", e.Vantage, e.Try)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
