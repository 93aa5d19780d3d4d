package inventory

import (
	"fmt"
	"slices"
)

// A later is a value that is understood but not acted on yet. Taking a row out
// is all that is needed here once it is.
type later struct {
	key     string
	when    func(v string) bool
	what    string // is not yet supported
	instead string
}

var laters = []later{
	{"health.kind", is("command"), "a health command", `use "http" or "tcp"`},
	{"health.command", set, "a health command", `leave it out; kind is "http" or "tcp"`},
}

// NotYet is the error for a word, given under name, that is not acted on yet.
func NotYet(name, what, instead string) error {
	var f faults
	f.addNotYet(pos{}, name, what+" is not yet supported", instead)
	return f.err("")
}

func (l later) text() string { return l.what + " is not yet supported" }

// notYet walks the file for values of the table, and leaves alone those that
// have another fault.
func (b *builder) notYet(n *node) {
	for _, l := range laters {
		if plain(n.key) == l.key && !n.bad && l.when(value(n)) {
			b.addNotYet(n.at, n.key, l.text(), l.instead)
			break
		}
	}
	for _, k := range n.kids {
		b.notYet(k)
	}
	for _, k := range n.list {
		if k.kids != nil {
			b.notYet(k)
		}
	}
}

// value is a node's as laters take it.
func value(n *node) string {
	if n.arr {
		return fmt.Sprint(len(n.list), " items")
	}
	return fmt.Sprint(n.val)
}

func set(v string) bool { return v != "" }

func is(words ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(words, v) }
}
