package cli

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/flipdeploy/flipdeploy/deploy/inventory"
)

// settings are what a run does to a host and what it waits for, by name, each that is set:
// what the inventory says, and what a preset and this flipdeploy add to it. Another
// flipdeploy may read the same file and add something else.
type settings map[string]string

func settingsOf(inv *inventory.Inventory) settings {
	all := settings{}
	for section, v := range map[string]any{"reload": inv.Reload, "preset": inv.Reload.System(), "health": inv.Health, "rollout": inv.Rollout} {
		all.enter(section, reflect.ValueOf(v))
	}
	return all
}

// wordy are fields that nothing follows from, and a path of this machine.
var wordy = []string{"What", "Note", "Aliases", "CA"}

var hump = regexp.MustCompile(`([a-z])([A-Z])`)

func (s settings) enter(section string, v reflect.Value) {
	for i := range v.NumField() {
		name, field := v.Type().Field(i).Name, v.Field(i)
		if field.IsZero() || slices.Contains(wordy, name) {
			continue
		}
		name = section + "." + strings.ToLower(hump.ReplaceAllString(name, "${1}_$2"))
		s[name] = fmt.Sprint(reflect.Indirect(field).Interface())
	}
}

// facts are the settings as what a plan was made of.
func (s settings) facts() map[fact]string {
	facts := map[fact]string{}
	for name, value := range s {
		facts[fact{"", name}] = value
	}
	return facts
}

// sameSettings is nil when all that the plan was made with would be done as it was then,
// or no plan was given.
func (o rolloutOptions) sameSettings(inv *inventory.Inventory) error {
	switch {
	case o.agreed == nil:
		return nil
	case o.agreed.Settings == nil:
		return o.stale([]string{"flipdeploy " + o.agreed.Flipdeploy + ", which did not keep what its presets say, now " + version()})
	}
	return o.stale(differences(o.agreed.Settings.facts(), settingsOf(inv).facts()))
}
