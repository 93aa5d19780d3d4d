package inventory

import (
	"bytes"
	_ "embed"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	toml "github.com/pelletier/go-toml/v2"
)

//go:embed presets.toml
var presetsText string

// A System is what is known of one way to take a release over: a table of
// presets.toml, which says what each key means.
type System struct {
	Name        string `toml:"-"`
	What        string
	Method      string
	Signal      string
	Command     []string
	Check       []string
	PIDCommand  []string `toml:"pid_command"`
	Target      string
	Kind        string
	Workers     string
	Foreign     bool
	Alone       bool
	Several     bool
	Install     string
	OnlyInstall bool `toml:"only_install"`
	Sudo        *bool
	Timeout     span
	Drain       span
	Settle      span
	OnIgnored   string `toml:"on_ignored"`
	OnFailure   string `toml:"on_failure"`
	Modules     []string
	Needs       []string
	Never       map[string]string
	Steps       []Step
	Back        []Step
	Aliases     []string
	Note        string
}

// A Step is one of a dance: a signal to the old or the new main process, or the start
// command, and what is waited for then.
type Step struct {
	Run    string // start, or "" for a signal
	Signal string
	To     string // old, new
	Until  string // new-serves: and answers; new-alone: no old one but the master; old-gone
}

// A span is a duration as Go writes it.
type span time.Duration

// UnmarshalText reads what time.ParseDuration does.
func (d *span) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = span(v)
	return err
}

// String is what UnmarshalText reads.
func (d span) String() string { return time.Duration(d).String() }

const standardSettle = 2 * time.Second

// systems are all presets, in the order of the file. They are read when first needed, as
// what match compiles.
var systems = sync.OnceValue(func() []System { return readSystems(presetsText) })

var tableHead = regexp.MustCompile(`(?m)^\[([a-z0-9-]+)\]$`)

// readSystems panics on what is not a table of presets: the file is part of the program.
func readSystems(text string) (list []System) {
	rows, err := readRows(text)
	if err != nil {
		panic(fmt.Errorf("presets.toml: %w", err))
	}
	for _, m := range tableHead.FindAllStringSubmatch(text, -1) {
		s := rows[m[1]]
		s.Name = m[1]
		if s.Settle == 0 {
			s.Settle = span(standardSettle)
		}
		if s.Install == "" {
			s.Install = "symlink"
		}
		list = append(list, s)
	}
	return list
}

// readRows fills each table from the one that it is like, but for that one's old names.
func readRows(text string) (map[string]System, error) {
	tables, rows := map[string]map[string]any{}, map[string]System{}
	if err := toml.Unmarshal([]byte(text), &tables); err != nil {
		return nil, err
	}
	filled := map[string]map[string]any{}
	for name, t := range tables {
		like, _ := t["like"].(string)
		if tables[like] == nil && like != "" || tables[like]["like"] != nil {
			return nil, fmt.Errorf("%s is like %s, which is no table of its own", name, like)
		}
		row := map[string]any{}
		maps.Copy(row, tables[like])
		delete(row, "aliases")
		maps.Copy(row, t)
		delete(row, "like")
		filled[name] = row
	}
	again, err := toml.Marshal(filled)
	if err != nil {
		return nil, err
	}
	err = toml.NewDecoder(bytes.NewReader(again)).DisallowUnknownFields().Decode(&rows)
	return rows, err
}

// system finds a preset by its name or one that it had.
func system(name string) System {
	for _, s := range systems() {
		if s.Name == name || slices.Contains(s.Aliases, name) {
			return s
		}
	}
	return System{Name: name}
}

func presetNames() (names []string) {
	for _, s := range systems() {
		names = append(names, s.Name)
	}
	for _, s := range systems() {
		names = append(names, s.Aliases...)
	}
	return names
}

// Systems are all presets, in the order in which they are to be read.
func Systems() []System { return slices.Clone(systems()) }

// System is what the preset knows, as far as the inventory leaves it standing.
func (r Reload) System() System {
	s := system(r.Preset)
	if r.Method != s.Method {
		s.Steps, s.Back, s.Check = nil, nil, nil
	}
	if r.Method == "restart" {
		s.Kind, s.Target, s.OnIgnored, s.OnFailure = "replace-all", "", "", ""
	}
	return s
}

// DrainTime is how long old processes may take to end after the takeover; 0 is as long
// as the takeover itself.
func (s System) DrainTime() time.Duration { return time.Duration(s.Drain) }

// filled puts what the inventory knows into a command of a preset.
func (r Reload) filled(argv []string, app string) []string {
	fill := strings.NewReplacer("{app}", app, "{unit}", r.Unit, "{pid_file}", r.PIDFile)
	var list []string
	for _, w := range argv {
		list = append(list, fill.Replace(w))
	}
	return list
}
