package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/flipdeploy/flipdeploy/deploy/ui"
	"golang.org/x/term"
)

// passphrase asks a person for that of a key, nil where nobody is there to be asked.
// It is never shown.
func (e Env) passphrase() func(context.Context, string) (string, error) {
	in := (&program{env: e}).stdin()
	if !terminal(in) || !terminal(e.Stderr) {
		return nil
	}
	return func(ctx context.Context, key string) (string, error) {
		if _, err := fmt.Fprint(e.Stderr, ui.Line("passphrase for %s: ", key)); err != nil {
			return "", err
		}
		phrase, err := readHidden(ctx, in)
		_, _ = fmt.Fprintln(e.Stderr)
		if err == nil && phrase == "" {
			err = errors.New("it is empty")
		}
		return phrase, err
	}
}

// readHidden reads a line that the terminal does not show, and leaves the terminal as
// it was, also when ctx ends first.
func readHidden(ctx context.Context, in *os.File) (string, error) {
	before, err := term.GetState(int(in.Fd()))
	if err != nil {
		return "", err
	}
	type line struct {
		text []byte
		err  error
	}
	typed := make(chan line, 1)
	go func() { // ends with the line, else with the program: a terminal cannot be waited for otherwise
		text, err := term.ReadPassword(int(in.Fd()))
		typed <- line{text, err}
	}()
	select {
	case l := <-typed:
		return string(l.text), l.err
	case <-ctx.Done():
		return "", errors.Join(context.Cause(ctx), term.Restore(int(in.Fd()), before))
	}
}
