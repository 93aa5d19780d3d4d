package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"flipdeploy": main})
}

// TestScripts pins the words of the command line. The folder is walked, so that no
// script can be forgotten.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts in testdata/script")
	}
	testscript.Run(t, testscript.Params{Dir: "testdata/script"})
}

// TestTheWall: the rooms never import each other, the engine knows no wire, and
// the screen knows the work but not the work the screen.
func TestTheWall(t *testing.T) {
	const module = "github.com/flipdeploy/flipdeploy/"
	forbidden := map[string][]string{
		"deploy":           {"remote", "lb", "deploy/", "net", "net/http", "golang.org/x/crypto", "github.com/"},
		"deploy/inventory": {"remote", "lb", "deploy/"},
		"deploy/health":    {"remote", "lb", "deploy"},
		"deploy/state":     {"remote", "lb", "deploy/"},
		"deploy/ui":        {"remote", "lb", "deploy/"},
		"remote":           {"deploy", "lb"},
		"remote/proc":      {"deploy", "lb", "remote"},
		"remote/site":      {"deploy", "lb"},
		"lb":               {"deploy", "remote"},
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
		room := strings.TrimPrefix(pkg, module)
		rules, ok := forbidden[room]
		if !ok {
			continue
		}
		seen++
		for _, imp := range strings.Fields(imports) {
			own := strings.TrimPrefix(imp, module)
			if slices.ContainsFunc(rules, func(r string) bool { return breaks(own, imp, r, room) }) {
				t.Errorf("%s imports %s", room, own)
			}
		}
	}
	if seen != len(forbidden) {
		t.Errorf("checked %d rooms of %d", seen, len(forbidden))
	}
}

func breaks(own, imp, rule, room string) bool {
	if own == room {
		return false
	}
	if strings.HasSuffix(rule, "/") {
		return strings.HasPrefix(own, rule) && !(rule == "github.com/" && own != imp)
	}
	return own == rule || (own != imp && strings.HasPrefix(own, rule+"/")) || (strings.Contains(rule, ".") && strings.HasPrefix(own, rule))
}

// TestNothingPointsOutside: users get only this tree.
func TestNothingPointsOutside(t *testing.T) {
	out, err := exec.Command("git", "ls-files").Output()
	if err != nil {
		t.Fatal(err)
	}
	home := "/" + "work/"
	for name := range strings.Lines(string(out)) {
		name = strings.TrimSpace(name)
		data, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for _, bad := range []string{".." + "/shared", home} {
			if strings.Contains(string(data), bad) {
				t.Errorf("%s mentions %s", name, bad)
			}
		}
	}
}
