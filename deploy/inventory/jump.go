package inventory

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// jump reads user@host:port, several with commas between them.
func (b *builder) jump(s section) []Jump {
	list, wrong := parseJump(s.str("jump", ""))
	if wrong != "" {
		s.fault("jump", wrong, `write "ops@bastion:22", several with commas between them`)
	}
	return list
}

func parseJump(v string) ([]Jump, string) {
	if v == "" {
		return nil, ""
	}
	var list []Jump
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
	j := Jump{Host: v, Port: 22}
	if user, host, ok := strings.Cut(v, "@"); ok {
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
