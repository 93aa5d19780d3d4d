package inventory

import (
	"fmt"
	"strconv"
	"strings"
)

// wrongType says what a key wants when its value is of another type, else "".
func wrongType(n *node, s spec) string {
	if fits(n, s.kind) {
		return ""
	}
	switch s.kind {
	case table:
		return fmt.Sprintf("one [%s] table", s.key)
	case tables:
		return fmt.Sprintf("[[%s]] tables, in double brackets", s.key)
	case duration:
		return `a duration with its unit in quotes, like "30s"`
	default:
		return wants[s.kind]
	}
}

var wants = map[kind]string{
	text:     "a string",
	number:   "a whole number",
	truth:    "true or false",
	amount:   `a whole number or a percentage like "25%"`,
	ports:    "a port or a list of ports",
	words:    "a string or a list of strings",
	argv:     "a list of strings",
	statuses: `a status, a list of them or a class like "2xx"`,
}

func fits(n *node, k kind) bool {
	switch k {
	case table:
		return n.kids != nil
	case tables:
		return n.arr && all(n.list, func(i *node) bool { return i.kids != nil })
	case text, duration:
		return isText(n)
	case number:
		return isNumber(n)
	case truth:
		_, ok := n.val.(bool)
		return ok
	case amount:
		return isText(n) || isNumber(n)
	case ports:
		return isNumber(n) || n.arr && all(n.list, isNumber)
	case words:
		return isText(n) || n.arr && all(n.list, isText)
	case argv:
		return n.arr && all(n.list, isText)
	case statuses:
		return isText(n) || isNumber(n) || n.arr && all(n.list, isNumber)
	}
	return false
}

func isText(n *node) bool   { _, ok := n.val.(string); return ok }
func isNumber(n *node) bool { _, ok := n.val.(int64); return ok }

func all(list []*node, ok func(*node) bool) bool {
	for _, n := range list {
		if !ok(n) {
			return false
		}
	}
	return true
}

// describe names what stands in the file where a kind is wanted, and shows it
// where it is short.
func describe(n *node, k kind) string {
	switch v := n.val.(type) {
	case string:
		return "the string " + quote(v)
	case int64:
		return fmt.Sprintf("the number %d", v)
	case float64:
		return "the number " + decimal(v)
	case bool:
		return fmt.Sprint(v)
	case nil:
		if n.kids != nil {
			return "a table"
		}
		return "a list" + describeOdd(n.list, k)
	default:
		return fmt.Sprintf("the date or time %v", v)
	}
}

// describeOdd shows the first item that does not belong in a list.
func describeOdd(list []*node, k kind) string {
	good := map[kind]func(*node) bool{words: isText, argv: isText, ports: isNumber, statuses: isNumber}[k]
	for _, n := range list {
		if good == nil || !good(n) {
			return " with " + describe(n, k)
		}
	}
	return ""
}

// decimal shows that a number is not whole, even if it could be.
func decimal(v float64) string {
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if strings.Trim(s, "-0123456789") == "" {
		s += ".0"
	}
	return s
}
