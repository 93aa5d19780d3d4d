package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"time"
)

// least is what the job takes at least, moving the program apart: at each host the
// takeover, as its app's own log has it, and what its row asks to wait for; so many hosts at
// a time. In a timed run there is no request to be waited for.
func (f *fleet) least(w way, began time.Time) (time.Duration, error) {
	const atOnce = 2
	sum := time.Duration(f.hosts) * w.waits
	for i := range f.hosts {
		host := fmt.Sprintf("web%d", i+1)
		log, err := exec.Command(f.tool, "exec", host, "sh", "-c", `journalctl --sync; journalctl -u shop -o cat --since "@$1"`,
			"least", fmt.Sprintf("%.6f", float64(began.UnixMicro())/1e6)).Output()
		if err != nil {
			return 0, fmt.Errorf("%s: its app's log: %w", host, err)
		}
		took, err := takeover(string(log))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", host, err)
		}
		sum += took
	}
	return sum / atOnce, nil
}

var taking = regexp.MustCompile(`(?s) ([0-9:.]+) hangup: upgrading\n.*? ([0-9:.]+) serving on `)

// takeover is the time between the signal and the new process that listens, in a log.
func takeover(log string) (time.Duration, error) {
	m := taking.FindStringSubmatch(log)
	if m == nil {
		return 0, fmt.Errorf("no takeover in the app's log: %q", log)
	}
	from, err := time.Parse("15:04:05.000000", m[1])
	if err != nil {
		return 0, err
	}
	to, err := time.Parse("15:04:05.000000", m[2])
	if err != nil {
		return 0, err
	}
	if to.Before(from) { // midnight came
		to = to.Add(24 * time.Hour)
	}
	return to.Sub(from), nil
}
