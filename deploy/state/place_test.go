package state_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy/state"
	"github.com/flipdeploy/flipdeploy/deploy/state/statetest"
)

// The balancers' machines keep state as etcd does.
func TestTheDirectoryOnABalancerConforms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	statetest.Conformance(t, func(t *testing.T, app string) statetest.Place {
		s := state.New("edge1", dir, app, here{}, here{}, false)
		if err := s.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	})
}

// here runs scripts on this machine.
type here struct{}

type exitError struct{ *exec.ExitError }

func (e exitError) Stdout() []byte { return e.Stderr }

func (here) Run(ctx context.Context, script string) ([]byte, error) {
	c := exec.CommandContext(ctx, "sh", "-s")
	var out bytes.Buffer
	c.Stdin, c.Stdout = strings.NewReader(script), &out
	err := c.Run()
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		e.Stderr = out.Bytes()
		err = exitError{e}
	}
	return out.Bytes(), err
}

type shell struct {
	io.Reader
	io.WriteCloser
	cmd *exec.Cmd
}

func (s shell) Close() error {
	err := s.WriteCloser.Close()
	_ = s.cmd.Wait()
	return err
}

func (here) Open(_ context.Context, script string) (state.Session, error) {
	c := exec.Command("sh", "-c", script)
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.Stdout = w
	err = c.Start()
	_ = w.Close()
	return shell{r, in, c}, err
}
