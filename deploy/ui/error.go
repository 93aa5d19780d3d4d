package ui

import (
	"errors"
	"io"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// PrintError writes err as a person needs it: each error of a join on a line of
// its own with its code, what was seen under it, and the next step.
func PrintError(w io.Writer, err error) {
	var lines []string
	hint := ""
	for _, err := range split(err) {
		f := faultOf(err)
		if f.hint != hint {
			lines = append(lines, hintLines(hint)...)
		}
		hint, f.hint = f.hint, ""
		lines = append(lines, f.lines()...)
	}
	writeLines(w, append(lines, hintLines(hint)...))
}

// A fault is an error taken apart.
type fault struct {
	text, code, hint string
	evidence         []string
}

func faultOf(err error) fault {
	f := fault{text: cleanText(err.Error()), code: clean(deploy.CodeOf(err)), hint: cleanText(deploy.HintOf(err))}
	var seen interface{ Evidence() []string }
	if errors.As(err, &seen) {
		f.evidence = cleanLines(seen.Evidence())
	}
	return f
}

// lines are ready to print; a hint that err shares with the next is not repeated.
func (f fault) lines() []string {
	var out []string
	for _, line := range strings.Split(f.said(), "\n") {
		out = append(out, "flipdeploy: "+line)
	}
	for _, e := range f.evidence {
		out = append(out, "            | "+e)
	}
	return append(out, hintLines(f.hint)...)
}

// said is the text with the code after its first line.
func (f fault) said() string {
	if f.code == "" {
		return f.text
	}
	first, rest, more := strings.Cut(f.text, "\n")
	first += " [" + f.code + "]"
	if !more {
		return first
	}
	return first + "\n" + rest
}

func hintLines(hint string) []string {
	if hint == "" {
		return nil
	}
	return []string{"flipdeploy: hint: " + strings.ReplaceAll(hint, "\n", "\nflipdeploy: hint: ")}
}

// split is err's parts where it is nothing but a join of them.
func split(err error) []error {
	join, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var texts []string
	var parts []error
	for _, e := range join.Unwrap() {
		texts = append(texts, e.Error())
		parts = append(parts, split(e)...)
	}
	if strings.Join(texts, "\n") != err.Error() {
		return []error{err} // it says something of its own
	}
	return parts
}
