package ui

import (
	"encoding/json"
	"io"
	"strings"
)

// erased clears from where the cursor rests, the start of the line at the bottom: with
// it goes what a terminal that got narrower has wrapped of that line, which is below.
const erased = "\r\x1b[J"

// drawn is the line at the bottom: on a terminal that is narrower by now it is cut, not
// wrapped, and the cursor goes back to its start, which stays where it is when a
// terminal wraps its lines anew.
func drawn(line string) string {
	if line == "" {
		return ""
	}
	return "\x1b[?7l" + line + "\x1b[?7h\r"
}

// A screen is a stream of lines with at most one line below them that is drawn
// over. Each change is one write. Errors are left alone: a screen that is gone
// must not end a rollout.
type screen struct {
	w     io.Writer
	below string
}

// print adds lines above the one at the bottom.
func (s *screen) print(lines []string) {
	if len(lines) == 0 {
		return
	}
	text := strings.Join(lines, "\n") + "\n"
	if s.below != "" {
		text = erased + text + drawn(s.below)
	}
	_, _ = io.WriteString(s.w, text)
}

// paint makes line the one at the bottom; it must fit the width.
func (s *screen) paint(line string) {
	if line == s.below {
		return
	}
	s.below = line
	_, _ = io.WriteString(s.w, erased+drawn(line))
}

// erase leaves nothing at the bottom and the cursor at the start of a line.
func (s *screen) erase() { s.paint("") }

func writeLines(w io.Writer, lines []string) { (&screen{w: w}).print(lines) }

func writeJSON(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // no value of ours is beyond JSON; for the rest see screen
}
