package main

import (
	"bytes"
	"encoding/json"
	"time"
)

// An event is a line that flipdeploy --json wrote.
type event struct {
	Time              time.Time
	Kind, Host, Phase string
}

// eventsOf reads flipdeploy's events, between two of our own: began and ended.
// Of another tool's output there are none.
func eventsOf(out []byte, began, ended time.Time) []event {
	list := []event{{Time: began, Kind: "began"}}
	for line := range bytes.Lines(out) {
		var e event
		if json.Unmarshal(line, &e) != nil || e.Kind == "" {
			return nil
		}
		list = append(list, e)
	}
	return append(list, event{Time: ended, Kind: "ended"})
}

// A span is what lies between two events, of the run or of each host.
type span struct {
	name     string
	from, to func(event) bool
	host     bool
}

func kind(k string) func(event) bool  { return func(e event) bool { return e.Kind == k } }
func phase(p string) func(event) bool { return func(e event) bool { return e.Phase == p } }

var spans = []span{
	{"before the first event (connect, lock)", kind("began"), kind("lock"), false},
	{"to the plan (preflight, look)", kind("lock"), kind("plan"), false},
	{"staging on all hosts, fence included", kind("plan"), phase("staged"), false},
	{"to the first drain (journal, claim)", phase("staged"), phase("draining"), false},
	{"drain", phase("draining"), phase("drained"), true},
	{"journal, flip", phase("drained"), phase("reloading"), true},
	{"reload", phase("reloading"), phase("verifying"), true},
	{"verify (health, settle)", phase("verifying"), phase("readying"), true},
	{"ready", phase("readying"), phase("done"), true},
	{"after the last host (prune, unlock)", phase("done"), kind("ended"), false},
}

// of lists how long s took in one run: once, or once for each host. A span of the
// run goes from the last event before it to the first one after; staging, which all
// hosts do side by side, ends with the last host.
func (s span) of(events []event) (list []time.Duration) {
	if s.host {
		began := map[string]time.Time{}
		for _, e := range events {
			if s.from(e) {
				began[e.Host] = e.Time
			}
			if t, ok := began[e.Host]; ok && s.to(e) {
				list = append(list, e.Time.Sub(t))
				delete(began, e.Host)
			}
		}
		return list
	}
	from, to := -1, -1
	for i, e := range events {
		if s.from(e) {
			from = i
		}
		if s.to(e) && (to < 0 || e.Phase == "staged") {
			to = i
		}
	}
	if from < 0 || to < 0 {
		return nil
	}
	return []time.Duration{events[to].Time.Sub(events[from].Time)}
}

// turns lists the time between a host that is done and the draining of the next.
func turns(events []event) (list []time.Duration) {
	var free []time.Time
	for _, e := range events {
		switch {
		case e.Phase == "done":
			free = append(free, e.Time)
		case e.Phase == "draining" && len(free) > 0:
			list = append(list, e.Time.Sub(free[0]))
			free = free[1:]
		}
	}
	return list
}
