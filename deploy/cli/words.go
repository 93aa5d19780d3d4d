package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	ucli "github.com/urfave/cli/v2"
)

// What the library and the standard library find wrong with flags they say in words
// that only a programmer understands. Values stay as they quoted them.
var (
	badValue = regexp.MustCompile(`(?s)^invalid (?:boolean )?value (".*") for (?:flag )?-([a-z-]+): `)
	badTwin  = regexp.MustCompile(`(?s)^could not parse (".*") as \w+ value from environment variable "(\w+)" for flag ([a-z-]+): `)
	twoForms = regexp.MustCompile(`^Cannot use two forms of the same flag: (\S+) (\S+)$`)
	noTopic  = regexp.MustCompile(`(?s)^No help topic for '(.*)'$`)
)

// inOurWords is text as flipdeploy says it; of may be nil.
func inOurWords(text string, of *ucli.Command, all []*ucli.Command) string {
	if name, is := strings.CutPrefix(text, "flag provided but not defined: -"); is {
		return unknownFlag(strings.TrimLeft(name, "-"), of, all)
	}
	if m := badValue.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("%s: %s is not %s", dashed(m[2]), m[1], wanted(m[2], of))
	}
	if m := badTwin.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("%s: %s is not %s", m[2], m[1], wanted(m[3], of))
	}
	if m := twoForms.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("%s and %s are the same flag: give one of them", dashed(m[1]), dashed(m[2]))
	}
	if m := noTopic.FindStringSubmatch(text); m != nil {
		return fmt.Sprintf("there is no help on %q", m[1])
	}
	return text
}

// unknownFlag says whose flag it is, or which one was meant.
func unknownFlag(name string, of *ucli.Command, all []*ucli.Command) string {
	text := "unknown flag " + dashed(name)
	var has, near []string
	for _, c := range all {
		if slices.Contains(flagNames(c), name) {
			has = append(has, c.Name)
		}
	}
	if has != nil {
		return text + ": it is one of " + joinWords(has)
	}
	for _, n := range flagNames(of) {
		if len(n) > 1 {
			near = append(near, n)
		}
	}
	if meant := inventory.Nearest(name, near); meant != "" && len(name) > 1 {
		return text + ": did you mean " + dashed(meant) + "?"
	}
	return text
}

func flagNames(c *ucli.Command) (all []string) {
	if c == nil {
		return nil
	}
	for _, f := range c.Flags {
		all = append(all, f.Names()...)
	}
	return all
}

// wanted is what the flag of that name takes.
func wanted(name string, of *ucli.Command) string {
	if of != nil {
		for _, f := range of.Flags {
			if !slices.Contains(f.Names(), name) {
				continue
			}
			switch f.(type) {
			case *ucli.BoolFlag:
				return "true or false"
			case *ucli.IntFlag:
				return "a whole number"
			case *ucli.DurationFlag:
				return "a duration like 30s"
			}
		}
	}
	return "a value that it takes"
}

// dashed is a flag's name as it is written.
func dashed(name string) string { return strings.Repeat("-", min(2, len(name))) + name }
