package lb

import (
	"fmt"
	"regexp"
	"strings"
)

// accessLogs are those that tell which host answered what, as the script wants them. The
// caller holds mu.
func (n *Nginx) accessLogs() string {
	var b strings.Builder
	for _, l := range n.conf.accessLogs() {
		if p := n.under(l.path); goodPath.MatchString(p) {
			fmt.Fprintf(&b, "%s\n%s\n%s\n", p, n.logged.at[p], l.program)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// An accessLog is a file of lines that a program of sed makes "ADDRESSES, tab, STATUSES" of.
type accessLog struct{ path, program string }

// accessLogs are one a block at most: what a block writes to several is the same, and
// would count twice. One that nginx writes late, or only parts of, is none.
func (c *nginxConf) accessLogs() (all []accessLog) {
	formats := map[string]string{}
	_ = c.walk(func(d *directive, around []*directive) error {
		if d.name() == "log_format" && in(around, "http") && len(d.args) > 2 {
			formats[d.args[1]] = strings.Join(withoutEscape(d.args[2:]), "")
		}
		return nil
	})
	of := map[*directive]accessLog{} // the block that it stands in
	off, seen := map[*directive]bool{}, map[string]bool{}
	var blocks []*directive
	_ = c.walk(func(d *directive, around []*directive) error {
		if d.name() != "access_log" || len(d.args) < 2 || len(around) == 0 || around[0].name() != "http" {
			return nil
		}
		block := around[len(around)-1]
		off[block] = off[block] || d.args[1] == "off"
		if program := sedOf(formats[d.args[len(d.args)-1]]); program != "" && len(d.args) == 3 && of[block].path == "" {
			of[block], blocks = accessLog{d.args[1], program}, append(blocks, block)
		}
		return nil
	})
	for _, block := range blocks {
		if l := of[block]; !off[block] && !seen[l.path] {
			seen[l.path], all = true, append(all, l)
		}
	}
	return all
}

func withoutEscape(words []string) []string {
	if strings.HasPrefix(words[0], "escape=") {
		return words[1:]
	}
	return words
}

var plainText = regexp.MustCompile(`^[\t -~]*$`)

var logVariable = regexp.MustCompile(`\$(?:([a-z0-9_]+)|\{([a-z0-9_]+)\})`)

// sedOf has sed take addresses and statuses out of the lines of a format, "" where that
// does not have both.
func sedOf(format string) string {
	var b strings.Builder
	groups, addr, status, at := 0, 0, 0, 0
	for _, m := range logVariable.FindAllStringSubmatchIndex(format, -1) {
		b.WriteString(literally(format[at:m[0]]))
		at = m[1]
		name := strings.Trim(format[m[0]:m[1]], "${}")
		if !strings.HasPrefix(name, "upstream_") {
			b.WriteString(upTo(format[at:]))
			continue
		}
		b.WriteString(`([^ ,"]+((, | : )[^ ,"]+)*)`)
		switch name {
		case "upstream_addr":
			addr = groups + 1
		case "upstream_status":
			status = groups + 1
		}
		groups += 3
	}
	b.WriteString(literally(format[at:]))
	if addr == 0 || status == 0 || max(addr, status) > 9 || !plainText.MatchString(format) {
		return ""
	}
	return fmt.Sprintf("s\x01^%s$\x01\\%d\t\\%d\x01p", b.String(), addr, status)
}

// upTo is any text that ends where rest begins.
func upTo(rest string) string {
	if rest == "" || rest[0] == '$' {
		return ".*"
	}
	return "[^" + rest[:1] + "]*"
}

var special = regexp.MustCompile(`[\[{().*+?^$|\\]`)

// literally is s as an extended regular expression that means just it.
func literally(s string) string { return special.ReplaceAllString(s, `\$0`) }
