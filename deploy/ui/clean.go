package ui

import (
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// What CI systems take for commands, anywhere in a line (GitHub and Azure `##[`,
// `##vso[`; GitLab `section_start:`), is broken by a backslash.
var commands = strings.NewReplacer("##[", `##\[`, "##vso[", `##vso\[`, "##teamcity[", `##teamcity\[`,
	"section_start:", `section_start\:`, "section_end:", `section_end\:`)

// clean is s as one line that no terminal and no CI system obeys: control bytes,
// C1, bidi and line separators are shown as escapes, and a leading :: is broken.
func clean(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r != '\t' && r < 0x20, r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case misleads(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	text := commands.Replace(b.String())
	if strings.HasPrefix(strings.TrimSpace(text), "::") {
		text = strings.Replace(text, "::", `\::`, 1)
	}
	return text
}

// misleads: C1 controls, what turns the direction of writing, line separators,
// and characters without width.
func misleads(r rune) bool {
	return r >= 0x80 && r <= 0x9f || r == 0x61c || r >= 0x200b && r <= 0x200f && r != 0x200d ||
		r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff
}

func cleanEvent(e deploy.Event) deploy.Event {
	for _, s := range []*string{&e.Rollout, (*string)(&e.Kind), &e.Host, (*string)(&e.Phase), &e.LB, &e.Code} {
		*s = clean(*s)
	}
	e.Detail, e.Hint = cleanText(e.Detail), cleanText(e.Hint)
	e.Evidence = cleanLines(e.Evidence)
	return e
}

func cleanResult(r deploy.Result) deploy.Result {
	for _, s := range []*string{&r.Rollout, (*string)(&r.Outcome), &r.Code, &r.Revision, &r.Previous} {
		*s = clean(*s)
	}
	r.Error, r.Hint = cleanText(r.Error), cleanText(r.Hint)
	hosts := map[string]deploy.HostResult{}
	for name, h := range maps.All(r.Hosts) {
		h.Phase, h.Release, h.Code = deploy.Phase(clean(string(h.Phase))), clean(h.Release), clean(h.Code)
		h.Reason = cleanText(h.Reason)
		hosts[clean(name)] = h
	}
	r.Hosts = hosts
	if r.Probe != nil {
		p := *r.Probe
		p.URL, p.Failures = clean(p.URL), cleanLines(p.Failures)
		r.Probe = &p
	}
	return r
}

// cleanText keeps the lines of a text of ours, such as several errors joined.
func cleanText(s string) string {
	return strings.Join(cleanLines(strings.Split(s, "\n")), "\n")
}

func cleanLines(lines []string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, clean(l))
	}
	return out
}
