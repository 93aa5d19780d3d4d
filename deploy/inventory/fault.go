package inventory

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// CodeInventory is the code of all faults.
const CodeInventory = "FD-INVENTORY"

// maxShown bounds what Error prints: a wrong file is not worth a screen more.
const maxShown = 100

// A Fault is one thing wrong in the inventory. All its text is printable.
type Fault struct {
	Line, Col int // 1-based; 0 when there is no place in the file
	Key       string
	Text      string
	Hint      string
	Code      string
}

// A FaultsError holds all that is wrong with an inventory, in the file's order.
type FaultsError struct {
	Path   string
	Faults []Fault
	cause  error
}

// Error is one fault a line, each with its hint where there are several.
func (e *FaultsError) Error() string {
	var lines []string
	for i, f := range e.Faults {
		if i == maxShown {
			lines = append(lines, fmt.Sprintf("and %d more faults", len(e.Faults)-i))
			break
		}
		lines = append(lines, e.line(f))
	}
	return strings.Join(lines, "\n")
}

func (e *FaultsError) line(f Fault) string {
	var parts []string
	switch {
	case e.Path == "":
	case f.Line > 0:
		parts = append(parts, fmt.Sprintf("%s:%d:%d", printable(e.Path), f.Line, f.Col))
	default:
		parts = append(parts, printable(e.Path))
	}
	if f.Key != "" {
		parts = append(parts, cut(f.Key))
	}
	text := f.Text
	if f.Hint != "" && len(e.Faults) > 1 {
		text += " (" + f.Hint + ")"
	}
	return strings.Join(append(parts, text), ": ")
}

// Unwrap is what the system said, where it said something.
func (e *FaultsError) Unwrap() error { return e.cause }

// Code is that of all faults.
func (e *FaultsError) Code() string { return CodeInventory }

// Hint is that of the only fault, else where to look.
func (e *FaultsError) Hint() string {
	if len(e.Faults) == 1 && e.Faults[0].Hint != "" {
		return e.Faults[0].Hint
	}
	return "inventory.example.toml shows every key with its default"
}

// faults collects; readers go on after each.
type faults struct {
	list []Fault
	keys map[string]bool // that have a fault, a list's own key for those of its items
}

func (f *faults) add(at pos, key, text, hint string) {
	if f.keys == nil {
		f.keys = map[string]bool{}
	}
	f.keys[key], f.keys[lastIndex.ReplaceAllString(key, "")] = true, true
	f.list = append(f.list, Fault{Line: at.line, Col: at.col, Key: key, Text: text, Hint: hint, Code: CodeInventory})
}

var lastIndex = regexp.MustCompile(`\[\d+\]$`)

// on tells whether key, or an item of its list, has a fault already.
func (f *faults) on(key string) bool { return f.keys[key] }

// err is nil without faults. Those without a place come last.
func (f *faults) err(path string) error {
	if len(f.list) == 0 {
		return nil
	}
	slices.SortStableFunc(f.list, func(a, b Fault) int {
		return cmp.Or(btoi(a.Line == 0)-btoi(b.Line == 0), a.Line-b.Line, a.Col-b.Col)
	})
	return &FaultsError{Path: path, Faults: f.list}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
