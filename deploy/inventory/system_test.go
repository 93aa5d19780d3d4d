package inventory

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// keysFor are what a preset cannot do without, in an inventory.
var keysFor = map[string]string{
	"unit": `unit = "shop.service"`, "pid_file": `pid_file = "/run/shop.pid"`,
	"command": `command = ["sh", "-c", "echo c > /run/fifo"]`, "start": `start = ["bin/start"]`,
}

func inventoryWith(reload ...string) string {
	return fmt.Sprintf("[app]\nname = \"shop\"\npath = \"/srv/shop\"\nport = 8080\n[reload]\n%s\n"+
		"[[lb]]\nname = \"e\"\nkind = \"haproxy\"\naddress = \"10.0.0.2\"\nupstream = \"shop\"\n"+
		"[[host]]\nname = \"web1\"\naddress = \"10.0.0.11\"\n", strings.Join(reload, "\n"))
}

// withNeeds are the lines of [reload] for a preset.
func withNeeds(s System) []string {
	lines := []string{fmt.Sprintf("preset = %q", s.Name)}
	needs := slices.Clone(s.Needs)
	switch s.Method {
	case "systemd", "restart":
		needs = append(needs, "unit")
	case "":
		lines = append(lines, `method = "signal"`, `signal = "HUP"`)
	}
	for _, key := range needs {
		lines = append(lines, keysFor[key])
	}
	if s.Install == "replace" {
		lines = append(lines, `binary = "bin/shop"`)
	}
	return lines
}

func TestATableOfPresetsThatCannotBeMeantIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"[a]\nlike = \"b\"": "a is like b, which is no table of its own",
		"[a]\nlike = \"b\"\n[b]\nlike = \"c\"\n[c]\nwhat = \"c\"": "a is like b, which is no table of its own",
		"[a]\non_ignore = \"restart\"":                            "strict mode: fields in the document are missing in the target struct",
	} {
		if _, err := readRows(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestEveryPresetIsWellFormed(t *testing.T) {
	one := func(word string, of ...string) bool { return slices.Contains(of, word) }
	for _, s := range Systems() {
		t.Run(s.Name, func(t *testing.T) {
			switch {
			case s.What == "" || time.Duration(s.Timeout) < 10*time.Second || time.Duration(s.Settle) < time.Second:
				t.Errorf("no words, or too short: %+v", s)
			case !one(s.Method, "signal", "systemd", "command", "restart") && s.Name != "custom":
				t.Errorf("method %q", s.Method)
			case (s.Method == "signal") != (s.Signal != "") || s.Signal != "" && !slices.Contains(signals, s.Signal):
				t.Errorf("method %q with signal %q", s.Method, s.Signal)
			case !one(s.Kind, "", "child-takeover", "same-pid", "master-worker", "replace-all") ||
				!one(s.Target, "", "serving", "parent", "named") || !one(s.Workers, "", "listen", "children", "named"):
				t.Errorf("kind %q, target %q, workers %q", s.Kind, s.Target, s.Workers)
			case !one(s.OnIgnored, "", "restart") || !one(s.OnFailure, "", "retry", "restart") || !one(s.Install, "symlink", "replace"):
				t.Errorf("on_ignored %q, on_failure %q, install %q", s.OnIgnored, s.OnFailure, s.Install)
			case s.Workers == "named" && s.PIDCommand == nil:
				t.Error("nobody names the workers")
			}
			for _, step := range append(slices.Clone(s.Steps), s.Back...) {
				if (step.Run == "start") == one(step.To, "old", "new") || !one(step.Until, "", "new-serves", "new-alone", "old-gone") {
					t.Errorf("step %+v", step)
				}
			}
			for key := range s.Never {
				if keysFor[key] == "" {
					t.Errorf("never %q", key)
				}
			}
		})
	}
	if len(Systems()) < 27 {
		t.Errorf("only %d presets", len(Systems()))
	}
}

func TestEveryPresetLoadsWithWhatItNeeds(t *testing.T) {
	setting(t)
	for _, s := range Systems() {
		t.Run(s.Name, func(t *testing.T) {
			inv, err := Parse([]byte(inventoryWith(withNeeds(s)...)), "i.toml")
			if err != nil {
				t.Fatal(err)
			}
			r := inv.Reload
			if s.Name != "custom" && (r.Method != s.Method || r.Signal != s.Signal || r.Timeout != time.Duration(s.Timeout) || r.Settle != time.Duration(s.Settle) || r.Install != s.Install) {
				t.Errorf("%+v of %+v", r, s)
			}
			if s.Method == "command" && (len(r.Command) == 0 || strings.Contains(strings.Join(r.Command, " "), "{app}")) {
				t.Errorf("command %q", r.Command)
			}
		})
	}
}

func TestEveryPresetTellsWhatItLacks(t *testing.T) {
	setting(t)
	for _, s := range Systems() {
		for _, key := range s.Needs {
			lines := slices.DeleteFunc(withNeeds(s), func(l string) bool { return l == keysFor[key] })
			_, err := Parse([]byte(inventoryWith(lines...)), "i.toml")
			want := fmt.Sprintf("i.toml:5:2: reload.%s: missing: preset = %q needs it", key, s.Name)
			if err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		for key, why := range s.Never {
			lines := append(withNeeds(s), keysFor[key])
			_, err := Parse([]byte(inventoryWith(lines...)), "i.toml")
			want := fmt.Sprintf("reload.%s: does not go with preset = %q: %s", key, s.Name, why)
			if err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
}

func TestKeysWinOverThePreset(t *testing.T) {
	setting(t)
	for _, c := range []struct {
		lines []string
		want  func(Reload) bool
	}{
		{[]string{`preset = "endless"`, `signal = "USR1"`, `timeout = "9s"`, `settle = "7s"`}, func(r Reload) bool {
			return r.Signal == "USR1" && r.Timeout == 9*time.Second && r.Settle == 7*time.Second && r.System().Kind == "child-takeover"
		}},
		{[]string{`preset = "pm2-reload"`, `command = ["pm2", "reload", "shop", "--parallel", "2"]`}, func(r Reload) bool {
			return slices.Equal(r.Command, []string{"pm2", "reload", "shop", "--parallel", "2"}) && r.PIDCommand != nil
		}},
		{[]string{`preset = "gracefulReload"`}, func(r Reload) bool {
			return r.Preset == "pm2-reload" && slices.Equal(r.Command, []string{"pm2", "reload", "shop", "--update-env"})
		}},
		{[]string{`preset = "unicorn-usr2"`, `method = "restart"`, `unit = "shop.service"`, `pid_file = "/p"`}, func(r Reload) bool {
			return r.System().Steps == nil && r.System().Kind == "replace-all"
		}},
	} {
		inv, err := Parse([]byte(inventoryWith(c.lines...)), "i.toml")
		if err != nil || !c.want(inv.Reload) {
			t.Errorf("%q: %v %+v", c.lines, err, inv)
		}
	}
}

func TestACommandOfAPresetIsNotRootsUnlessAsked(t *testing.T) {
	setting(t)
	for lines, want := range map[string]bool{
		`preset = "pm2-reload"`: false, "preset = \"pm2-reload\"\nsudo = true": true, `preset = "tableflip"`: true,
	} {
		inv, err := Parse([]byte(inventoryWith(lines)+"[ssh]\nuser = \"deploy\"\n"), "i.toml")
		if err != nil || inv.Hosts[0].ReloadSudo != want {
			t.Errorf("%s: %v, want %v", lines, err, want)
		}
	}
}

func TestALayoutThatCannotWorkIsRefused(t *testing.T) {
	setting(t)
	_, err := Parse([]byte(inventoryWith(`preset = "overseer"`, `install = "symlink"`)), "i.toml")
	want := `i.toml:7:1: reload.install: preset = "overseer" needs "replace": it executes the file that it was started from`
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The README has a line a preset, in the words of the table.
func TestTheReadmeHasEveryPreset(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, s := range Systems() {
		fmt.Fprintf(&want, "| `%s` | %s | %s |\n", s.Name, s.What, trigger(s))
	}
	if !strings.Contains(string(data), want.String()) {
		t.Errorf("README.md lacks this table:\n%s", want.String())
	}
}

func trigger(s System) string {
	var list []string
	for _, step := range s.Steps {
		list = append(list, step.Run+step.Signal)
	}
	switch {
	case list != nil:
		return strings.Join(list, ", ")
	case s.Method == "command" && s.Command != nil:
		words, _, _ := strings.Cut(strings.Join(s.Command, " "), " --")
		return "`" + strings.NewReplacer("{app}", "NAME", "{program}", "PROGRAM").Replace(words) + "`"
	case s.Signal != "":
		return s.Signal
	case s.Name == "custom":
		return "as set"
	}
	return s.Method
}
