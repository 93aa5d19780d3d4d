package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// A gap is a time without a sample, in which anything could have happened.
const gapOver = 200 * time.Millisecond

// A watchLog is what the samples showed.
type watchLog struct {
	fromFull bool // count from the first sample in which all serve

	samples, failed, gaps int
	start, at             time.Time // of the first and the latest sample
	longestGap            time.Duration
	minServing            int
	maxOut, maxDown       int
	total                 int
	servers               map[string]*server
	changes               []change
	last                  error
}

type server struct {
	state  state
	since  time.Time
	outs   int
	out    time.Duration // all times together
	notUp  time.Duration // out or down
	longer time.Duration // the longest time not serving
	idle   time.Duration // of the present time not serving
}

// A change is the first sample that showed a server in another state.
type change struct {
	Time   time.Time `json:"time"`
	MS     int64     `json:"ms"` // since the first sample
	Server string    `json:"server"`
	State  state     `json:"state"`
}

func newWatch(fromFull bool) *watchLog {
	return &watchLog{fromFull: fromFull, servers: map[string]*server{}}
}

// add takes one sample, or the error that came instead of it.
func (w *watchLog) add(now time.Time, states map[string]state, err error) {
	if err == nil && len(states) == 0 {
		err = fmt.Errorf("no servers")
	}
	if err != nil {
		w.last = err
		w.failed++
		return
	}
	n := tallyStates(states)
	if w.samples == 0 && w.fromFull && n[serving] < len(states) {
		w.last = fmt.Errorf("only %d of %d servers serve", n[serving], len(states))
		return
	}
	w.clock(now)
	w.extremes(n, len(states))
	for name, s := range states {
		w.see(now, name, s)
	}
	w.samples++
	w.at = now
}

func tallyStates(states map[string]state) map[state]int {
	n := map[state]int{}
	for _, s := range states {
		n[s]++
	}
	return n
}

func (w *watchLog) clock(now time.Time) {
	if w.samples == 0 {
		w.start = now
		return
	}
	if gap := now.Sub(w.at); gap > gapOver {
		w.gaps++
		w.longestGap = max(w.longestGap, gap)
	}
}

func (w *watchLog) extremes(n map[state]int, total int) {
	if w.samples == 0 || n[serving] < w.minServing {
		w.minServing = n[serving]
	}
	w.maxOut = max(w.maxOut, n[out])
	w.maxDown = max(w.maxDown, n[down])
	w.total = total
}

// see adds the time since the last sample to the state that it showed.
func (w *watchLog) see(now time.Time, name string, s state) {
	old := w.servers[name]
	if old == nil {
		old = &server{since: now}
		w.servers[name] = old
	}
	old.spend(now.Sub(old.since))
	old.since = now
	if old.state == s {
		return
	}
	if s == out {
		old.outs++
	}
	old.state = s
	w.changes = append(w.changes, change{Time: now, MS: now.Sub(w.start).Milliseconds(), Server: name, State: s})
}

func (s *server) spend(d time.Duration) {
	switch s.state {
	case serving, "":
		s.idle = 0
		return
	case out:
		s.out += d
	case down:
	}
	s.notUp += d
	s.idle += d
	s.longer = max(s.longer, s.idle)
}

// A report is what the oracle saw.
type report struct {
	Samples    int                     `json:"samples"`
	Unanswered int                     `json:"unanswered"`
	Gaps       int                     `json:"gaps"` // times over 200 ms without a sample
	LongestGap int64                   `json:"longest_gap_ms"`
	Seconds    float64                 `json:"seconds"`
	Total      int                     `json:"total"` // servers
	MinServing int                     `json:"min_serving"`
	MaxOut     int                     `json:"max_out"`
	MaxDown    int                     `json:"max_down"`
	Servers    map[string]serverReport `json:"servers"`
	Changes    []change                `json:"changes"`
}

type serverReport struct {
	Last         state `json:"last"`
	Outs         int   `json:"outs"` // times taken out
	OutMS        int64 `json:"out_ms"`
	NotServingMS int64 `json:"not_serving_ms"`
	LongestMS    int64 `json:"longest_not_serving_ms"`
}

func (w *watchLog) report() report {
	r := report{
		Samples: w.samples, Unanswered: w.failed, Gaps: w.gaps, LongestGap: w.longestGap.Milliseconds(),
		Seconds: w.at.Sub(w.start).Seconds(), Total: w.total, MinServing: w.minServing, MaxOut: w.maxOut, MaxDown: w.maxDown,
		Servers: map[string]serverReport{}, Changes: w.changes,
	}
	for name, s := range w.servers {
		r.Servers[name] = serverReport{Last: s.state, Outs: s.outs, OutMS: s.out.Milliseconds(),
			NotServingMS: s.notUp.Milliseconds(), LongestMS: s.longer.Milliseconds()}
	}
	return r
}

func show(r report, asJSON bool, stdout io.Writer) error {
	if asJSON {
		return json.NewEncoder(stdout).Encode(r)
	}
	_, err := io.WriteString(stdout, r.String())
	return err
}

// String ends in one line that says it all.
func (r report) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.Servers)) {
		s := r.Servers[name]
		fmt.Fprintf(&b, "%-8s %-8s out %d times, %d ms; not serving %d ms, at most %d ms at a time\n",
			name, s.Last, s.Outs, s.OutMS, s.NotServingMS, s.LongestMS)
	}
	fmt.Fprintf(&b, "min serving %d of %d, max out %d, max down %d; %d samples in %.1f s, %d unanswered, %d gaps over 200 ms",
		r.MinServing, r.Total, r.MaxOut, r.MaxDown, r.Samples, r.Seconds, r.Unanswered, r.Gaps)
	if r.Gaps > 0 {
		fmt.Fprintf(&b, " (longest %d ms)", r.LongestGap)
	}
	b.WriteString("\n")
	return b.String()
}
