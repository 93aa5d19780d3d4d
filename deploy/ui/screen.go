package ui

import (
	"encoding/json"
	"io"
	"strings"
)

const eraseLine = "\r\x1b[2K"

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
		text = eraseLine + text + s.below
	}
	_, _ = io.WriteString(s.w, text)
}

// paint makes line the one at the bottom; it must fit the width.
func (s *screen) paint(line string) {
	if line == s.below {
		return
	}
	s.below = line
	_, _ = io.WriteString(s.w, eraseLine+line)
}

// erase leaves nothing at the bottom and the cursor at the start of a line.
func (s *screen) erase() { s.paint("") }

func writeLines(w io.Writer, lines []string) { (&screen{w: w}).print(lines) }

func writeJSON(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // no value of ours is beyond JSON; for the rest see screen
}
