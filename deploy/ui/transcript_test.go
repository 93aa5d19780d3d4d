package ui

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestTranscripts: the events of real runs, as --json wrote them on a fleet of
// scripts/fleet, told again in the time that they took: the whole of what a log and a
// person at a terminal see of them, 80 and 40 columns wide. UPDATE_SCRIPTS=1 writes that.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("../../testdata/transcript/*.txtar")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d transcripts: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil || len(a.Files) == 0 || a.Files[0].Name != "events.ndjson" {
				t.Fatalf("%s has no events: %v", file, err)
			}
			is := append(a.Files[:1:1], told(t, a.Files[0].Data)...)
			if os.Getenv("UPDATE_SCRIPTS") != "" {
				a.Files = is
				if err := os.WriteFile(file, txtar.Format(a), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if len(a.Files) != len(is) {
				t.Fatalf("%d parts, want %d", len(a.Files), len(is))
			}
			for i := range is {
				wantText(t, is[i].Name, string(is[i].Data), string(a.Files[i].Data))
			}
		})
	}
}

// told is a run in all the ways of telling it; a log knows of no columns.
func told(t *testing.T, events []byte) []txtar.File {
	t.Helper()
	wide, narrow := replay(t, events, false, 80), replay(t, events, false, 40)
	if wide != narrow {
		t.Errorf("a log of 40 columns says\n%s\none of 80\n%s", narrow, wide)
	}
	all := []txtar.File{{Name: "plain", Data: []byte(wide)}}
	for _, cols := range []int{80, 40} {
		all = append(all, txtar.File{Name: fmt.Sprintf("terminal-%d", cols), Data: []byte(replay(t, events, true, cols))})
	}
	return all
}

// replay is what a run of these events shows, events and result at their times.
func replay(t *testing.T, ndjson []byte, live bool, cols int) (seen string) {
	t.Helper()
	events, result := recorded(t, ndjson)
	synctest.Test(t, func(t *testing.T) {
		term := &terminal{width: cols}
		u := New(Options{Out: term, Err: term, Live: live, Width: func() int { return cols }})
		u.Fleet("shop", machinesOf(events, result)...)
		for i, e := range events {
			time.Sleep(e.Time.Sub(events[max(0, i-1)].Time))
			u.Event(e)
			synctest.Wait() // each has its line before time goes on
		}
		u.Result(result)
		u.Close()
		if seen = term.String(); live {
			seen = film(seen, cols)
		}
	})
	return seen
}

// recorded are the lines of --json.
func recorded(t *testing.T, ndjson []byte) (events []deploy.Event, result deploy.Result) {
	t.Helper()
	for line := range strings.Lines(string(ndjson)) {
		var e deploy.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if e.Kind != deploy.KindResult {
			events = append(events, e)
		} else if err := json.Unmarshal([]byte(line), &result); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
	if len(events) < 3 || result.Kind != deploy.KindResult {
		t.Fatalf("%d events, and the result %q", len(events), result.Kind)
	}
	return events, result
}

func machinesOf(events []deploy.Event, r deploy.Result) (names []string) {
	for name := range r.Hosts {
		names = append(names, name)
	}
	for _, e := range events {
		if e.LB != "" {
			names = append(names, e.LB)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// film is all that a screen of so many columns showed: the lines that stayed, wrapped as
// it wraps them, and behind ~ each bar that was drawn over.
func film(text string, cols int) string {
	var b strings.Builder
	last := ""
	for _, part := range strings.Split(text, erased) {
		lines := strings.Split(part, "\n")
		for _, line := range lines[:len(lines)-1] {
			for _, row := range wrapped(line, cols) {
				b.WriteString(row + "\n")
			}
		}
		if bar := undrawn(lines[len(lines)-1]); bar != last && bar != "" {
			last = bar
			b.WriteString("~ " + bar + "\n")
		}
	}
	return b.String()
}

func wrapped(line string, cols int) (rows []string) {
	rest := []rune(line)
	for len(rest) > cols {
		rows, rest = append(rows, string(rest[:cols])), rest[cols:]
	}
	return append(rows, string(rest))
}
