package sshconfig

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// A filler knows what stands for a % and a letter.
type filler struct{ *strings.Replacer }

// tokens are those of ssh_config(5) that can be known before connecting.
func tokens(q Query, h Host) filler {
	host, _ := os.Hostname()
	short, _, _ := strings.Cut(host, ".")
	return filler{strings.NewReplacer("%%", "%", "%d", home(), "%h", h.Name, "%i", strconv.Itoa(os.Getuid()),
		"%k", or(h.Alias, q.Destination), "%L", short, "%l", host, "%n", q.Destination,
		"%p", strconv.Itoa(h.Port), "%r", h.User, "%u", localUser())}
}

func (t filler) fill(v string) string { return t.Replace(v) }

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// file is a path with all that ssh expands in it.
func (t filler) file(v string) string {
	v = variable.ReplaceAllStringFunc(t.fill(v), func(m string) string { return os.Getenv(m[2 : len(m)-1]) })
	if rest, is := strings.CutPrefix(v, "~/"); is {
		return filepath.Join(home(), rest)
	}
	return v
}

func (t filler) files(all []string) (list []string) {
	for _, v := range all {
		if v = t.file(v); v != "" && v != "none" {
			list = append(list, v)
		}
	}
	return list
}

// agent: SSH_AUTH_SOCK as a word is the environment's, $NAME another variable's.
func (t filler) agent(v string) string {
	switch name, isVariable := strings.CutPrefix(v, "$"); {
	case v == "SSH_AUTH_SOCK":
		return ""
	case isVariable && !strings.HasPrefix(name, "{"):
		return or(os.Getenv(name), "none")
	}
	return t.file(v)
}

func (t filler) proxy(command string) string { return t.fill(command) }
