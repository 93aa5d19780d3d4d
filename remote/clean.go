package remote

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean returns text that a terminal and a CI system only show: nothing in it
// moves a cursor, changes reading order, or begins a workflow command. Newlines
// and tabs stay.
func Clean(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		writeClean(&b, r, text[:size])
		text = text[size:]
	}
	return disarm(b.String())
}

func writeClean(b *strings.Builder, r rune, raw string) {
	switch {
	case r == '\n' || r == '\t':
		b.WriteRune(r)
	case r == '\r': // of a line's end, or a way to overwrite one
	case r == utf8.RuneError && len(raw) == 1:
		writeHex(b, raw[0])
	case r < 0x20 || r >= 0x7f && r < 0xa0:
		writeHex(b, byte(r))
	case unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp): // bidi, zero width, tags
		b.WriteRune('\uFFFD')
	default:
		b.WriteRune(r)
	}
}

func writeHex(b *strings.Builder, c byte) {
	const digits = "0123456789abcdef"
	b.WriteString(`\x`)
	b.WriteByte(digits[c>>4])
	b.WriteByte(digits[c&15])
}

// disarm breaks what GitHub and GitLab take for a command: `##[x]` anywhere, `::`
// at the start of a line, `section_start:` and `section_end:` anywhere. One pass
// can make no new one: each puts a space inside.
func disarm(text string) string {
	text = strings.NewReplacer("##[", "## [", "section_start:", "section_start :",
		"section_end:", "section_end :").Replace(text)
	if !strings.Contains(text, "::") {
		return text
	}
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines {
		body := strings.TrimLeftFunc(line, unicode.IsSpace)
		if strings.HasPrefix(body, "::") {
			lines[i] = line[:len(line)-len(body)] + ": :" + body[2:]
		}
	}
	return strings.Join(lines, "")
}
