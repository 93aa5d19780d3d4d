// Command oracle watches a HAProxy from outside, through its read-only TCP
// socket, and tells how many hosts ever served and were ever out. It shares no
// code with flipdeploy, so that it can judge it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const every = 50 * time.Millisecond

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

type options struct {
	address, backend string
	length           time.Duration // 0: until ctx ends
	fromFull, json   bool
}

// run samples until ctx ends and writes what was seen. The error says so when
// not a single sample was had.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.length)
		defer cancel()
	}
	w := newWatch(o.fromFull)
	watch(ctx, o, w, func() { fmt.Fprintln(stderr, "oracle: running") })
	r := w.report()
	if err := show(r, o.json, stdout); err != nil {
		return err
	}
	if r.Samples == 0 {
		return fmt.Errorf("%s: no sample: %w", o.address, w.last)
	}
	return nil
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("oracle", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.address, "address", "10.77.0.2:9999", "`HOST:PORT` of the balancer's read-only stats socket")
	flags.StringVar(&o.backend, "backend", "shop", "HAProxy `backend` to watch")
	flags.DurationVar(&o.length, "for", 0, "how long; 0: until INT or TERM")
	flags.BoolVar(&o.fromFull, "from", false, "count only from the first sample in which every server serves")
	flags.BoolVar(&o.json, "json", false, "report as JSON")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, nil
}

// watch takes a sample at each of its times until ctx ends; running is called at
// the first.
func watch(ctx context.Context, o options, w *watchLog, running func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		// The last question is answered too, or its end would look like a fault.
		states, err := ask(context.WithoutCancel(ctx), o.address, o.backend)
		if err == nil && w.samples == 0 && running != nil {
			running()
			running = nil
		}
		w.add(time.Now(), states, err)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
