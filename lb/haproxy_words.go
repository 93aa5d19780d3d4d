package lb

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A haLine is one line of a HAProxy configuration, cut into words.
type haLine struct {
	where string // FILE:LINE
	words []string
}

// haLines reads a whole file. Empty lines and comments are left out.
func haLines(file, text string) ([]haLine, error) {
	var all []haLine
	for i, line := range strings.Split(text, "\n") {
		where := fmt.Sprintf("%s:%d", file, i+1)
		words, err := haWords(line)
		if err != nil {
			return nil, badFile("is it a HAProxy configuration? run `haproxy -c -f` with it", "%s: %v", where, err)
		}
		if len(words) > 0 {
			all = append(all, haLine{where, words})
		}
	}
	return all, nil
}

// haWords cuts a line as HAProxy's parse_line does. Variables stay as they are written.
func haWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote := false, byte(0)
	end := func() {
		if inWord {
			words = append(words, word.String())
		}
		word.Reset()
		inWord = false
	}
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quote == 0 && isHASpace(c):
			end()
			continue
		case quote == 0 && c == '#':
			end()
			return words, nil
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && quote != '\'' && i+1 < len(line):
			text, n := haEscape(line[i+1:], quote)
			word.WriteString(text)
			i += n
		default:
			word.WriteByte(c)
		}
		inWord = true
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote has no end")
	}
	end()
	return words, nil
}

func isHASpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// haEscape is what a backslash before s stands for, and how much of s it takes.
func haEscape(s string, quote byte) (string, int) {
	if quote == '"' && !strings.ContainsRune(`\"$`, rune(s[0])) && s[0] != '\'' {
		return `\`, 0
	}
	switch s[0] {
	case 'r':
		return "\r", 1
	case 'n':
		return "\n", 1
	case 't':
		return "\t", 1
	case 'x':
		if len(s) >= 3 {
			if n, err := strconv.ParseUint(s[1:3], 16, 8); err == nil {
				return string([]byte{byte(n)}), 3
			}
		}
	}
	return s[:1], 1
}

// haTakesOne are the words of a server line that take a value, as far as HAProxy 3 has
// them: without them a value could be taken for a word.
var haTakesOne = strings.Fields(`addr agent-addr agent-inter agent-port agent-send alpn ca-file check-alpn check-pool-conn-name
	check-proto check-sni ciphers ciphersuites client-sigalgs cookie crl-file crt curves downinter error-limit fall fastinter
	guid hash-key id init-addr init-state inter interface log-bufsize log-proto max-reuse maxconn maxqueue minconn namespace npn observe
	on-error on-marked-down on-marked-up pool-conn-name pool-low-conn pool-max-conn pool-purge-delay port proto
	proxy-v2-options redir resolve-net resolve-opts resolve-prefer resolvers rise shard sigalgs slowstart sni socks4 source
	ssl-max-ver ssl-min-ver tcp-ut track usesrc verify verifyhost weight ws`)

// haServer is what stands behind the address of a server line, over its defaults.
type haServer struct {
	backup, disabled, check, agent, tls, proxy, weight bool
	port                                               int // of the health check
}

func (s haServer) with(words []string) haServer {
	for i := 0; i < len(words); i++ {
		value := ""
		if slices.Contains(haTakesOne, words[i]) && i+1 < len(words) {
			value = words[i+1]
		}
		s.word(words[i], value)
		if value != "" {
			i++
		}
	}
	return s
}

func (s *haServer) word(w, value string) {
	on := !strings.HasPrefix(w, "no-")
	switch strings.TrimPrefix(w, "no-") {
	case "backup":
		s.backup = on
	case "disabled":
		s.disabled = true
	case "enabled":
		s.disabled = false
	case "check":
		s.check = on
	case "agent-check":
		s.agent = on
	case "ssl":
		s.tls = on
	case "send-proxy", "send-proxy-v2", "send-proxy-v2-ssl", "send-proxy-v2-ssl-cn":
		s.proxy = on
	case "weight":
		s.weight = true
	case "port":
		s.port, _ = strconv.Atoi(value)
	}
}
