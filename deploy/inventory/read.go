package inventory

import (
	"fmt"
	"strings"
	"time"
)

// A section reads the keys of one table. A key that is missing, or whose fault
// is told already, gives the default; an empty string or list is a missing key.
type section struct {
	*faults
	key string
	at  pos
	n   *node
}

func (s section) has(key string) bool {
	n := s.n.kids[key]
	return n != nil && n.val != "" && (!n.arr || len(n.list) > 0)
}

// get is the node to read, nil when the default holds.
func (s section) get(key string) *node {
	if n := s.n.kids[key]; s.has(key) && !n.bad {
		return n
	}
	return nil
}

// fault adds to what is wrong, at the key or, where it is missing, at its table.
func (s section) fault(key, text, hint string) {
	at := s.at
	if n := s.n.kids[key]; n != nil {
		at = n.at
		n.bad = true
	}
	s.add(at, s.key+"."+key, text, hint)
}

// need adds a fault when key is missing.
func (s section) need(key, what string) { s.needOr(key, what, "") }

func (s section) needOr(key, what, hint string) {
	if !s.has(key) && !s.n.bad {
		s.fault(key, "missing: "+what, hint)
	}
}

func (s section) str(key, def string, rules ...rule) string {
	n := s.get(key)
	if n == nil {
		return def
	}
	v := n.val.(string)
	for _, wrong := range rules {
		if t := wrong(v); t != "" {
			s.fault(key, t, "")
			return def
		}
	}
	return v
}

// word reads one of a few words.
func (s section) word(key, def string, known ...string) string {
	return s.str(key, def, func(v string) string {
		for _, k := range known {
			if v == k {
				return ""
			}
		}
		if m := meant(v, known); m != "" {
			return fmt.Sprintf("%s is not known: did you mean %q?", quote(v), m)
		}
		return fmt.Sprintf("%s is none of %s", quote(v), strings.Join(few(known), ", "))
	})
}

// few are the first of many words: a list of dozens is not read.
func few(known []string) []string {
	const most = 8
	if len(known) <= most {
		return known
	}
	return append(known[:most:most], "…")
}

func (s section) num(key string, def, least, most int) int {
	n := s.get(key)
	if n == nil {
		return def
	}
	v := n.val.(int64)
	if v < int64(least) || v > int64(most) {
		s.fault(key, fmt.Sprintf("%d is not from %d to %d", v, least, most), "")
		return def
	}
	return int(v)
}

func (s section) flag(key string, def bool) bool {
	if n := s.get(key); n != nil {
		return n.val.(bool)
	}
	return def
}

// maxDuration bounds every duration, so that sums of them stay numbers.
const maxDuration = 30 * 24 * time.Hour

// dur reads a duration; zero is good where least is zero.
func (s section) dur(key string, def, least time.Duration) time.Duration {
	n := s.get(key)
	if n == nil {
		return def
	}
	d, wrong := parseDuration(n.val.(string))
	switch {
	case wrong != "":
	case d < 0:
		wrong = fmt.Sprintf("%s is less than nothing", brief(d))
	case d > maxDuration:
		wrong = fmt.Sprintf("%s is longer than %s", brief(d), brief(maxDuration))
	case d < least:
		wrong = fmt.Sprintf("%s is too short: at least %s", brief(d), brief(least))
	default:
		return d
	}
	s.fault(key, wrong, "")
	return def
}

// amount reads hosts or a percentage of them.
func (s section) amount(key string, def Amount, least int) Amount {
	n := s.get(key)
	if n == nil {
		return def
	}
	a, err := ParseAmount(fmt.Sprint(n.val))
	switch {
	case err != nil:
		s.fault(key, err.Error(), "")
	case a.N < least:
		s.fault(key, fmt.Sprintf("%s is too few: at least %d", a, least), "")
	default:
		return a
	}
	return def
}
