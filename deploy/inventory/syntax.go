package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	toml "github.com/pelletier/go-toml/v2"
)

// syntaxFault says where the file stops being TOML, and what was probably meant.
func syntaxFault(data []byte, err error) *Fault {
	f := &Fault{Code: CodeInventory, Text: "not TOML: " + printable(strings.TrimPrefix(err.Error(), "toml: "))}
	var de *toml.DecodeError
	if errors.As(err, &de) {
		f.Line, f.Col = de.Position()
	}
	line := lineAt(data, f.Line)
	f.Text = wholeRune.ReplaceAllStringFunc(f.Text, func(string) string { return runeAt(line, f.Col) })
	if noValue.MatchString(line) {
		f.Text = "not TOML: there is no value"
	}
	f.Hint = syntaxHint(data, line, f.Text)
	return f
}

// wholeRune is how go-toml shows the first byte of a character.
var wholeRune = regexp.MustCompile(`U\+00[0-9A-F]{2}( '[^']*')?`)

func runeAt(line string, col int) string {
	if col < 1 || col > len(line) {
		return "the end of the line"
	}
	r, _ := utf8.DecodeRuneInString(line[col-1:])
	return fmt.Sprintf("%U %s", r, printable("'"+string(r)+"'"))
}

func lineAt(data []byte, n int) string {
	lines := bytes.SplitN(data, []byte("\n"), n+1)
	if n < 1 || n > len(lines) {
		return ""
	}
	return strings.TrimSuffix(string(lines[n-1]), "\r")
}

// A slip is a way to write a file that is not TOML, and the way out.
type slip struct {
	is   func(file, line, text string) bool
	hint string
}

var slips = []slip{
	{said("already"), "every key and table may stand once; several hosts are several [[host]]"},
	{begins("<<<<<<<", "=======", ">>>>>>>"), "a merge was left unfinished: choose one side"},
	{begins(";"), "comments begin with #"},
	{func(file, _, _ string) bool { return strings.HasPrefix(strings.TrimSpace(file), "{") }, `this looks like JSON: write [app], and name = "shop" below it`},
	{holds("“", "”", "‘", "’", "„"), `write straight quotes: "`},
	{holds("\u00a0", "\u2007", "\u202f"), "there is a blank that is none: write a plain one"},
	{func(file, _, text string) bool {
		return strings.Contains(file, "\r") && !strings.Contains(file, "\n")
	}, "save the file with line feeds"},
	{func(_, line, text string) bool {
		return strings.Contains(text, "expected '='") && yamlLine.MatchString(line)
	}, "this looks like YAML: write key = value, and tables in [brackets]"},
	{said("cannot have new lines"), "close the string on its line"},
	{said("array"), "close the list with ]"},
	{said("close table name"), "close the table's name with ]"},
	{said("leading zeroes"), "write the number without"},
	{said("control characters", "UTF-8"), "take it out"},
	{func(_, line, _ string) bool {
		return strings.ContainsFunc(line, func(r rune) bool { return r < ' ' && r != '\t' })
	}, "the line holds a control character: take it out"},
}

var yamlLine = regexp.MustCompile(`^\s*[A-Za-z_-]+\s*:`)

func said(parts ...string) func(file, line, text string) bool {
	return func(_, _, text string) bool { return containsAny(text, parts) }
}

func holds(parts ...string) func(file, line, text string) bool {
	return func(_, line, _ string) bool { return containsAny(line, parts) }
}

func begins(parts ...string) func(file, line, text string) bool {
	return func(_, line, _ string) bool {
		for _, p := range parts {
			if strings.HasPrefix(strings.TrimSpace(line), p) {
				return true
			}
		}
		return false
	}
}

func containsAny(s string, parts []string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

var (
	bareValue = regexp.MustCompile(`^\s*([A-Za-z_.-]+)\s*=\s*([^\s"'\[\]{}#=,]+)\s*(?:#.*)?$`)
	noValue   = regexp.MustCompile(`^\s*([A-Za-z_.-]+)\s*=\s*(?:#.*)?$`)
)

func syntaxHint(data []byte, line, text string) string {
	for _, s := range slips {
		if s.is(string(data), line, text) {
			return s.hint
		}
	}
	if m := noValue.FindStringSubmatch(line); m != nil {
		return fmt.Sprintf("give %s a value, or leave the line out", m[1])
	}
	if m := bareValue.FindStringSubmatch(line); m != nil && !isNumeral(m[2]) {
		return fmt.Sprintf("text stands in quotes: %s = %s", m[1], quote(m[2]))
	}
	if strings.Contains(text, "expected newline") {
		return "one key stands on a line, and text in quotes"
	}
	return ""
}

func isNumeral(s string) bool { return strings.Trim(s, "+-0123456789._") == "" }
