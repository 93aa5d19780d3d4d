package inventory

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// A rule says what is wrong with a string, "" when it may be used.
type rule func(string) string

var revision = regexp.MustCompile(`^[A-Za-z0-9_+][A-Za-z0-9._+-]{0,63}$`)

// ValidRevision tells whether s may name a revision: 1 to 64 of A-Z a-z 0-9
// . _ + -, and no leading dot or dash, which tools would take for more.
func ValidRevision(s string) bool { return revision.MatchString(s) }

// CheckRevision is nil for a valid revision, else says what one is.
func CheckRevision(s string) error {
	if ValidRevision(s) {
		return nil
	}
	return fmt.Errorf("%s is not a revision: 1 to 64 of A-Z a-z 0-9 . _ + -, not leading with . or -", quote(s))
}

// match compiles the pattern when it is first needed: on a host, where this program applies
// a delta, it never is.
func match(pattern, what string) rule {
	re := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:` + pattern + `)$`) })
	return func(s string) string {
		if re().MatchString(s) {
			return ""
		}
		return fmt.Sprintf("%s is not %s", quote(s), what)
	}
}

var (
	appName      = match(`[a-z0-9][a-z0-9-]{0,62}`, "an app's name: a-z, 0-9 and -, at most 63")
	machineName  = match(`[A-Za-z0-9_][A-Za-z0-9._-]{0,252}`, "a name: A-Z, a-z, 0-9, . _ and -, at most 253, not leading with . or -")
	userName     = match(`[A-Za-z0-9_][A-Za-z0-9._-]{0,63}`, "a user's name: A-Z, a-z, 0-9, . _ and -, not leading with . or -")
	unitName     = match(`[A-Za-z0-9_][A-Za-z0-9:_.\\@-]{0,254}`, "a systemd unit's name, like shop.service")
	upstreamName = match(`\.{0,2}[A-Za-z0-9_:][A-Za-z0-9._:-]{0,252}`, "an upstream's name: A-Z, a-z, 0-9, . _ : and -, not leading with -")
	label        = match(`[A-Za-z0-9._][A-Za-z0-9._-]{0,62}`, "a label: A-Z, a-z, 0-9, . _ and -, not leading with -")
	urlPath      = match(`/[!-~]*`, "a path of a URL: it begins with / and has no blanks")
	pathLetters  = match(`[A-Za-z0-9._/@+=:,%-]+`, "a path that is safe everywhere: A-Z, a-z, 0-9 and . _ - / @ + = : , %")
	sha256Sum    = match(`[0-9A-Fa-f]{64}`, "a sha256: 64 of 0-9 and a-f")
	hostName     = match(`[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?`, "an IP address or a host name")
)

// lbName: a range would be one balancer with an odd name.
func lbName(s string) string {
	if strings.Contains(s, "[") {
		return fmt.Sprintf("%s: only hosts are counted out; write a [[lb]] for each balancer", quote(s))
	}
	return machineName(s)
}

// remotePath wants an absolute path as the kernel would print it.
func remotePath(s string) string {
	switch {
	case !strings.HasPrefix(s, "/"):
		return fmt.Sprintf("%s is not an absolute path", quote(s))
	case s == "/":
		return "/ is the whole machine"
	case path.Clean(s) != s:
		return fmt.Sprintf("%s is not a clean path: write %s", quote(s), quote(path.Clean(s)))
	}
	return pathLetters(s)
}

// innerPath wants a path that stays below where it begins.
func innerPath(s string) string {
	switch {
	case strings.HasPrefix(s, "/"), strings.HasPrefix(s, "-"):
		return fmt.Sprintf("%s is not a relative path", quote(s))
	case path.Clean(s) != s, s == ".", s == "..", strings.HasPrefix(s, "../"):
		return fmt.Sprintf("%s is not a clean path without ..", quote(s))
	}
	return pathLetters(s)
}

// address wants what can be dialled, without a port.
func address(s string) string {
	if ip, err := netip.ParseAddr(unbracket(s)); err == nil {
		switch {
		case ip.Zone() != "":
			return fmt.Sprintf("%s has a zone: give an address that every machine reaches", quote(s))
		case ip.IsUnspecified() || ip.IsMulticast() || ip == broadcast:
			return fmt.Sprintf("%s is not the address of one machine", quote(s))
		}
		return ""
	}
	if scheme, _, ok := strings.Cut(s, "://"); ok && scheme != "" {
		return fmt.Sprintf("%s is a URL: give the address alone", quote(s))
	}
	if user, host, ok := strings.Cut(s, "@"); ok && userName(user) == "" && hostName(host) == "" {
		return fmt.Sprintf("%s has a user: write %s here, and ssh_user = %s", quote(s), quote(host), quote(user))
	}
	if h, _, err := net.SplitHostPort(s); err == nil && hostName(h) == "" {
		return fmt.Sprintf("%s has a port: ssh_port is SSH's, port the app's", quote(s))
	}
	if digits(s) {
		return fmt.Sprintf("%s is not an IP address", quote(s))
	}
	if strings.Contains(s, "..") {
		return fmt.Sprintf("%s is not an IP address or a host name", quote(s))
	}
	return hostName(s)
}

var broadcast = netip.MustParseAddr("255.255.255.255")

// digits tells a mistyped IPv4 address from a host name.
func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789.") == "" }

func unbracket(s string) string {
	if in, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(in, "]") {
		return strings.TrimSuffix(in, "]")
	}
	return s
}

// oneWay writes an address as everybody does, so that two spellings are seen to be
// one machine.
func oneWay(s string) string {
	s = unbracket(s)
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.String()
	}
	return strings.ToLower(s)
}

// hostPort wants address:port, IPv6 in brackets.
func hostPort(s string) string {
	h, p, err := net.SplitHostPort(s)
	if err != nil || address(h) != "" {
		return fmt.Sprintf("%s is not address:port, like 10.0.0.1:8080 or [fd00::1]:8080", quote(s))
	}
	if n, err := strconv.Atoi(p); err != nil || portRange(int64(n)) != "" {
		return fmt.Sprintf("%s: %s is not a port (1–65535)", quote(s), quote(p))
	}
	return ""
}

func portRange(n int64) string {
	if n < 1 || n > 65535 {
		return fmt.Sprintf("%d is not a port (1–65535)", n)
	}
	return ""
}

// socket wants where HAProxy listens for its operator.
func socket(s string) string {
	if at, ok := strings.CutPrefix(s, "tcp://"); ok {
		return loopback(s, at)
	}
	if !strings.HasPrefix(s, "/") {
		return fmt.Sprintf("%s is neither an absolute path nor like tcp://127.0.0.1:9999", quote(s))
	}
	return remotePath(s)
}

// loopback: HAProxy asks nobody at its socket for a password, so one that other
// machines reach is everybody's.
func loopback(s, at string) string {
	h, _, err := net.SplitHostPort(at)
	if err != nil {
		return hostPort(at)
	}
	if ip, err := netip.ParseAddr(h); h == "localhost" || err == nil && ip.IsLoopback() {
		return hostPort(at)
	}
	return fmt.Sprintf("%s is not the balancer's own loopback: whoever reaches it commands HAProxy; have it listen on 127.0.0.1", quote(s))
}
