package deploy

import (
	"fmt"
	"strconv"
)

// A Probe is the receipt of a run: what somebody saw who sent requests through the
// balancers all the while.
type Probe struct {
	URL      string   `json:"url"`
	Requests int64    `json:"requests"`
	Failed   int64    `json:"failed"`
	P99MS    int64    `json:"p99_ms"`             // of those that did not fail
	Failures []string `json:"failures,omitempty"` // the first ones, each with its time
}

// String is `0 failed of 1,842 · p99 3 ms`.
func (p Probe) String() string {
	text := grouped(p.Failed) + " failed of " + grouped(p.Requests)
	if p.Failed < p.Requests {
		text += fmt.Sprintf(" · p99 %s ms", grouped(p.P99MS))
	}
	return text
}

// grouped is 1,842.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
