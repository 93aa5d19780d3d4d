package ui

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// progressbar has no eye for a terminal: off one, none is made, whatever else is
// asked for, and no byte paints.
func TestOffATerminalThereIsNoBar(t *testing.T) {
	for name, o := range map[string]Options{
		"a pipe":             {},
		"JSON on a terminal": {Live: true, JSON: true},
		"-q on a terminal":   {Live: true, Quiet: true},
		"-v in a pipe":       {Verbose: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			var out, errs bytes.Buffer
			o.Out, o.Err = &out, &errs
			u := New(o)
			u.Event(deploy.Event{Kind: deploy.KindHost, Phase: deploy.Staging, Total: 40e6})
			for _, p := range []deploy.Phase{deploy.Staging, deploy.Draining, deploy.Verifying, deploy.Done} {
				u.Event(deploy.Event{Kind: deploy.KindHost, Host: "web1", Phase: p, Bytes: 1e6})
				time.Sleep(30 * time.Second)
			}
			u.Result(deploy.Result{Outcome: deploy.OutcomeDone})
			u.Close()
			if all := out.String() + errs.String(); strings.ContainsAny(all, "\x1b\r") || u.bar.ProgressBar != nil {
				t.Errorf("%s: a bar was made: %q", name, all)
			}
		})
	}
}

// A stream that stands still, and one that is told more than it said, keep nobody:
// bytes are counted, and drawn at leisure.
func TestTheBarIsNotInTheDataPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, term, _ := live(100)
		began := time.Now()
		u.Event(deploy.Event{Kind: deploy.KindHost, Phase: deploy.Staging, Total: 10})
		for range 100_000 {
			u.Event(deploy.Event{Kind: deploy.KindHost, Host: "web1", Phase: deploy.Staging, Bytes: 1 << 20})
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("counting waited %s", took)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if lines := term.lines(t); !strings.HasPrefix(lines[len(lines)-1], "staging 100% [") {
			t.Errorf("shows %q", lines[len(lines)-1])
		}
		u.Close()
	})
}
