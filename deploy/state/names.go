package state

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"sync"
)

// A Key is one backend: the place of a host in one pool of a balancer.
type Key struct{ Upstream, Address string }

var (
	dirName     = pattern(`^/[A-Za-z0-9._/-]{1,200}$`)
	appName     = pattern(`^[a-z0-9][a-z0-9-]{0,62}$`)
	rolloutName = pattern(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)
	hostName    = pattern(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)
	stateWord   = pattern(`^[a-z][a-z0-9_-]{0,31}$`)
	upstream    = pattern(`^[A-Za-z0-9_][A-Za-z0-9._:-]{0,99}$`)
	address     = pattern(`^[A-Za-z0-9_\[][A-Za-z0-9._:%/\[\]-]{0,119}$`)
)

// pattern compiles it when it is first needed: where this program only applies a delta, it
// never is.
func pattern(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

func check(what string, re func() *regexp.Regexp, value string) error {
	if re().MatchString(value) {
		return nil
	}
	return fmt.Errorf("%s %q: not allowed", what, value)
}

func checkDir(dir string) error {
	if err := check("state.dir", dirName, dir); err != nil {
		return err
	}
	if path.Clean(dir) != dir || strings.Contains(dir, "/-") {
		return fmt.Errorf("state.dir %q: not a clean path", dir)
	}
	return nil
}

func checkApp(app string) error { return check("app", appName, app) }

func (k Key) check() error {
	if err := check("upstream", upstream, k.Upstream); err != nil {
		return err
	}
	return check("address", address, k.Address)
}

// file is the key's name under own/: one @, and nothing that a shell or a glob
// would read as more than itself.
func (k Key) file() string { return k.Upstream + "@" + escape(k.Address) }

func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c == '%' || c == '/' || c == '[' || c == ']' {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// keyOf reads a name that file made. What cannot be read is kept as it is: a mark
// that we do not understand is a mark all the same.
func keyOf(file string) Key {
	up, addr, _ := strings.Cut(file, "@")
	if plain, err := url.PathUnescape(addr); err == nil {
		addr = plain
	}
	return Key{Upstream: up, Address: addr}
}

// word makes free text one plain word of a mark.
func word(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@+-", r) {
			return r
		}
		return '_'
	}, s)
	if s == "" {
		return "-"
	}
	return s[:min(len(s), 80)]
}

// clean makes text from a machine fit to be shown: one bounded line without
// control bytes.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == 0xfffd {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}
