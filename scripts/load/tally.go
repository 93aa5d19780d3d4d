package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const maxTexts = 20

// A tally counts how requests ended.
type tally struct {
	mu       sync.Mutex
	start    time.Time // of the first request
	stop     time.Time // no request was started after it
	classes  map[string]*count
	failures map[string]int
	versions map[string]int
	texts    []string
	reopens  int
}

type count struct {
	served, failed int
	retried        int
	took           []time.Duration
}

func newTally() *tally {
	t := &tally{texts: []string{}, classes: map[string]*count{}, failures: map[string]int{}, versions: map[string]int{}}
	for _, c := range classes {
		t.classes[c.name] = &count{}
	}
	return t
}

func (t *tally) begin(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.start = now
}

func (t *tally) end(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stop = now
}

func (t *tally) serve(class, version string, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.classes[class]
	c.served++
	c.took = append(c.took, took)
	t.versions[version]++
}

func (t *tally) fail(class string, err error) {
	f := &failure{kind: "generator", text: err.Error()}
	errors.As(err, &f)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.classes[class].failed++
	t.failures[f.kind]++
	if len(t.texts) < maxTexts {
		t.texts = append(t.texts, fmt.Sprintf("%s %s %v", time.Now().Format("15:04:05.000"), class, f))
	}
}

func (t *tally) again(class string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.classes[class].retried++
}

func (t *tally) reopened(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reopens += n
}

// A report is what a run of the load showed.
type report struct {
	Served    int                    `json:"served"`
	Failed    int                    `json:"failed"`
	Seconds   float64                `json:"seconds"`
	PerSecond float64                `json:"per_second"`
	Classes   map[string]classReport `json:"classes"`
	Failures  map[string]int         `json:"failures"` // by kind
	Versions  map[string]int         `json:"versions"` // answers, by X-Version
	Reopened  int                    `json:"reopened"` // idle connections that the server closed in order
	Texts     []string               `json:"texts"`    // of the first failures
}

type classReport struct {
	Served  int     `json:"served"`
	Failed  int     `json:"failed"`
	Retried int     `json:"retried,omitempty"` // sent once more, with -retry
	P50MS   float64 `json:"p50_ms"`
	P99MS   float64 `json:"p99_ms"`
	MaxMS   float64 `json:"max_ms"`
}

// report sums up. A rate below the standard is itself a failure: the claim
// would rest on less load than it says.
func (t *tally) report() report {
	seconds := t.stop.Sub(t.start).Seconds()
	total := 0
	for _, c := range t.classes {
		total += c.served + c.failed
	}
	if rate := float64(total) / seconds; seconds > 5 && rate < leastRate {
		t.fail("keepalive", &failure{kind: "generator", text: fmt.Sprintf("%.0f requests a second, want %d", rate, leastRate)})
	}
	r := report{
		Seconds: seconds, PerSecond: float64(total) / seconds, Classes: map[string]classReport{},
		Failures: t.failures, Versions: t.versions, Reopened: t.reopens, Texts: t.texts,
	}
	for name, c := range t.classes {
		r.Classes[name] = c.report()
		r.Served += c.served
		r.Failed += c.failed
	}
	return r
}

func (c *count) report() classReport {
	r := classReport{Served: c.served, Failed: c.failed, Retried: c.retried}
	if n := len(c.took); n > 0 {
		slices.Sort(c.took)
		r.P50MS, r.P99MS, r.MaxMS = ms(c.took[n/2]), ms(c.took[n*99/100]), ms(c.took[n-1])
	}
	return r
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// show writes the report for people, ending in one line that says it all, and on
// stdout as JSON instead when that is wanted.
func show(r report, asJSON bool, stdout, stderr io.Writer) error {
	people := stdout
	if asJSON {
		people = stderr
		if err := json.NewEncoder(stdout).Encode(r); err != nil {
			return err
		}
	}
	_, err := io.WriteString(people, r.String())
	return err
}

func (r report) String() string {
	var b strings.Builder
	for _, text := range r.Texts {
		fmt.Fprintln(&b, "failed:", text)
	}
	for _, c := range classes {
		k := r.Classes[c.name]
		fmt.Fprintf(&b, "%-9s  served %6d  failed %4d  p50 %7.1f ms  p99 %7.1f ms  max %7.1f ms\n",
			c.name, k.Served, k.Failed, k.P50MS, k.P99MS, k.MaxMS)
	}
	fmt.Fprintf(&b, "served %d failed %d in %.1f s (%.0f/s):", r.Served, r.Failed, r.Seconds, r.PerSecond)
	for _, c := range classes {
		fmt.Fprintf(&b, " %s %d/%d", c.name, r.Classes[c.name].Served, r.Classes[c.name].Failed)
	}
	fmt.Fprintf(&b, "; versions%s", pairs(r.Versions))
	if len(r.Failures) > 0 {
		fmt.Fprintf(&b, "; failures%s", pairs(r.Failures))
	}
	b.WriteString("\n")
	return b.String()
}

func pairs(m map[string]int) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(m)) {
		fmt.Fprintf(&b, " %s %d", k, m[k])
	}
	return b.String()
}
