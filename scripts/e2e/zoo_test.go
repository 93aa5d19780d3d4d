//go:build fleet

package e2e

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The zoo: for each system of testdata/apps/zoo.txt a release of every kind, on real
// hosts under the standard load, and what flipdeploy makes of it. scripts/zoo runs all
// of it, with the hosts that it takes; without it, a system that needs no more than Go, and
// a good and a bad release of it.
//
//	FLIPDEPLOY_ZOO           systems, by name; "all"
//	FLIPDEPLOY_ZOO_VARIANTS  columns
//	FLIPDEPLOY_ZOO_OUT       a file for the rows
//	FLIPDEPLOY_UPGRADES      how many good releases one after another, for a column of that name
func TestZoo(t *testing.T) {
	table := readZoo(t)
	names := strings.Fields(or(os.Getenv("FLIPDEPLOY_ZOO"), "endless"))
	if slices.Contains(names, "all") {
		names = table.names
	}
	for _, name := range names {
		s, ok := table.systems[name]
		if !ok {
			t.Fatalf("no such system: %s (there are %s)", name, strings.Join(table.names, " "))
		}
		t.Run(name, func(t *testing.T) { s.all(t) })
	}
}

// A zooTable is testdata/apps/zoo.txt, read.
type zooTable struct {
	variants []string
	names    []string
	systems  map[string]*zooSystem
}

// A zooSystem is one row: what a rollout of each variant is to end with.
type zooSystem struct {
	name, release, house string
	variants             []string
	cells                map[string]string // variant → cell

	inventory string
	runs      string // the revision on the hosts; "" when nobody knows
	count     int
}

func readZoo(t *testing.T) zooTable {
	t.Helper()
	f, err := os.Open("../../testdata/apps/zoo.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := zooTable{systems: map[string]*zooSystem{}}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		w := strings.Fields(lines.Text())
		switch {
		case len(w) > 4 && w[0] == "#" && w[1] == "system":
			table.variants = w[4:]
		case len(w) > 0 && strings.Trim(w[0], "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && w[0] != "-":
			table.add(t, w)
		}
	}
	return table
}

func (z *zooTable) add(t *testing.T, w []string) {
	t.Helper()
	if len(w) != len(z.variants)+3 {
		t.Fatalf("zoo.txt: %s: %d words, want %d", w[0], len(w), len(z.variants)+3)
	}
	s := &zooSystem{name: w[0], release: w[1], house: w[2], variants: z.variants, cells: map[string]string{}}
	if s.house == "=" {
		s.house = s.name
	}
	for i, v := range z.variants {
		s.cells[v] = w[i+3]
	}
	z.names = append(z.names, s.name)
	z.systems[s.name] = s
}

// all goes through a row: the first release onto empty hosts, each variant, and good
// ones up and down again.
func (s *zooSystem) all(t *testing.T) {
	s.inventory = s.compose(t, s.name, s.own(t))
	s.column(t, "install", s.install)
	for _, v := range s.variants {
		if cell := s.cells[v]; cell == "-" { // the table says why
			s.write(v, "-", "")
		} else {
			s.column(t, v, func(t *testing.T) string { return s.cell(t, v, cell) })
		}
	}
	s.column(t, "again", s.again)
	if n, err := strconv.Atoi(os.Getenv("FLIPDEPLOY_UPGRADES")); err == nil {
		s.column(t, "upgrades", func(t *testing.T) string { return s.upgrades(t, n) })
	}
}

// column is one test, and a line in the file; the next one finds a sound fleet.
func (s *zooSystem) column(t *testing.T, name string, test func(*testing.T) string) {
	few := ""
	if os.Getenv("FLIPDEPLOY_ZOO") == "" {
		few = "ok dies"
	}
	if only := strings.Fields(or(os.Getenv("FLIPDEPLOY_ZOO_VARIANTS"), few)); name != "install" && len(only) > 0 && !slices.Contains(only, name) {
		return
	}
	t.Run(name, func(t *testing.T) {
		said := "no end"
		defer func() { // however the test ends
			verdict := "PASS"
			if t.Failed() {
				verdict = "FAIL"
				s.runs = ""
			}
			s.write(name, verdict, said)
			t.Logf("%s %s: %s: %s", s.name, name, verdict, said)
		}()
		if name != "install" && s.runs == "" {
			s.install(t)
		}
		said = test(t)
	})
}

func (s *zooSystem) write(variant, verdict, said string) {
	name := os.Getenv("FLIPDEPLOY_ZOO_OUT")
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%s\t%s\t%s\t%s\n", s.name, variant, verdict, strings.ReplaceAll(said, "\n", "; "))
}

// own is the system's app and reload.
func (s *zooSystem) own(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../testdata/apps", s.house, "reload.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var appAndReload = regexp.MustCompile(`(?ms)^\[app\]\n.*^\[reload\]\n.*?^\[`)

// compose is the fleet's inventory with that app and reload instead of its own.
func (s *zooSystem) compose(t *testing.T, name, text string) string {
	t.Helper()
	fleet, err := os.ReadFile(filepath.Join(fleetDir, "inventory.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "\ntimeout = ") {
		text += "timeout = \"15s\"\n" // what a release that hangs would have the tests wait for
	}
	file := filepath.Join(fleetDir, "zoo-"+name+".toml")
	text = appAndReload.ReplaceAllLiteralString(string(fleet), text+"\n[")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// release makes a release of that variant under a revision that no other has.
func (s *zooSystem) build(t *testing.T, variant string) (artifact, revision string) {
	t.Helper()
	s.count++
	revision = fmt.Sprintf("%s%d", variant, s.count)
	artifact = filepath.Join(fleetDir, "dist", s.name, revision, "shop")
	mustVerb(t, "zoo-build", s.name, artifact, revision, variant)
	return artifact, revision
}

func (s *zooSystem) rollout(t *testing.T, artifact, revision string, more ...string) run {
	t.Helper()
	return flipdeploy(t, append([]string{"rollout", "--json", "--artifact", artifact, "--revision", revision, "-i", s.inventory}, more...)...)
}

// install empties every host and has the first release brought up there.
func (s *zooSystem) install(t *testing.T) string {
	for _, e := range edges() {
		mustVerb(t, "exec", e, "sh", "-c", "rm -rf /var/lib/flipdeploy/shop")
		for _, h := range webs {
			on(t, e, "set server shop/"+h+" state ready")
		}
	}
	mustVerb(t, "zoo-house", s.name)
	artifact, revision := s.build(t, "ok")
	r := s.rollout(t, artifact, revision, "--parallel", strconv.Itoa(len(webs))).want(t, 0, "done")
	s.runs = revision
	wantVersions(t, revision)
	noneLeft(t)
	return fmt.Sprintf("done in %.1f s", r.took.Seconds())
}

// cell rolls a variant out under load, and holds the end against the table.
func (s *zooSystem) cell(t *testing.T, variant, want string) string {
	artifact, revision := s.build(t, variant)
	var r run
	w := under(t, func() { r = s.rollout(t, artifact, revision, "--parallel", "2") })
	got := ending(r)
	if want != "?" && !slices.Contains(strings.Split(want, "|"), got) {
		t.Errorf("ended with %s, want %s: %s", got, want, r)
	}
	w.none(t, 1, 2)
	if got == "done" {
		s.runs = revision
	}
	wantVersions(t, s.runs)
	noneLeft(t)
	return fmt.Sprintf("%s, %.1f s, %d served, %d failed; %v", got, r.took.Seconds(), w.Load.Served, w.Load.Failed, r.result["error"])
}

// ending is how a cell of the table puts what a rollout ended with.
func ending(r run) string {
	code := strings.TrimPrefix(fmt.Sprint(r.result["code"]), "FD-")
	switch r.exit {
	case 0:
		return "done"
	case 7:
		return code
	}
	return fmt.Sprintf("%s/%d", code, r.exit)
}

// again: an upgrade, another one, and back.
func (s *zooSystem) again(t *testing.T) string {
	one, first := s.build(t, "ok")
	two, second := s.build(t, "ok")
	w := under(t, func() {
		s.rollout(t, one, first, "--parallel", "2").want(t, 0, "done")
		s.rollout(t, two, second, "--parallel", "2").want(t, 0, "done")
		wantVersions(t, second)
		flipdeploy(t, "rollback", "--json", "--parallel", "2", "-i", s.inventory).want(t, 0, "done")
	})
	w.none(t, 1, 2)
	s.runs = first
	wantVersions(t, first)
	noneLeft(t)
	return fmt.Sprintf("done, %d served, %d failed", w.Load.Served, w.Load.Failed)
}

// upgrades are n good releases one after another, each of them proven.
func (s *zooSystem) upgrades(t *testing.T, n int) string {
	var builds [2]struct{ artifact, revision string }
	for i := range builds {
		builds[i].artifact, builds[i].revision = s.build(t, "ok")
	}
	var upgraded int
	w := under(t, func() {
		for i := range n {
			b := builds[i%2]
			if r := s.rollout(t, b.artifact, b.revision, "--parallel", "2", "--bake", "0s"); r.exit != 0 {
				t.Errorf("upgrade %d: %s", i+1, r)
				return
			}
			wantVersions(t, b.revision)
			s.runs = b.revision
			upgraded++
		}
	})
	w.none(t, 1, 2)
	noneLeft(t)
	return fmt.Sprintf("%d of %d on %d hosts, %d served, %d failed", upgraded, n, len(webs), w.Load.Served, w.Load.Failed)
}
