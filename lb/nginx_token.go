package lb

import (
	"fmt"
	"strings"
)

type confKind int

const (
	confSpace confKind = iota
	confComment
	confWord
	confSemi  // ;
	confOpen  // {
	confClose // }
	confLua   // all between the braces of a Lua block
)

// A confToken is a piece of an nginx configuration. The pieces of a text follow one
// another without a gap, so that printing them all gives the text.
type confToken struct {
	kind       confKind
	start, end int
}

// A confError is a text that nginx would not read either.
type confError struct {
	line int
	why  string
}

func (e *confError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.why) }

// confTokens cuts text as nginx's own reader does (ngx_conf_read_token), and Lua
// blocks as the Lua module does.
func confTokens(text string) ([]confToken, error) {
	s := &confScan{text: text}
	for s.at < len(text) {
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	if s.words > 0 {
		return nil, s.fail("the last directive has no end")
	}
	if s.depth > 0 {
		return nil, s.fail("a block has no end")
	}
	return s.out, nil
}

type confScan struct {
	text  string
	at    int
	out   []confToken
	words int // of the directive in hand
	first string
	depth int
}

func (s *confScan) fail(format string, a ...any) error {
	return &confError{1 + strings.Count(s.text[:min(s.at, len(s.text))], "\n"), fmt.Sprintf(format, a...)}
}

func (s *confScan) add(kind confKind, end int) {
	s.out = append(s.out, confToken{kind, s.at, end})
	s.at = end
}

func isConfSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// next adds one piece, or a whole Lua block.
func (s *confScan) next() error {
	switch c := s.text[s.at]; {
	case isConfSpace(c):
		end := s.at
		for end < len(s.text) && isConfSpace(s.text[end]) {
			end++
		}
		s.add(confSpace, end)
	case c == '#':
		s.add(confComment, s.lineEnd())
	case c == ';' || c == '{':
		return s.ends(c)
	case c == '}':
		return s.closes()
	default:
		return s.word(c)
	}
	return nil
}

// lineEnd is where the line ends, before \r\n or \n.
func (s *confScan) lineEnd() int {
	n := strings.IndexByte(s.text[s.at:], '\n')
	if n < 0 {
		return len(s.text)
	}
	end := s.at + n
	if end > s.at && s.text[end-1] == '\r' {
		end--
	}
	return end
}

func (s *confScan) ends(c byte) error {
	if s.words == 0 {
		return s.fail("unexpected %q", c)
	}
	lua := strings.HasSuffix(s.first, "_by_lua_block")
	s.words = 0
	if c == ';' {
		s.add(confSemi, s.at+1)
		return nil
	}
	s.add(confOpen, s.at+1)
	s.depth++
	if !lua {
		return nil
	}
	end, ok := luaEnd(s.text, s.at)
	if !ok {
		return s.fail("a Lua block has no end")
	}
	if end > s.at {
		s.add(confLua, end)
	}
	return s.closes()
}

func (s *confScan) closes() error {
	if s.words > 0 || s.depth == 0 {
		return s.fail("unexpected '}'")
	}
	s.depth--
	s.add(confClose, s.at+1)
	return nil
}

// word adds a word, in quotes or bare. In a bare one quotes and # mean nothing.
func (s *confScan) word(c byte) error {
	end, err := 0, error(nil)
	if c == '"' || c == '\'' {
		end, err = s.quoted(c)
	} else {
		end, err = s.bare()
	}
	if err != nil {
		return err
	}
	if s.words == 0 {
		s.first = confUnquote(s.text[s.at:end])
	}
	s.words++
	s.add(confWord, end)
	return nil
}

func (s *confScan) quoted(q byte) (int, error) {
	for i := s.at + 1; i < len(s.text); i++ {
		switch s.text[i] {
		case '\\':
			i++
		case q:
			return s.afterQuote(i + 1)
		}
	}
	return 0, s.fail("a quote has no end")
}

// afterQuote: only space, ; { or ) may follow a quoted word.
func (s *confScan) afterQuote(i int) (int, error) {
	if i < len(s.text) && !isConfSpace(s.text[i]) && !strings.ContainsRune(";{)", rune(s.text[i])) {
		return 0, s.fail("unexpected %q after a quote", s.text[i])
	}
	return i, nil
}

// bare ends at a space, ; or {, but for the brace of ${name}.
func (s *confScan) bare() (int, error) {
	variable := false
	for i := s.at; i < len(s.text); i++ {
		c := s.text[i]
		if c == '{' && variable && i > s.at {
			continue
		}
		variable = false
		switch {
		case c == '\\':
			i++
		case c == '$':
			variable = true
		case isConfSpace(c) || c == ';' || c == '{':
			return i, nil
		}
	}
	return 0, s.fail("the last directive has no end")
}

// confUnquote is what nginx takes a word for. A bare word keeps escapes that mean
// nothing.
func confUnquote(w string) string {
	if len(w) > 1 && (w[0] == '"' || w[0] == '\'') {
		w = w[1 : len(w)-1]
	}
	if !strings.ContainsRune(w, '\\') {
		return w
	}
	var b strings.Builder
	for i := 0; i < len(w); i++ {
		if w[i] == '\\' && i+1 < len(w) {
			if r := strings.IndexByte(`"'\trn`, w[i+1]); r >= 0 {
				i++
				b.WriteByte("\"'\\\t\r\n"[r])
				continue
			}
		}
		b.WriteByte(w[i])
	}
	return b.String()
}

// luaEnd is where the } that ends a Lua block stands, strings and comments apart.
func luaEnd(text string, at int) (int, bool) {
	depth := 0
	for at < len(text) {
		rest := text[at:]
		switch c := rest[0]; {
		case c == '}' && depth == 0:
			return at, true
		case c == '}':
			depth--
			at++
		case c == '{':
			depth++
			at++
		case strings.HasPrefix(rest, "--"):
			at += 2 + luaComment(rest[2:])
		case c == '[' && luaLevel(rest) >= 0:
			at += luaLong(rest)
		case c == '"' || c == '\'':
			at += luaString(rest)
		default:
			at++
		}
	}
	return 0, false
}

// luaLevel is how many = stand between the two [ of a long bracket, -1 for none.
func luaLevel(s string) int {
	n := 1
	for n < len(s) && s[n] == '=' {
		n++
	}
	if n < len(s) && s[n] == '[' {
		return n - 1
	}
	return -1
}

func luaLong(s string) int {
	level := luaLevel(s)
	if n := strings.Index(s, "]"+strings.Repeat("=", level)+"]"); n >= 0 {
		return n + level + 2
	}
	return len(s)
}

func luaComment(s string) int {
	if strings.HasPrefix(s, "[") && luaLevel(s) >= 0 {
		return luaLong(s)
	}
	if n := strings.IndexByte(s, '\n'); n >= 0 {
		return n
	}
	return len(s)
}

// luaString ends at the same quote, or, broken, at the end of the line.
func luaString(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0], '\n':
			return i + 1
		}
	}
	return len(s)
}
