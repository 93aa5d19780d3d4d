package inventory

import (
	"os"
	"os/user"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const everything = files + "/ok/everything.toml"

func flat(t *testing.T, data string) string {
	inv, err := Parse([]byte(data), "/etc/shop/inventory.toml")
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	flatten(&b, "", reflect.ValueOf(*inv))
	return regexp.MustCompile(`(?m)^.*Line = \d+$`).ReplaceAllString(b.String(), "")
}

// No key is read and forgotten: without it the result is another.
func TestEveryKeyHasAnEffect(t *testing.T) {
	setting(t)
	raw, err := os.ReadFile(everything)
	if err != nil {
		t.Fatal(err)
	}
	// These stand there with the only value that is supported.
	only := []string{"kind = \"http\"\n", "max_failures = 0\n", "on_drain_timeout = \"abort\"\n", "config = false\n"}
	data := string(raw)
	whole, tested, at := flat(t, data), 0, 0
	for line := range strings.Lines(data) {
		at += len(line)
		if !keyLine.MatchString(line) || slices.Contains(only, line) {
			continue
		}
		tested++
		if flat(t, data[:at-len(line)]+"#"+data[at-len(line):]) == whole {
			t.Errorf("without it nothing changes: %s", line)
		}
	}
	if tested < 60 {
		t.Errorf("only %d keys tested", tested)
	}
}

func TestEveryKeyIsInTheFileOfEverything(t *testing.T) {
	raw, err := os.ReadFile(everything)
	if err != nil {
		t.Fatal(err)
	}
	found := keysOf(string(raw))
	for _, k := range Keys() {
		_, key, _ := strings.Cut(k, ".ssh_")
		if !slices.Contains(found, k) && (key == "" || !slices.Contains(found, "lb.ssh_"+key)) && k != "reload.method" && k != "reload.stop" && k != "reload.signal" && k != "state.store_tls" && k != "health.command" && k != "state.store_password_file" {
			t.Errorf("%s is nowhere", k)
		}
	}
}

func TestUserIsWhoRunsItWhereNothingIsSaid(t *testing.T) {
	setting(t)
	raw, err := os.ReadFile(smallest)
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	inv, err := Parse([]byte(strings.Replace(string(raw), "user = \"deploy\"\n", "", 1)), "i.toml")
	if err != nil {
		t.Fatal(err)
	}
	if inv.Hosts[0].User != me.Username || inv.Hosts[0].Sudo != (me.Username != "root") {
		t.Errorf("user %s, sudo %v", inv.Hosts[0].User, inv.Hosts[0].Sudo)
	}
}

func TestRecheckJudgesWhatFlagsOverrode(t *testing.T) {
	setting(t)
	inv, err := Load(smallest)
	if err != nil {
		t.Fatal(err)
	}
	if err := inv.Recheck(); err != nil {
		t.Fatal(err)
	}
	inv.Path = "i.toml"
	inv.Rollout.Bake = 4 * time.Minute
	want := "i.toml: rollout.host_deadline: 5m must be more than 7m2s: " +
		"drain 30s + reload 1m + settle 2s + health 30s + lb_ready 1m + bake 4m"
	if err := inv.Recheck(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
