package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// A Table is rows under a head, for a person. Its cells may come from machines.
type Table struct {
	Head []string
	Rows [][]string
}

// Add makes the cells a row.
func (t *Table) Add(cells ...string) { t.Rows = append(t.Rows, cells) }

// Lines are the table's, each column as wide as its widest cell, two spaces apart.
// An empty cell that has another to its right reads "-". Nothing is cut: a script
// that reads a table, though it should not, reads all of it.
func (t *Table) Lines() []string {
	rows := append([][]string{t.Head}, t.Rows...)
	wide := make([]int, len(t.Head))
	for i, row := range rows {
		rows[i] = filled(row)
		for c, cell := range rows[i] {
			wide[c] = max(wide[c], width(cell))
		}
	}
	var lines []string
	for _, row := range rows {
		line := ""
		for c, cell := range row {
			line += cell + strings.Repeat(" ", wide[c]-width(cell)+2)
		}
		lines = append(lines, strings.TrimRight(line, " "))
	}
	return lines
}

func filled(row []string) []string {
	cells := make([]string, len(row))
	said := false
	for i := len(row) - 1; i >= 0; i-- {
		cells[i] = clean(row[i])
		if cells[i] == "" && said {
			cells[i] = "-"
		}
		said = said || cells[i] != ""
	}
	return cells
}

func width(s string) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

// Line is what a person is told outside of a story, made harmless.
func Line(format string, args ...any) string { return cleanText(fmt.Sprintf(format, args...)) }

// Bytes is a size as people say it.
func Bytes(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// WriteJSON writes v as one line. What would lead a terminal or a CI system astray
// is escaped as JSON has it: a program reads the same.
func WriteJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := io.WriteString(w, ciWords.Replace(escaped(b.String())))
	return err
}

func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == 0x7f || misleads(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

var ciWords = strings.NewReplacer("##[", `#\u0023[`, "##vso[", `#\u0023vso[`, "##teamcity[", `#\u0023teamcity[`,
	"section_start:", `section_start\u003a`, "section_end:", `section_end\u003a`)
