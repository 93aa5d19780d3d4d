package lbtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// A Shell runs scripts on this machine, from stdin as over SSH.
type Shell struct {
	Argv []string // default: sh -s
	Env  []string // replaces the environment when set
}

// An Exit is a script that ended with another status than 0.
type Exit struct {
	Status int
	Out    []byte
	Err    string
}

func (e *Exit) Error() string  { return fmt.Sprintf("exit %d: %s", e.Status, e.Err) }
func (e *Exit) ExitCode() int  { return e.Status }
func (e *Exit) Stdout() []byte { return e.Out }

// Run returns what the script printed, or an *Exit. A word on stderr is an error
// too: our scripts are quiet.
func (s Shell) Run(ctx context.Context, script string) ([]byte, error) {
	argv := s.Argv
	if len(argv) == 0 {
		argv = []string{"sh", "-s"}
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var out, complaints bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = strings.NewReader(script), &out, &complaints, s.Env
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return nil, &Exit{exit.ExitCode(), out.Bytes(), complaints.String()}
	case err != nil:
		return nil, err
	case complaints.Len() > 0:
		return nil, &Exit{0, out.Bytes(), complaints.String()}
	}
	return out.Bytes(), nil
}

// A Before is a Runner that does something first: what happens between a look and
// an act.
type Before struct {
	Do   func()
	Then interface {
		Run(context.Context, string) ([]byte, error)
	}
}

func (b Before) Run(ctx context.Context, script string) ([]byte, error) {
	b.Do()
	return b.Then.Run(ctx, script)
}
