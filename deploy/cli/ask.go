package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
	ucli "github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func yesFlag() ucli.Flag {
	return &ucli.BoolFlag{Name: "yes", Usage: "answer the question with yes", EnvVars: twin("yes")}
}

var errNotConfirmed = &deploy.Fault{Code_: "FD-NOT-CONFIRMED", Err: errors.New("not confirmed: nothing was changed"),
	Hint_: "repeat it and answer yes, or give --yes"}

// confirm returns nil once a person at a terminal, or --yes, agreed. What has been
// said so far is shown before the question; a question that nobody could read or
// answer is not asked.
func (a *asking) confirm(yes bool, question string) error {
	if yes {
		return nil
	}
	in := a.x.stdin()
	if !terminal(in) || !terminal(a.x.env.Stderr) {
		return &usageError{text: question + " There is no terminal to answer on: give --yes", hint: "look at what is shown, and repeat with --yes"}
	}
	if _, err := a.out.WriteTo(a.x.env.Stdout); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(a.x.env.Stderr, "%s [y/N] ", ui.Line("%s", question)); err != nil {
		return err
	}
	said, err := bufio.NewReader(in).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(said)) {
	case "y", "yes":
		return nil
	}
	return errNotConfirmed
}

func (x *program) stdin() *os.File {
	if x.env.Stdin != nil {
		return x.env.Stdin
	}
	return os.Stdin
}

func terminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
