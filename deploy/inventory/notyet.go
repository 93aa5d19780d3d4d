package inventory

import "fmt"

// A later is a value that is understood but not acted on yet. Taking a row out
// is all that is needed here once it is.
type later struct {
	key     string
	when    func(v string) bool
	what    string // is not yet supported
	instead string
}

// laters is empty: all that is understood is acted on.
var laters []later

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
