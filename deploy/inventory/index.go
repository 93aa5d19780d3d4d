package inventory

import (
	"fmt"
	"sort"

	"github.com/pelletier/go-toml/v2/unstable"
)

// An indexer walks the file once more, for the places of its keys: go-toml
// gives them only for what it does not know.
type indexer struct {
	p     *unstable.Parser
	lines []int // offsets at which lines begin
	at    map[string]pos
	sizes map[string]int // of the arrays of tables, by full key
	table string         // full key of the table that the walk is in
}

// deepest is how far below the top keys are looked at; the schema ends at three.
// Without it a small file of deep nesting would make keys of endless length.
const deepest = 6

// index returns the place of every key, by full key: that of the key itself
// for keys and tables, that of the value for the items of an array. data must
// be well-formed.
func index(data []byte) map[string]pos {
	ix := &indexer{p: &unstable.Parser{}, lines: lineStarts(data), at: map[string]pos{}, sizes: map[string]int{}}
	ix.p.Reset(data)
	for ix.p.NextExpression() {
		switch e := ix.p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			ix.header(e)
		case unstable.KeyValue:
			ix.pair(ix.table, e, 1)
		default: // comments
		}
	}
	return ix.at
}

func (ix *indexer) header(e *unstable.Node) {
	key, depth := "", 0
	for it := e.Key(); it.Next() && depth < deepest; depth++ {
		key = join(ix.latest(key), string(it.Node().Data))
		ix.mark(key, it.Node())
		if it.IsLast() && e.Kind == unstable.ArrayTable {
			ix.sizes[key]++
			ix.mark(ix.latest(key), it.Node())
		}
	}
	ix.table = ix.latest(key)
}

// latest is the full key of the last table of key where that is an array of
// tables, else key itself.
func (ix *indexer) latest(key string) string {
	if n := ix.sizes[key]; n > 0 {
		return fmt.Sprintf("%s[%d]", key, n-1)
	}
	return key
}

func (ix *indexer) pair(table string, e *unstable.Node, depth int) {
	key := table
	for it := e.Key(); it.Next() && depth < deepest; depth++ {
		key = join(key, string(it.Node().Data))
		ix.mark(key, it.Node())
	}
	ix.value(key, e.Value(), depth)
}

func (ix *indexer) value(key string, v *unstable.Node, depth int) {
	i := 0
	for it := v.Children(); depth < deepest && it.Next(); i++ {
		if v.Kind == unstable.InlineTable {
			ix.pair(key, it.Node(), depth+1)
			continue
		}
		item := fmt.Sprintf("%s[%d]", key, i)
		ix.mark(item, it.Node())
		ix.value(item, it.Node(), depth+1)
	}
}

// mark keeps the first place of a key: a table's own, not its children's.
func (ix *indexer) mark(key string, n *unstable.Node) {
	if _, ok := ix.at[key]; ok || n.Raw.Length == 0 {
		return
	}
	offset := int(n.Raw.Offset)
	line := sort.SearchInts(ix.lines, offset+1)
	ix.at[key] = pos{line, offset - ix.lines[line-1] + 1}
}

// lineStarts are the offsets at which lines begin. The parser's own Shape
// counts from the top of the file for every key.
func lineStarts(data []byte) []int {
	starts := []int{0}
	for i, c := range data {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}
