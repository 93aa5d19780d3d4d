package lb

import (
	"regexp"
	"slices"
	"strings"
)

// A nginxSnapshot is one look, understood.
type nginxSnapshot struct {
	*nginxLook
	conf    *nginxConf
	lines   []*serverLine
	good    *regexp.Regexp // what a good probe says
	asks    Probe
	foreign []string // files that people changed and nginx has not read yet
}

// of are the server lines of host in the listed upstreams.
func (s *nginxSnapshot) of(host string) []*serverLine {
	var mine []*serverLine
	for _, l := range s.lines {
		if l.listed && l.host == host {
			mine = append(mine, l)
		}
	}
	return mine
}

func (s *nginxSnapshot) wellAt(l *serverLine) bool { return s.good.MatchString(s.said(l)) }

// said is the probe's answer for a line.
func (s *nginxSnapshot) said(l *serverLine) string { return s.probes[s.asks.addr(l.to)] }

func (s *nginxSnapshot) state(l *serverLine) State {
	switch {
	case l.down:
		return StateMaint
	case !s.wellAt(l):
		return StateDown
	}
	return StateReady
}

// seat is host's place over all its lines. A backup does not count as serving: it gets
// no request while others do.
func (s *nginxSnapshot) seat(host string) Seat {
	seat := Seat{State: StateAbsent}
	active, serving := 0, 0
	var words []string
	for _, l := range s.of(host) {
		if slices.Index(worst, s.state(l)) > slices.Index(worst, seat.State) {
			seat.State = s.state(l)
		}
		if !l.backup {
			active++
		}
		seat.By = l.by(seat.By)
		if !l.backup && s.state(l) == StateReady {
			serving++
		}
		words = append(words, s.words(l))
	}
	seat.Serving = active > 0 && serving == active
	seat.Sessions = len(s.socksTo(host, func(nginxSock) bool { return true }))
	seat.Detail = strings.Join(words, ", ")
	seat.Stale = s.pending(host)
	return seat
}

// by is whose flag it is that a line is down by; another's outweighs ours.
func (l *serverLine) by(before Out) Out {
	switch {
	case l.down && !l.ours():
		return ByOther
	case l.ours() && before == "":
		return ByUs
	}
	return before
}

func (s *nginxSnapshot) words(l *serverLine) string {
	switch {
	case l.ours():
		return l.key() + " down (flipdeploy " + l.mark.rollout + ")"
	case l.down:
		return l.key() + " down"
	case s.wellAt(l):
		return l.key() + " up"
	}
	return l.key() + " " + strings.TrimPrefix(s.said(l), "- ")
}

// socksTo are the connections to host's addresses that count.
func (s *nginxSnapshot) socksTo(host string, counts func(nginxSock) bool) []nginxSock {
	var all []nginxSock
	for _, k := range s.socks {
		if counts(k) && slices.ContainsFunc(s.of(host), func(l *serverLine) bool { return l.to == k.to }) {
			all = append(all, k)
		}
	}
	return all
}

// A file's time and a worker's start are known to so many seconds.
const clockSlack = 0.05

// unloaded tells whether a file was replaced after the workers started: what stands in
// it may not be live, whoever wrote it.
func (s *nginxSnapshot) unloaded(path string) bool {
	return s.files[path] != nil && s.files[path].touched > s.clock(s.since())+clockSlack
}

// pending tells whether a flag of host, set or removed, may not be live.
func (s *nginxSnapshot) pending(host string) bool {
	return slices.ContainsFunc(s.of(host), func(l *serverLine) bool { return s.unloaded(l.at.file.path) })
}

// settle finds the files that people changed and nginx has not read. Our own edits
// leave a file's time as it was, and marks, of whatever app, are not looked at.
// The caller holds mu.
func (n *Nginx) settle(s *nginxSnapshot) {
	if len(s.live) == 0 {
		return
	}
	start := s.clock(s.since()) + clockSlack
	now, newer := map[string]string{}, false
	for path := range s.conf.used {
		now[path] = s.conf.bare(path)
		if f := s.files[path]; f != nil && f.changed > start {
			newer = true
			if n.live == nil || n.live[path] != now[path] {
				s.foreign = append(s.foreign, path)
			}
		}
	}
	slices.Sort(s.foreign)
	if !newer {
		n.live = now
	}
}

// bare is the sum of a file without our marks, worked out once.
func (c *nginxConf) bare(path string) string {
	if c.bares == nil {
		c.bares = map[string]string{}
	}
	if c.bares[path] == "" {
		c.bares[path] = sha(bareText(c.files[path]))
	}
	return c.bares[path]
}
