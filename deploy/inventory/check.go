package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// A checker finds what is wrong with the tree by itself: keys nobody knows,
// values of another type, strings that no terminal should see.
type checker struct {
	*faults
	env func(string) (string, bool)
}

// table checks all that is below a table of the schema.
func (c *checker) table(n *node) {
	for _, k := range slices.Sorted(maps.Keys(n.kids)) {
		kid := n.kids[k]
		s, ok := specs[plain(kid.key)]
		if !ok {
			c.unknown(plain(n.key), k, kid)
			continue
		}
		c.value(kid, s)
	}
}

func (c *checker) unknown(parent, name string, n *node) {
	t, known := "unknown key "+quote(name), siblings(parent)
	m := affixed(parent, name, known)
	for _, find := range []func() string{func() string { return meant(name, known) }, func() string { return elsewhere(name) }} {
		if m == "" {
			m = find()
		}
	}
	switch {
	case m != "":
		t += fmt.Sprintf(": did you mean %q?", m)
	case parent == "":
		t += ": there are " + strings.Join(known, ", ")
	default:
		t += fmt.Sprintf(": [%s] has %s", parent, strings.Join(known, ", "))
	}
	c.add(n.at, n.key, t, "")
}

// affixed finds ssh_port in [[host]] for port of [ssh], and port in [ssh] for
// ssh_port of [[host]].
func affixed(parent, name string, known []string) string {
	for _, try := range []string{"ssh_" + name, strings.TrimPrefix(name, parent+"_")} {
		if slices.Contains(known, try) {
			return try
		}
	}
	return ""
}

// elsewhere finds a key of that very name in another table.
func elsewhere(name string) string {
	for _, k := range Keys() {
		if strings.HasSuffix(k, "."+name) {
			return k
		}
	}
	return ""
}

func (c *checker) value(n *node, s spec) {
	if want := wrongType(n, s); want != "" {
		c.spoil(n, fmt.Sprintf("wants %s, not %s", want, describe(n, s.kind)), mended(n, s))
		return
	}
	switch s.kind {
	case table:
		c.table(n)
	case tables:
		for _, item := range n.list {
			c.table(item)
		}
	default:
		c.strings(n, s)
	}
}

// strings checks every string of a value and expands those that may be.
func (c *checker) strings(n *node, s spec) {
	for _, item := range n.list {
		c.strings(item, s)
		n.bad = n.bad || item.bad
	}
	t, ok := n.val.(string)
	if !ok {
		return
	}
	if strings.Contains(t, "${") && s.env {
		n.val = c.expand(n, t)
	} else if strings.Contains(t, "${env:") {
		c.spoil(n, "${env:NAME} is not expanded here", "only app.artifact, app.sha256, identity_file and store_password expand it")
	}
	if t, _ := n.val.(string); !n.bad {
		c.control(n, t)
	}
}

// control refuses what a terminal or a log would act on: control bytes, and
// marks that turn the direction of text.
func (c *checker) control(n *node, t string) {
	nth := 0
	for _, r := range t {
		nth++
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			c.spoil(n, fmt.Sprintf("character %d is %U, a control character", nth, r), "take it out")
			return
		}
	}
}

func (c *checker) spoil(n *node, text, hint string) {
	n.bad = true
	c.add(n.at, n.key, text, hint)
}
