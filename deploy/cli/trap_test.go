package cli

import (
	"go/ast"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// imports are the files of the product that import a path or what is below it.
func imports(t *testing.T, path string) (files []string) {
	t.Helper()
	for _, s := range product(t) {
		for _, i := range s.file.Imports {
			if p, _ := strconv.Unquote(i.Path.Value); p == path || strings.HasPrefix(p, path+"/") {
				files = append(files, s.path)
			}
		}
	}
	return slices.Compact(files)
}

// uses are the places where the product names pkg.name.
func uses(t *testing.T, pkg string, names ...string) (places []string) {
	t.Helper()
	for _, s := range product(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok || !slices.Contains(names, sel.Sel.Name) {
				return true
			}
			if id, is := sel.X.(*ast.Ident); is && id.Name == pkg {
				places = append(places, s.path)
			}
			return true
		})
	}
	return places
}

func wantPlaces(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: in %q, want it in %q", what, got, want)
	}
}

// progressbar has no eye for a terminal, writes to stdout by default, and breaks an
// io.Copy when more bytes come than it was told: there is one, it is only drawn from,
// and no stream of bytes goes through it.
func TestTheBarIsOneAndNeverInTheDataPath(t *testing.T) {
	wantPlaces(t, "progressbar", imports(t, "github.com/schollz/progressbar"), "deploy/ui/bar.go")
	wantPlaces(t, "a bar made", uses(t, "progressbar", "New", "New64", "NewOptions", "NewOptions64", "Default", "DefaultBytes", "NewReader", "DefaultSilent"), "deploy/ui/bar.go")
	wantPlaces(t, "its writer given", uses(t, "progressbar", "OptionSetWriter"), "deploy/ui/bar.go")
	for _, p := range slices.Concat(uses(t, "io", "Copy", "CopyN", "CopyBuffer", "TeeReader", "MultiWriter")) {
		if strings.HasPrefix(p, "deploy/ui/") {
			t.Errorf("%s: bytes go through the screen", p)
		}
	}
}

// go-toml matches keys whatever their case when it fills structs, and its errors hold
// excerpts with bytes that a terminal obeys: only the package that makes a tree of its
// own, and words of its own, reads TOML.
func TestOnlyTheInventoryReadsTOML(t *testing.T) {
	wantPlaces(t, "go-toml", imports(t, "github.com/pelletier/go-toml"),
		"deploy/inventory/index.go", "deploy/inventory/syntax.go", "deploy/inventory/system.go", "deploy/inventory/tree.go")
	wantPlaces(t, "decoding", uses(t, "toml", "Unmarshal", "NewDecoder"), "deploy/inventory/system.go", "deploy/inventory/system.go", "deploy/inventory/tree.go") // system.go: the presets, a part of the program
	for _, s := range product(t) {
		if s.path == "deploy/inventory/system.go" {
			continue // what it says of the presets no user sees
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && (id.Name == "DisallowUnknownFields" || id.Name == "StrictMissingError") {
				t.Errorf("%s: print String(), not Error(), and clean it", s.at(n))
			}
			return true
		})
	}
}

// Nothing ends the program but main, and nothing but main knows where it writes to.
func TestOnlyMainEndsTheProgram(t *testing.T) {
	wantPlaces(t, "os.Exit", uses(t, "os", "Exit"), "main.go")
	wantPlaces(t, "os.Stdout", uses(t, "os", "Stdout"), "main.go")
	wantPlaces(t, "os.Stderr", uses(t, "os", "Stderr"), "main.go")
	wantPlaces(t, "print", uses(t, "fmt", "Print", "Println", "Printf"))
	wantPlaces(t, "log", imports(t, "log"))
	wantPlaces(t, "exits of the library", uses(t, "ucli", "Exit", "HandleExitCoder", "HandleAction", "OsExiter"))
	wantPlaces(t, "urfave/cli elsewhere", slices.DeleteFunc(imports(t, "github.com/urfave/cli"), func(p string) bool { return strings.HasPrefix(p, "deploy/cli/") }))
}

// The library's completion runs the action on a TAB after -- (urfave/cli#1993).
func TestTheLibraryCompletesNothing(t *testing.T) {
	app, _ := harmless(t)
	if app.EnableBashCompletion || app.BashComplete != nil {
		t.Error("the library's completion is on")
	}
	for _, c := range app.Commands {
		if c.BashComplete != nil || c.SkipFlagParsing || c.HideHelp || len(c.Subcommands) > 0 || len(c.Aliases) > 0 {
			t.Errorf("%s: no walk here knows what that does", c.Name)
		}
	}
}

// scripts/test does not look for races where there is nobody to race.
func TestDeltaStartsNoGoroutine(t *testing.T) {
	for _, s := range product(t) {
		if !strings.HasPrefix(s.path, "remote/delta/") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if _, is := n.(*ast.GoStmt); is {
				t.Errorf("%s starts a goroutine: take remote/delta out of what scripts/test runs without the race detector", s.path)
			}
			return true
		})
	}
}
