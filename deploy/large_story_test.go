package deploy_test

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/ui"
)

// TestLargeRolloutIsToldInFewLines: 200 at most without -v, whatever fails, and the result
// still counts all that is out. FLIPDEPLOY_LARGE_HOSTS=10000 is a fleet as large as any.
func TestLargeRolloutIsToldInFewLines(t *testing.T) {
	hosts, _ := strconv.Atoi(os.Getenv("FLIPDEPLOY_LARGE_HOSTS"))
	if hosts == 0 {
		hosts = 1000
	}
	for on, want := range map[deploy.Failure]deploy.Outcome{deploy.FailContinue: deploy.OutcomePaused, deploy.FailRollback: deploy.OutcomeRolledBack} {
		t.Run(string(on), func(t *testing.T) {
			names, events, res, broken := deploy.LargeRollout(t, hosts, on)
			if len(broken) > 0 {
				t.Errorf("%d invariants were broken: %s", len(broken), broken[0])
			}
			if res.Outcome != want {
				t.Errorf("it ended %s (%s), not %s", res.Outcome, res.Error, want)
			}
			out, err := tell(names, events, res, ui.Options{})
			lines := strings.Count(out, "\n") + strings.Count(err, "\n")
			t.Logf("%d hosts, %d events: %d lines\n%s%s", hosts, len(events), lines, err, out)
			if lines > 200 {
				t.Errorf("%d lines", lines)
			}
			json, _ := tell(names, events, res, ui.Options{JSON: true})
			if n := strings.Count(json, "\n"); n != len(events)+1 {
				t.Errorf("%d lines of JSON for %d events and a result", n, len(events))
			}
		})
	}
}

func tell(names []string, events []deploy.Event, res deploy.Result, o ui.Options) (stdout, stderr string) {
	var out, err bytes.Buffer
	o.Out, o.Err = &out, &err
	u := ui.New(o)
	u.Fleet("shop", names...)
	for _, e := range events {
		u.Event(e)
	}
	u.Result(res)
	u.Close()
	return out.String(), err.String()
}
