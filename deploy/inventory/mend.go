package inventory

import (
	"fmt"
	"regexp"
	"strings"
)

// mended is how a value of another type would be written right, where that can be
// told: a person then need not look it up.
func mended(n *node, s spec) string {
	switch v := n.val.(type) {
	case string:
		return mendedText(v, s.kind)
	case int64:
		if s.kind == duration && v >= 0 {
			return fmt.Sprintf(`write "%ds"`, v)
		}
	case float64:
		if whole := int64(v); (s.kind == number || s.kind == ports || s.kind == amount) && float64(whole) == v && whole != 0 {
			return fmt.Sprintf("write %d", whole)
		}
	}
	if s.kind == table && n.arr && len(n.list) > 0 && n.list[0].kids != nil {
		return fmt.Sprintf("write [%s], once", s.key)
	}
	return ""
}

var (
	whole      = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,9})$`)
	plainWords = regexp.MustCompile(`^[A-Za-z0-9_./@:=-]+( [A-Za-z0-9_./@:=-]+)*$`)
)

func mendedText(v string, k kind) string {
	switch {
	case (k == number || k == ports) && whole.MatchString(v):
		return "write " + v
	case k == truth && (v == "true" || v == "yes" || v == "on"):
		return "write true"
	case k == truth && (v == "false" || v == "no" || v == "off"):
		return "write false"
	case k == argv && plainWords.MatchString(v):
		return `write ["` + strings.ReplaceAll(v, " ", `", "`) + `"]`
	}
	return ""
}
