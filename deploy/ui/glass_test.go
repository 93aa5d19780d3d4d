package ui

import (
	"fmt"
	"strings"
)

// A glass is the screen of a terminal that may get narrower or wider while it is written
// to. It wraps its lines anew then, as most do, or cuts them, as xterm does.
type glass struct {
	width  int
	cuts   bool
	noWrap bool
	lines  [][]rune // as written, each up to its line feed
	line   int      // of the cursor
	at     int      // of the cursor, in its line
}

// show obeys \r, \n and the sequences that a screen sends, and nothing else.
func (g *glass) show(text string) error {
	for text != "" {
		n := 1
		switch {
		case strings.HasPrefix(text, "\x1b[J"):
			n = 3
			g.cut(g.line, g.at)
		case strings.HasPrefix(text, "\x1b[?7l"), strings.HasPrefix(text, "\x1b[?7h"):
			n, g.noWrap = 5, text[4] == 'l'
		case text[0] == '\r':
			g.at -= g.column()
		case text[0] == '\n':
			g.line, g.at = g.line+1, 0
		case text[0] < ' ':
			return fmt.Errorf("a byte that this terminal does not know: %q", text)
		default:
			r := []rune(text)[0]
			n = len(string(r))
			g.put(r)
		}
		text = text[n:]
	}
	return nil
}

// column is where the cursor stands; beyond the last one only before the next rune.
func (g *glass) column() int {
	if col := g.at % g.width; col > 0 || g.at == 0 {
		return col
	}
	if g.at == len(g.lines[g.line]) { // at the end of a full row, not at the start of the next
		return g.width
	}
	return 0
}

func (g *glass) put(r rune) {
	g.grow()
	line := g.lines[g.line]
	switch {
	case g.noWrap && g.column() == g.width:
		g.at--
	case g.cuts && g.column() == g.width:
		g.line, g.at = g.line+1, 0
		g.grow()
		line = g.lines[g.line]
	}
	if g.at == len(line) {
		line = append(line, ' ')
	}
	line[g.at] = r
	g.lines[g.line] = line
	g.at++
}

func (g *glass) grow() {
	for len(g.lines) <= g.line {
		g.lines = append(g.lines, nil)
	}
}

// cut leaves what is before the place.
func (g *glass) cut(line, at int) {
	g.grow()
	g.lines = g.lines[:line+1]
	g.lines[line] = g.lines[line][:min(at, len(g.lines[line]))]
}

// undrawn is the line that was drawn.
func undrawn(text string) string {
	return strings.TrimSuffix(strings.TrimPrefix(text, "\x1b[?7l"), "\x1b[?7h\r")
}

// resize is what a person does with the window.
func (g *glass) resize(width int) {
	g.width = width
	if !g.cuts {
		return
	}
	for i, line := range g.lines {
		g.lines[i] = line[:min(width, len(line))]
	}
	g.grow()
	g.at = min(g.at, len(g.lines[g.line]))
}

// rows are what is seen.
func (g *glass) rows() (all []string) {
	g.grow()
	for _, line := range g.lines {
		all = append(all, wrapped(string(line), g.width)...)
	}
	return all
}
