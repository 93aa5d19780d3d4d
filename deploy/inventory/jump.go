package inventory

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// jump reads user@host:port, several with commas between them. "none" is an empty list
// and not nil: it takes a jump away that is said elsewhere.
func (b *builder) jump(s section, key string, def []Jump) []Jump {
	if !s.has(key) {
		return def
	}
	list, wrong := parseJump(s.str(key, ""))
	if wrong != "" {
		s.fault(key, wrong, `write "ops@bastion:22", several with commas between them`)
	}
	return list
}

// ParseJump reads what ssh's ProxyJump may say.
func ParseJump(v string) ([]Jump, error) {
	list, wrong := parseJump(v)
	if wrong != "" {
		return nil, errors.New(wrong)
	}
	return list, nil
}

func parseJump(v string) ([]Jump, string) {
	list := []Jump{}
	if v == "" || strings.EqualFold(v, "none") {
		return list, ""
	}
	for _, part := range strings.Split(v, ",") {
		j, wrong := parseHop(strings.TrimSpace(part))
		if wrong != "" {
			return nil, wrong
		}
		list = append(list, j)
	}
	return list, ""
}

func parseHop(v string) (Jump, string) {
	j := Jump{Host: strings.TrimPrefix(v, "ssh://")}
	if user, host, ok := strings.Cut(j.Host, "@"); ok {
		if wrong := userName(user); wrong != "" {
			return j, wrong
		}
		j.User, j.Host = user, host
	}
	if h, p, err := net.SplitHostPort(j.Host); err == nil {
		n, err := strconv.Atoi(p)
		if err != nil || portRange(int64(n)) != "" {
			return j, fmt.Sprintf("%s is not a port (1–65535)", quote(p))
		}
		j.Host, j.Port = h, n
	}
	j.Host = unbracket(j.Host)
	if strings.Contains(j.Host, "@") {
		return j, hostName(j.Host)
	}
	return j, address(j.Host)
}
