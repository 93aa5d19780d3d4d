// Command load is the standard load of this project: requests at fixed times
// whatever the answers do, on connections of its own, nothing tried twice and
// nothing followed. It exits 1 when a single request failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

var errFailed = errors.New("requests failed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	switch err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errFailed):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
}

type options struct {
	targets []target
	length  time.Duration // 0: until ctx ends
	json    bool
	retry   bool // GETs whose reused connection ended without an answer
}

// run returns once every request in flight is answered and the report written.
// The error is errFailed when a request failed.
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
	t := newTally()
	drive(ctx, o.targets, o.retry, t, func() { fmt.Fprintln(stderr, "load: running") })
	r := t.report()
	if err := show(r, o.json, stdout, stderr); err != nil {
		return err
	}
	if r.Failed > 0 {
		return errFailed
	}
	return nil
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Func("url", "http `URL` of a balancer; several, one flag each, take turns", func(s string) error {
		t, err := parseTarget(s)
		o.targets = append(o.targets, t)
		return err
	})
	flags.DurationVar(&o.length, "for", 0, "how long; 0: until INT or TERM")
	flags.BoolVar(&o.retry, "retry", false, "send a GET once more whose connection ended without an answer, as browsers do")
	flags.BoolVar(&o.json, "json", false, "report as JSON on stdout, for people on stderr")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if len(o.targets) == 0 {
		return o, errors.New("-url is missing")
	}
	return o, nil
}

// A target is one balancer's front door.
type target struct {
	addr string // host:port to dial
	host string // of the Host header
}

func parseTarget(s string) (target, error) {
	u, err := url.Parse(s)
	if err != nil {
		return target{}, err
	}
	if u.Scheme != "http" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" {
		return target{}, fmt.Errorf("%q: want http://HOST[:PORT]/", s)
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	return target{addr: u.Hostname() + ":" + port, host: u.Host}, nil
}
