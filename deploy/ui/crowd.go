package ui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

const (
	manyHosts    = 100 // from so many on a story tells of groups
	groups       = 25  // so many lines for a phase that all of them go through
	mostTroubles = 20  // that are told one by one, of errors and of warnings
	mostEvidence = 3   // of those with all that was seen
	mostNamed    = 20  // hosts that a result names
)

// A crowd tells of hosts by the hundred: how many came how far, what was slowest, and the
// first failures one by one. Nothing is lost of it: -v and --json have every line.
type crowd struct {
	all   int
	ended map[deploy.Phase]int
	told  map[deploy.Phase]int // how many had, when it was told last
	slow  string               // of those since
	took  time.Duration
	seen  map[deploy.Kind]int // errors and warnings
	quiet int                 // lines told for want of others
}

// crowdOf is nil for a fleet of which every host is told.
func crowdOf(o Options, hosts int) *crowd {
	if hosts < manyHosts || o.Verbose > 0 {
		return nil
	}
	return &crowd{all: hosts, ended: map[deploy.Phase]int{}, told: map[deploy.Phase]int{}, seen: map[deploy.Kind]int{}}
}

// enter counts a host that came to the phase, and tells whether a line is due.
func (c *crowd) enter(e deploy.Event, took time.Duration) bool {
	c.ended[e.Phase]++
	if took > c.took {
		c.slow, c.took = e.Host, took
	}
	return c.ended[e.Phase]-c.told[e.Phase] >= max(1, c.all/groups) || c.ended[e.Phase] == c.all
}

// line is `1,200 of 10,000 hosts, 12 errors, slowest web17 31.0s`, and begins anew.
func (c *crowd) line(p deploy.Phase) string {
	parts := []string{thousands(c.ended[p]) + " of " + thousands(c.all) + " hosts"}
	if n := c.seen[deploy.KindError]; n > 0 {
		parts = append(parts, thousands(n)+plural(n, " error", " errors"))
	}
	if n := c.ended[deploy.RolledBack]; n > 0 && p == deploy.Done {
		parts = append(parts, thousands(n)+" "+string(deploy.RolledBack))
	}
	if c.slow != "" {
		parts = append(parts, "slowest "+c.slow+" "+duration(c.took))
	}
	c.told[p], c.slow, c.took = c.ended[p], "", 0
	return strings.Join(parts, ", ")
}

// tells counts an error or a warning: whether it is told at all, with all that was seen, and
// whether it is the last one.
func (c *crowd) tells(k deploy.Kind) (told, whole, last bool) {
	c.seen[k]++
	n := c.seen[k]
	return n <= mostTroubles, n <= mostEvidence, n == mostTroubles
}

// patience is for how long nothing is said: longer and longer.
func (c *crowd) patience() time.Duration {
	switch {
	case c == nil || c.quiet < 8:
		return quietFor
	case c.quiet < 20:
		return time.Minute
	}
	return 5 * time.Minute
}

// crowdUnderWay is `312 draining, 100 verifying, longest web17 draining 31.0s`.
func (s *story) crowdUnderWay() string {
	n, longest := map[deploy.Phase]int{}, ""
	var since time.Time
	for name, st := range s.hosts {
		if lookOf(st.phase) != moving && !out(st.phase) || lookOf(st.phase) == ill {
			continue
		}
		n[st.phase]++
		if !st.began.IsZero() && (since.IsZero() || st.began.Before(since) || st.began.Equal(since) && name < longest) {
			longest, since = name, st.began
		}
	}
	var parts []string
	for _, p := range []deploy.Phase{deploy.Staging, deploy.Draining, deploy.Drained, deploy.Flipping, deploy.Reloading, deploy.Verifying, deploy.Readying, deploy.Baking} {
		if n[p] > 0 {
			parts = append(parts, thousands(n[p])+" "+string(p))
		}
	}
	if longest != "" {
		parts = append(parts, "longest "+longest+" "+string(s.hosts[longest].phase))
	}
	return strings.Join(parts, ", ")
}

// entered tells of a host in a crowd: a line when one is due.
func (s *story) entered(e deploy.Event, took time.Duration) []string {
	if !s.crowd.enter(e, took) {
		return nil
	}
	return s.row(news, "", string(e.Phase), lookOf(e.Phase), s.crowd.line(e.Phase), "")
}

// bounded is the lines of an error or a warning in a crowd.
func (s *story) bounded(k deploy.Kind, lines []string) []string {
	told, whole, last := s.crowd.tells(k)
	switch {
	case !told || len(lines) == 0:
		return nil
	case !whole:
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimLeft(l, " "), "| ") })
	}
	if last {
		lines = append(lines, s.row(alarm, "", string(k), notable, fmt.Sprintf("that was number %d: more are counted only, -v tells each", mostTroubles), "")...)
	}
	return lines
}

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// thousands is 10,000.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
