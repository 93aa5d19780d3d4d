package inventory

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const example = "../../inventory.example.toml"

func TestExampleLoads(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	inv, err := Load(example)
	if err != nil {
		t.Fatal(err)
	}
	if len(inv.Hosts) != 5 || inv.Hosts[3].Name != "web4" || inv.Hosts[3].Address != "10.0.0.14" {
		t.Errorf("hosts: %+v", inv.Hosts)
	}
}

func TestExampleHoldsEveryKeyAndNoOther(t *testing.T) {
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	found := keysOf(string(data))
	for _, k := range Keys() {
		if !slices.Contains(found, k) {
			t.Errorf("%s is not in the example", k)
		}
	}
	for _, k := range found {
		if !slices.Contains(Keys(), k) {
			t.Errorf("%s is in the example and not known", k)
		}
	}
	if len(Keys()) < 70 {
		t.Errorf("only %d keys", len(Keys()))
	}
}

var keyLine = regexp.MustCompile(`^(# )?([a-z_0-9]+) *=`)

// keysOf lists the keys of an example, those commented out too.
func keysOf(data string) []string {
	var keys []string
	table := ""
	for line := range strings.Lines(data) {
		if strings.HasPrefix(line, "[") || strings.HasPrefix(line, "# [") {
			table = strings.Trim(strings.TrimSpace(line), "# []")
		}
		if m := keyLine.FindStringSubmatch(line); m != nil {
			keys = append(keys, table+"."+m[2])
		}
	}
	return keys
}

func TestExampleCommentedKeysAreGood(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	t.Setenv("SHOP_SHA256", strings.Repeat("0", 64))
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^# ([a-z_0-9]+ *=|\[)`).ReplaceAllString(string(data), "$1")
	all = strings.Replace(all, `scheme   = "http" `, `scheme   = "https"`, 1) // ca is for it alone
	all = strings.Replace(all, `store = "" `, `store = "etcd://etcd1"`, 1)    // what follows is for it alone
	t.Setenv("ETCD_PASSWORD", "x")
	_, err = Parse([]byte(all), "example")
	want := strings.TrimSpace(`
example:66:1: health.command: is for kind = "command"
example:117:1: state.store_password_file: stands beside store_password: give one of them
example:103:1: lb[0].config: is nginx's: this balancer is HAProxy (leave it out)
example:118:3: host[0].zone: missing: other hosts have one (give every host its zone, or none)`)
	if err == nil || !sameButLines(err.Error(), want) {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// sameButLines lets the example grow without this test.
func sameButLines(a, b string) bool {
	lines := regexp.MustCompile(`(?m)^example:\d+:`)
	return lines.ReplaceAllString(a, "") == lines.ReplaceAllString(b, "")
}
