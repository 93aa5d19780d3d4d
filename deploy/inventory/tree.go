package inventory

import (
	"fmt"
	"strconv"
	"strings"

	toml "github.com/pelletier/go-toml/v2"
)

// A pos is a place in the file; the zero pos is none.
type pos struct{ line, col int }

// A node is a value of the file with its full key and place. Exactly one of
// kids (a table), list (an array) and val (all else) holds the value.
type node struct {
	key  string
	at   pos
	val  any
	kids map[string]*node
	list []*node
	arr  bool
	bad  bool // has a fault: readers take the default
}

// parseTree returns the whole file as a tree. The keys keep their case: go-toml
// matches them without regard to it only when it fills structs.
func parseTree(data []byte) (*node, *Fault) {
	var m map[string]any
	if err := toml.Unmarshal(data, &m); err != nil {
		return nil, syntaxFault(data, err)
	}
	return grow("", m, index(data), 0), nil
}

func grow(key string, v any, at map[string]pos, depth int) *node {
	n := &node{key: key, at: at[key]}
	if depth > deepest {
		return n
	}
	switch v := v.(type) {
	case map[string]any:
		n.kids = make(map[string]*node, len(v))
		for k, kid := range v {
			n.kids[k] = grow(join(key, k), kid, at, depth+1)
		}
	case []any:
		n.arr = true
		for i, item := range v {
			n.list = append(n.list, grow(fmt.Sprintf("%s[%d]", key, i), item, at, depth+1))
		}
	default:
		n.val = v
	}
	return n
}

// join makes a full key. A part that TOML would quote stays quoted, so that no
// two keys look the same and none can hold bytes that a terminal would act on.
func join(key, part string) string {
	if !bare(part) {
		part = quote(part)
	}
	if key == "" {
		return part
	}
	return key + "." + part
}

func bare(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// quote shows s as one printable word of bounded length.
func quote(s string) string {
	return strconv.Quote(cut(s))
}

// cut bounds what is shown of a word.
func cut(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// printable shows s as it is, except for what a terminal would act on.
func printable(s string) string {
	q := strconv.Quote(s)
	q = strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)
	return strings.ReplaceAll(q, `\\`, `\`)
}
