package health

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"al.essio.dev/pkg/shellescape"
)

// A Place is a machine on which a health command is run, in Home. Where the check is a
// command, each Dialer has to be one.
type Place interface {
	Run(ctx context.Context, script string) ([]byte, error)
	Home() string
}

// runs returns nil when the command ended with 0 in time. It is run as it stands, word by
// word; no shell reads it.
func (c Check) runs(ctx context.Context, d Dialer) error {
	at, ok := d.(Place)
	if !ok {
		return errors.New("health.kind: a command cannot be run from there")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.Timeout, errSlow)
	defer cancel()
	out, err := at.Run(ctx, c.script(at.Home()))
	if err != nil {
		if slow := c.ended(ctx, err, c.Command[0]+" did not end within %s"); slow != nil {
			return slow
		}
		return reason(err)
	}
	code, said, _ := strings.Cut(string(out), "\n")
	if code == "ended 0" {
		return nil
	}
	return &commandError{program: c.Command[0], code: strings.TrimPrefix(code, "ended "), said: lines(said)}
}

// script runs the command and tells how it ended, and the last of what it said. One that
// hangs is ended on the host, a little after we have given it up.
func (c Check) script(home string) string {
	wait := int(c.Timeout.Round(time.Second)/time.Second) + 2
	return fmt.Sprintf(`cd %s 2>/dev/null || { echo "ended 126"; echo "the app's directory is not there"; exit 0; }
exec 3>&1
{ timeout -s KILL %d %s </dev/null 2>&1 3>&-; echo "ended $?" >&3; } | tail -c 4096
exit 0
`, shellescape.Quote(home), wait, shellescape.QuoteCommand(c.Command))
}

// Needs returns nil when the command can be run at a place. What lies in a release is not
// there before the first one is.
func (c Check) Needs(ctx context.Context, at Place) error {
	program := c.Command[0]
	if strings.HasPrefix(strings.TrimPrefix(program, at.Home()+"/"), "current/") {
		return nil
	}
	out, err := at.Run(ctx, fmt.Sprintf("cd %s 2>/dev/null || exit 0\ncommand -v -- %s >/dev/null 2>&1 || echo missing\n", shellescape.Quote(at.Home()), shellescape.Quote(program)))
	if err != nil || strings.TrimSpace(string(out)) != "missing" {
		return err
	}
	return &missingError{program, at.Home()}
}

type missingError struct{ program, home string }

func (e *missingError) Error() string {
	return fmt.Sprintf("health.command: %s is no program here, seen from %s", e.program, e.home)
}
func (e *missingError) Code() string { return "FD-HEALTH-COMMAND" }
func (e *missingError) Hint() string {
	return "put it there, executable for the SSH user, or name it with its whole path"
}

// A commandError is how a health command ended, and what it said.
type commandError struct {
	program, code string
	said          []string
}

func (e *commandError) Error() string {
	text := fmt.Sprintf("%s ended with %s", e.program, e.code)
	if n := len(e.said); n > 0 {
		text += ": " + e.said[n-1]
	}
	return text
}

func (e *commandError) Evidence() []string { return e.said }

func lines(text string) (all []string) {
	for line := range strings.Lines(text) {
		if line = shown(strings.TrimSpace(line)); line != "" {
			all = append(all, line)
		}
	}
	return all[max(0, len(all)-20):]
}
