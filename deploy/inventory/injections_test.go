package inventory

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// good is an inventory that is right, a line for each key that a row may stand for.
const good = `[app]
name = "shop"
path = "/srv/shop"
port = 8080
[reload]
preset = "custom"
method = "signal"
signal = "HUP"
pid_file = "/run/shop/pid"
[health]
path = "/health"
[rollout]
parallel = 1
[ssh]
user = "deploy"
[state]
dir = "/var/lib/flipdeploy"
[[lb]]
name = "edge1"
kind = "haproxy"
address = "10.0.0.2"
upstream = "shop"
[[host]]
name = "web1"
address = "10.0.0.11"
`

var rowLine = regexp.MustCompile(`^\[([a-z]+)\] ([a-z_0-9]+) = (.*)$`)

// instead is good with the row's line in place of its own, or behind its table's name.
func instead(t *testing.T, row string) string {
	t.Helper()
	m := rowLine.FindStringSubmatch(row)
	if m == nil {
		t.Fatalf("not a row: %s", row)
	}
	var out []string
	table := ""
	for _, line := range strings.Split(good, "\n") {
		if strings.HasPrefix(line, "[") {
			table = strings.Trim(line, "[]")
		}
		if table == m[1] && strings.HasPrefix(line, m[2]+" = ") {
			continue
		}
		out = append(out, line)
		if table == m[1] && strings.HasPrefix(line, "[") {
			out = append(out, m[2]+" = "+m[3])
		}
	}
	return strings.Join(out, "\n")
}

// Nothing that is in the inventory reaches a shell, an option or a terminal as more than
// it says.
func TestInjectionsAreRefused(t *testing.T) {
	setting(t)
	if _, err := Parse([]byte(good), "inventory.toml"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(files, "injections.txt")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	place := regexp.MustCompile(`inventory\.toml:\d+:\d+: `)
	rows := 0
	var anew strings.Builder
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.HasPrefix(line, "#"):
			anew.WriteString(line)
			continue
		case !strings.HasPrefix(line, "["):
			continue
		}
		_, err := Parse([]byte(instead(t, strings.TrimSuffix(line, "\n"))), "inventory.toml")
		if err == nil {
			if !*update {
				t.Errorf("accepted: %s", line)
			}
			continue
		}
		refusedWell(t, err)
		rows++
		said := place.ReplaceAllString(err.Error(), "")
		anew.WriteString(line + "\t" + strings.ReplaceAll(said, "\n", "\n\t") + "\n")
	}
	compare(t, path, anew.String())
	if rows < 150 {
		t.Errorf("only %d rows", rows)
	}
}
