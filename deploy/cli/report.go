package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/flipdeploy/flipdeploy/deploy"
	ucli "github.com/urfave/cli/v2"
)

func (x *program) reportCommand() *ucli.Command {
	return &ucli.Command{
		Name: "report", Usage: "one past rollout as a page to keep or send: timeline, capacity, what was proven", ArgsUsage: "ID",
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "output", Aliases: []string{"o"}, TakesFile: true, Usage: "where to, `FILE.html` or - for stdout", EnvVars: twin("output")},
		},
		Action: func(c *ucli.Context) error {
			if err := oneID(c); err != nil {
				return err
			}
			if c.String("output") == "" {
				return usage("report needs to know where to write: -o FILE.html")
			}
			return x.asks(func(ctx context.Context, a *asking) (deploy.Outcome, error) {
				return a.report(ctx, c.Args().First(), c.String("output"))
			})(c)
		},
	}
}

// report writes the page of one past rollout.
func (a *asking) report(ctx context.Context, id, file string) (deploy.Outcome, error) {
	all, running, err := a.journals(ctx)
	if err != nil {
		return deploy.OutcomeRefused, err
	}
	j := found(id, all)
	if j == nil {
		return deploy.OutcomeRefused, unknownRollout(id, all)
	}
	p := reportOf(j, running)
	if file == "-" && !a.json {
		return deploy.OutcomeDone, p.write(&a.out)
	}
	if err := writePage(file, p.write); err != nil {
		return deploy.OutcomeRefused, err
	}
	a.sayf("%s: %s %s of %s", file, p.Mode, p.ID, p.App)
	return deploy.OutcomeDone, nil
}

// writePage puts a whole page at file, or leaves what is there.
func writePage(file string, write func(io.Writer) error) error {
	err := writeWhole(file, write)
	if err == nil {
		return nil
	}
	return &deploy.Fault{Code_: "FD-REPORT-WRITE", Err: fmt.Errorf("%s: cannot be written: %w", file, reason(err)),
		Hint_: "make the directory, or name another place with -o FILE.html"}
}

// writeWhole has file hold all that write writes, or what it held before.
func writeWhole(file string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".flipdeploy-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // gone when all went well
	if err := errors.Join(write(f), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
