package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	namedTest = regexp.MustCompile("`([a-z0-9/]+) ((?:Test|Fuzz)[A-Za-z0-9]+)`")
	testFunc  = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9]+)\(`)
)

// testsIn are the tests and fuzz targets of a package, by name.
func testsIn(t *testing.T, pkg string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	files, _ := filepath.Glob(filepath.Join("..", "..", pkg, "*_test.go"))
	for _, f := range files {
		for _, m := range testFunc.FindAllStringSubmatch(read(t, f), -1) {
			found[m[1]] = true
		}
	}
	return found
}

func table(t *testing.T, heading string) (rows []string) {
	t.Helper()
	_, rest, found := strings.Cut(read(t, "../../SECURITY.md"), "\n## "+heading+"\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| threat ") && !strings.HasPrefix(line, "| bytes ") {
			rows = append(rows, line)
		}
	}
	if !found || len(rows) == 0 {
		t.Fatalf("SECURITY.md has no table of %s", heading)
	}
	return rows
}

func TestEveryThreatIsShownByTestsThatExist(t *testing.T) {
	rows := table(t, "Threats")
	for _, row := range rows {
		named := namedTest.FindAllStringSubmatch(row, -1)
		if len(named) == 0 {
			t.Errorf("nothing shows it: %s", row)
		}
		for _, m := range named {
			if !testsIn(t, m[1])[m[2]] {
				t.Errorf("there is no %s in %s", m[2], m[1])
			}
		}
	}
	if len(rows) < 25 {
		t.Errorf("only %d threats", len(rows))
	}
}

func TestEveryFuzzTargetIsListedWithTheTimeThatItRan(t *testing.T) {
	listed := map[string]bool{}
	for _, row := range table(t, "Fuzz targets") {
		m := namedTest.FindStringSubmatch(row)
		if m == nil {
			t.Fatalf("no target: %s", row)
		}
		listed[m[1]+" "+m[2]] = true
		if !testsIn(t, m[1])[m[2]] {
			t.Errorf("there is no %s in %s", m[2], m[1])
		}
	}
	root := filepath.Join("..", "..")
	_ = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		pkg, _ := filepath.Rel(root, filepath.Dir(path))
		for _, m := range testFunc.FindAllStringSubmatch(read(t, path), -1) {
			if name := fmt.Sprint(filepath.ToSlash(pkg), " ", m[1]); strings.HasPrefix(m[1], "Fuzz") && !listed[name] {
				t.Errorf("SECURITY.md does not list %s", name)
			}
		}
		return nil
	})
}
