package deploy

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// A mutant is the protocol with one thing wrong: in the engine, which is built anew
// with a text replaced, in the scripts on the machines, which the simulation leaves
// checks out of, or in both.
type mutant struct {
	name  string
	about string
	rules string // checks that are left out
	by    string // the fault set that shows it
	shows string // how the broken invariant begins
	edits []txtar.File
}

func mutants(t *testing.T) (all []mutant) {
	files, err := filepath.Glob("testdata/mutants/*.txtar")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d mutants: %v", len(files), err)
	}
	for _, f := range files {
		a, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		m := mutant{name: strings.TrimSuffix(filepath.Base(f), ".txtar"), edits: a.Files}
		for line := range strings.Lines(string(a.Comment)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch key {
			case "rules":
				m.rules = value
			case "by":
				m.by = value
			case "shows":
				m.shows = value
			default:
				m.about += line
			}
		}
		all = append(all, m)
	}
	return all
}

// TestMutantsAreKilled shows that the search sees what the protocol is for. Those of the
// engine take a build each: some are part of every test run, all with
// FLIPDEPLOY_MUTANTS=all.
func TestMutantsAreKilled(t *testing.T) {
	small, large := faultSets()
	often := []string{"ready-without-verify", "stop-without-end"}
	for _, m := range mutants(t) {
		t.Run(m.name, func(t *testing.T) {
			i := slices.IndexFunc(append(small, large...), func(f faultSet) bool { return f.name == m.by })
			switch {
			case i < 0:
				t.Fatalf("no fault set %q", m.by)
			case len(m.edits) == 0:
				q := &search{set: append(small, large...)[i], mutant: rulesOf(t, m.rules)}
				q.all(t)
				m.killed(t, strings.Join(q.found, "\n"))
			case os.Getenv("FLIPDEPLOY_MUTANTS") == "all", slices.Contains(often, m.name):
				m.killed(t, m.search(t))
			default:
				m.overlay(t) // it can be made, at least
			}
		})
	}
}

func (m mutant) killed(t *testing.T, story string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(story), "\n")
	if at := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(strings.TrimSpace(l), m.shows) }); at < 0 {
		t.Errorf("%s\nlives through %q:\n%s", m.about, m.by, story)
		return
	}
	t.Logf("%sIs shown by %q:\n%s", m.about, m.by, story)
}

// search builds the tests with the mutant in place of the engine, and runs its fault set.
func (m mutant) search(t *testing.T) string {
	cmd := exec.Command("go", "test", "-overlay", m.overlay(t), "-count=1", "-run", "^TestSearch$", ".")
	cmd.Env = append(os.Environ(), "FLIPDEPLOY_SEARCH="+m.by, "FLIPDEPLOY_RULES="+m.rules)
	out, err := cmd.CombinedOutput()
	if err == nil {
		return "nothing is found"
	}
	return string(out)
}

// overlay writes the engine's files with the mutant's texts in place.
func (m mutant) overlay(t *testing.T) string {
	dir := t.TempDir()
	texts := map[string][]byte{}
	for _, e := range m.edits {
		if texts[e.Name] == nil {
			b, err := os.ReadFile(e.Name)
			if err != nil {
				t.Fatal(err)
			}
			texts[e.Name] = b
		}
		was, is, ok := strings.Cut(string(e.Data), "====\n")
		was, is = strings.TrimSuffix(was, "\n"), strings.TrimSuffix(is, "\n")
		if n := bytes.Count(texts[e.Name], []byte(was)); !ok || n != 1 {
			t.Fatalf("%s has the text %d times, not once: the mutant is out of date\n%s", e.Name, n, was)
		}
		texts[e.Name] = bytes.Replace(texts[e.Name], []byte(was), []byte(is), 1)
	}
	replace := map[string]string{}
	for name, text := range texts {
		real, err := filepath.Abs(name)
		if err != nil {
			t.Fatal(err)
		}
		replace[real] = filepath.Join(dir, name)
		if err := os.WriteFile(replace[real], text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "overlay.json"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "overlay.json")
}
