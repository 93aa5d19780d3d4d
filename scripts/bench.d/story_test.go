package main

import (
	"slices"
	"testing"
	"time"
)

func TestSpansAreToldFromEvents(t *testing.T) {
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	out := `{"time":"2026-01-01T00:00:01Z","kind":"lock"}
{"time":"2026-01-01T00:00:02Z","kind":"plan"}
{"time":"2026-01-01T00:00:03Z","kind":"host","host":"web1","phase":"staged"}
{"time":"2026-01-01T00:00:05Z","kind":"host","host":"web2","phase":"staged"}
{"time":"2026-01-01T00:00:06Z","kind":"host","host":"web1","phase":"draining"}
{"time":"2026-01-01T00:00:09Z","kind":"host","host":"web1","phase":"drained"}
{"time":"2026-01-01T00:00:10Z","kind":"host","host":"web1","phase":"done"}
{"time":"2026-01-01T00:00:12Z","kind":"host","host":"web2","phase":"draining"}
`
	events := eventsOf([]byte(out), began, began.Add(20*time.Second))
	want := map[string]time.Duration{
		"before the first event (connect, lock)": time.Second,
		"staging on all hosts, fence included":   3 * time.Second,
		"to the first drain (journal, claim)":    time.Second,
		"drain":                                  3 * time.Second,
		"after the last host (prune, unlock)":    10 * time.Second,
	}
	for _, s := range spans {
		if d, ok := want[s.name]; ok && !slices.Equal(s.of(events), []time.Duration{d}) {
			t.Errorf("%s: %v, want %v", s.name, s.of(events), d)
		}
		delete(want, s.name)
	}
	if len(want) > 0 {
		t.Errorf("no such spans: %v", want)
	}
	if got := turns(events); !slices.Equal(got, []time.Duration{2 * time.Second}) {
		t.Errorf("between two hosts: %v, want 2s", got)
	}
}

func TestOtherToolsHaveNoEvents(t *testing.T) {
	if e := eventsOf([]byte("PLAY [web] ***\n"), time.Time{}, time.Time{}); e != nil {
		t.Errorf("events: %v", e)
	}
}

func TestSpreadIsMedianLowestHighest(t *testing.T) {
	if got := spread([]float64{3, 1, 2, 10}, "%.1f"); got != "2.5 (1.0–10.0)" {
		t.Error(got)
	}
}

func TestTakeoverIsReadFromTheAppsLog(t *testing.T) {
	log := `shop base[7]: 15:08:35.082814 serving on [::]:8080
shop base[7]: 23:59:59.999000 hangup: upgrading
shop new[8]: 00:00:00.002000 starting (mode ok)
shop base[7]: 00:00:00.003000 drained, gone
shop new[8]: 00:00:00.004500 serving on [::]:8080
`
	if took, err := takeover(log); took != 5500*time.Microsecond || err != nil {
		t.Errorf("%v, %v; want 5.5ms", took, err)
	}
	if _, err := takeover(log[:100]); err == nil {
		t.Error("half a takeover is one")
	}
}
