// Command flipdeploy replaces the release on a fleet behind nginx or HAProxy, a few hosts
// at a time, so that clients do not notice.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/flipdeploy/flipdeploy/deploy/cli"
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // a reader that went away must not end a rollout
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends us at once; the marks and the journal know where we were
	os.Exit(cli.Main(ctx, cli.Env{Args: os.Args, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}))
}
