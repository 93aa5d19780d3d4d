package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// What the pages for users tell a person to type, or to look up, is there.
func TestDocsNameWhatIsThere(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(pages) < 4 {
		t.Fatalf("found %q: %v", pages, err)
	}
	all, err := meanings()
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"--check", "--diff", "--limit"} // Ansible's
	var names []string
	for _, c := range commands(t) {
		names = append(names, c.Name)
		for _, f := range c.Flags {
			known = append(known, asWritten(f)...)
		}
	}
	command := regexp.MustCompile(`(?:\x60|exec |\$ )flipdeploy ([a-z]+)`)
	for _, page := range pages {
		text := read(t, page)
		for _, path := range second(link, text) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), path)); err != nil {
				t.Errorf("%s: there is no %s", page, path)
			}
		}
		for _, code := range wholeCodes.FindAllString(text, -1) {
			if _, ok := all[code]; !ok && !slices.Contains([]string{"FD-SSH", "FD-HOSTKEY"}, code) {
				t.Errorf("%s: nothing says %s", page, code)
			}
		}
		for _, flag := range second(flagWord, text) {
			if !slices.Contains(known, flag) {
				t.Errorf("%s: no command has the flag %s", page, flag)
			}
		}
		for _, name := range second(command, text) {
			if !slices.Contains(names, name) {
				t.Errorf("%s: there is no command %s", page, name)
			}
		}
	}
}
