package inventory

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	envRef  = regexp.MustCompile(`\$\{[^}]*\}?`)
	envName = regexp.MustCompile(`^\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}$`)
)

// expand puts the environment's values into t. What they are is never told.
func (c *checker) expand(n *node, t string) string {
	return envRef.ReplaceAllStringFunc(t, func(ref string) string {
		m := envName.FindStringSubmatch(ref)
		if m == nil {
			c.spoil(n, quote(ref)+" is not ${env:NAME}", nearEnv(ref))
			return ""
		}
		v, ok := c.env(m[1])
		if !ok || v == "" {
			c.spoil(n, fmt.Sprintf("the environment variable %s is not set", m[1]), "export "+m[1])
		}
		return v
	})
}

// nearEnv is ref as it was probably meant.
func nearEnv(ref string) string {
	if m := almostEnv.FindStringSubmatch(ref); m != nil {
		return "write ${env:" + m[1] + "}"
	}
	return ""
}

var almostEnv = regexp.MustCompile(`^\$\{(?:[Ee][Nn][Vv][:.])?([A-Za-z_][A-Za-z0-9_]{0,63})\}?$`)

// local makes a path of this machine absolute: ~/ is the home directory, the
// rest is relative to the file.
func (b *builder) local(path string) (string, string) {
	rest, home := strings.CutPrefix(path, "~/")
	switch {
	case home:
		dir, err := os.UserHomeDir()
		if err != nil {
			return "", "no home directory for ~/: $HOME is not set"
		}
		return filepath.Join(dir, rest), ""
	case strings.HasPrefix(path, "~"):
		return "", "only ~/ is expanded, not the home of another user"
	case filepath.IsAbs(path):
		return filepath.Clean(path), ""
	default:
		return filepath.Join(b.dir, path), ""
	}
}
