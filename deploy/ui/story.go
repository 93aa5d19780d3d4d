package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// quietFor is how long nothing may be said: CI systems and people take longer
// silence for a hang.
const quietFor = 15 * time.Second

// everyone is the name of what concerns no single machine.
const everyone = "fleet"

// A story tells events in plain lines: who, what, how much, how long.
type story struct {
	threshold int
	color     bool
	name      int // width of the first column
	hosts     map[string]*standing
	order     []string
	seq       int64
	moved     time.Time // of the last event that said something new
	spoke     time.Time // of the last line
	began     time.Time // of the first
	errors    int       // told
	serving   *int      // hosts, as the balancers had it last; nil: not told
	crowd     *crowd    // nil: every host is told
}

// A standing is what is known of one host.
type standing struct {
	phase deploy.Phase
	key   string    // of the last line: its phase and balancer
	words string    // what was said last of what it waits for
	began time.Time // of being taken out
}

func newStory(o Options) *story {
	threshold := news
	if o.Quiet || o.JSON {
		threshold = alarm
	}
	now := time.Now()
	return &story{threshold: threshold - o.Verbose, color: o.Color, name: 4,
		hosts: map[string]*standing{}, moved: now, spoke: now, began: now}
}

func (s *story) align(names []string) {
	for _, n := range append(names, everyone) {
		s.name = max(s.name, len(clean(n)))
	}
}

func (s *story) standing(host string) *standing {
	if s.hosts[host] == nil {
		s.hosts[host] = &standing{}
		s.order = append(s.order, host)
	}
	return s.hosts[host]
}

// host tells of a phase. One under way, or said again, is what the host waits
// for: for who asked, and for the heartbeat.
func (s *story) host(e deploy.Event) []string {
	if e.Host == "" {
		return s.row(chatter, "", string(e.Phase), lookOf(e.Phase), detail(e), elapsed(e))
	}
	st, key, level := s.standing(e.Host), string(e.Phase)+" "+e.LB, news
	if st.key == key || lookOf(e.Phase) == moving {
		level = chatter
	}
	st.phase, st.key, st.words = e.Phase, key, detail(e)
	began := st.began
	took := st.took(e)
	if s.crowd != nil {
		if level == chatter || lookOf(e.Phase) == ill || e.Phase == deploy.Drained {
			return nil
		}
		return s.entered(e, lasted(e, began))
	}
	return s.row(level, e.Host, string(e.Phase), lookOf(e.Phase), detail(e), took)
}

// took is the time to show. A phase under way has none yet, and one that ended
// without it took as long as the host was out.
func (st *standing) took(e deploy.Event) string {
	kind := lookOf(e.Phase)
	if e.Phase == deploy.Draining && st.began.IsZero() {
		st.began = e.Time
	}
	began := st.began
	if kind == well || kind == ill || kind == notable {
		st.began = time.Time{}
	}
	switch {
	case kind == moving:
		return ""
	case e.ElapsedMS == 0 && kind != resting && !began.IsZero() && e.Time.After(began):
		return duration(e.Time.Sub(began))
	}
	return elapsed(e)
}

// lasted is how long the host was out, or was staged.
func lasted(e deploy.Event, began time.Time) time.Duration {
	if e.ElapsedMS == 0 && !began.IsZero() && e.Time.After(began) {
		return e.Time.Sub(began)
	}
	return time.Duration(e.ElapsedMS) * time.Millisecond
}

// balancer tells what a balancer did; with a host it is what that host waits for.
func (s *story) balancer(e deploy.Event) []string {
	switch {
	case e.Serving != nil:
		s.serving = e.Serving
		return s.row(chatter, e.LB, "lb", resting, e.Detail, elapsed(e))
	case e.Host == "":
		return s.row(news, e.LB, "lb", notable, e.Detail, elapsed(e))
	}
	st, words := s.standing(e.Host), detail(e)
	if st.words == words {
		return nil
	}
	st.words = words
	return s.row(chatter, e.Host, or(string(st.phase), "lb"), lookOf(st.phase), words, elapsed(e))
}

// trouble tells a warning or an error with all that was seen, uncut.
func (s *story) trouble(e deploy.Event, l look) []string {
	f := fault{text: strings.TrimPrefix(e.Detail, e.Host+": "), code: e.Code}
	if e.LB != "" && e.Host != "" {
		f.text = e.LB + ": " + f.text
	}
	text := strings.Split(f.said(), "\n")
	lines := s.row(alarm, or(e.Host, e.LB), string(e.Kind), l, text[0], elapsed(e))
	if lines == nil {
		return nil
	}
	indent := strings.Repeat(" ", s.name+2)
	for _, t := range append(text[1:], e.Evidence...) {
		lines = append(lines, indent+"| "+t)
	}
	if e.Hint != "" {
		lines = append(lines, indent+"hint: "+e.Hint)
	}
	if s.crowd != nil {
		return s.bounded(e.Kind, lines)
	}
	return lines
}

func (s *story) row(level int, name, word string, l look, text, took string) []string {
	name = or(name, everyone)
	s.name = max(s.name, len(name))
	if level < s.threshold {
		return nil
	}
	s.spoke = time.Now()
	said := joined("  ", text, took)
	if said != "" {
		word = fmt.Sprintf("%-9s", word)
	}
	return []string{joined("  ", fmt.Sprintf("%-*s", s.name, name), s.paint(l, word), said)}
}

// paint adds colour to a word that says the same without it.
func (s *story) paint(l look, word string) string {
	color := map[look]string{well: "32", ill: "31", notable: "33", moving: "36"}[l]
	if !s.color || color == "" {
		return word
	}
	return "\x1b[" + color + "m" + word + "\x1b[0m"
}

// heartbeat says what is waited for when nothing was said for a while.
func (s *story) heartbeat(sent, total int64) []string {
	now := time.Now()
	if len(s.hosts) == 0 && total == 0 { // nothing has begun
		s.moved, s.spoke = now, now
	}
	if now.Sub(s.spoke) < s.crowd.patience() || s.threshold > news {
		return nil
	}
	if s.crowd != nil {
		s.crowd.quiet++
	}
	return s.row(news, "", "waiting", moving, s.waiting(sent, total), duration(now.Sub(s.moved)))
}

func (s *story) waiting(sent, total int64) string {
	if total > 0 && !s.flipping() {
		return fmt.Sprintf("staging %.1f of %.1f MB", float64(sent)/1e6, float64(total)/1e6)
	}
	return s.underWay()
}

// underWay is `web2 draining (edge1: 12 sessions), web3 verifying`.
func (s *story) underWay() string {
	if s.crowd != nil {
		return s.crowdUnderWay()
	}
	var all []string
	for _, name := range s.order {
		st := s.hosts[name]
		if lookOf(st.phase) != moving && !out(st.phase) || lookOf(st.phase) == ill {
			continue
		}
		text := name + " " + string(st.phase)
		if st.words != "" {
			text += " (" + st.words + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

// number gives e its place, where the engine left that to us.
func (s *story) number(e deploy.Event) deploy.Event {
	if e.Seq == 0 {
		e.Seq = s.seq + 1
	}
	s.seq = max(s.seq, e.Seq)
	if !s.again(e) {
		s.moved = time.Now()
	}
	return e
}

// again tells that e says what its host waits for, as it was said before: nothing moved.
func (s *story) again(e deploy.Event) bool {
	st := s.hosts[e.Host]
	return st != nil && e.Kind == deploy.KindLB && st.words == detail(e)
}

// complete fills what the engine left open in a result.
func (s *story) complete(r deploy.Result) deploy.Result {
	r.Kind = deploy.KindResult
	if r.Seq == 0 {
		r.Seq = s.seq + 1
	}
	if r.Time.IsZero() {
		r.Time = time.Now()
	}
	return r
}

func detail(e deploy.Event) string {
	if e.LB == "" {
		return e.Detail
	}
	return strings.TrimSuffix(e.LB+": "+e.Detail, ": ")
}

func elapsed(e deploy.Event) string {
	if e.ElapsedMS < 50 { // would read 0.0s
		return ""
	}
	return duration(time.Duration(e.ElapsedMS) * time.Millisecond)
}

// duration is 0.4s, 12.0s, 2m05s.
func duration(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
}

// joined leaves out what is empty.
func joined(between string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), between)
}

func or(a, b string) string {
	if a == "" {
		return b
	}
	return a
}
