package ui

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// constants are the names of the constants of a type in a file of the engine, with values.
func constants(t *testing.T, file, typ string) map[string]string {
	t.Helper()
	found := map[string]string{}
	ast.Inspect(parsed(t, file), func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok {
			if id, ok := v.Type.(*ast.Ident); ok && id.Name == typ {
				for i, name := range v.Names {
					found[name.Name] = v.Values[i].(*ast.BasicLit).Value
				}
			}
		}
		return true
	})
	if len(found) == 0 {
		t.Fatalf("no constant of type %s in %s", typ, file)
	}
	return found
}

func parsed(t *testing.T, file string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// cases are the names deploy.X in the cases of the switches of a function.
func cases(t *testing.T, file, function string) []string {
	t.Helper()
	var names []string
	for _, d := range parsed(t, file).Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != function {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CaseClause); ok {
				for _, e := range c.List {
					names = append(names, e.(*ast.SelectorExpr).Sel.Name)
				}
			}
			return true
		})
	}
	slices.Sort(names)
	return names
}

func TestEveryWordOfTheEngineHasItsCase(t *testing.T) {
	for _, c := range []struct{ typ, file, function string }{
		{"Phase", "words.go", "lookOf"},
		{"Phase", "words.go", "out"},
		{"Kind", "words.go", "tell"},
		{"Outcome", "result.go", "sentence"},
	} {
		var want []string
		for name := range constants(t, "../event.go", c.typ) {
			want = append(want, name)
		}
		slices.Sort(want)
		if got := cases(t, c.file, c.function); !slices.Equal(got, want) {
			t.Errorf("%s: cases of deploy.%s\n got %v\nwant %v", c.function, c.typ, got, want)
		}
	}
}

func TestEveryPhaseIsShownByItsOwnWord(t *testing.T) {
	for name, quoted := range constants(t, "../event.go", "Phase") {
		word := quoted[1 : len(quoted)-1]
		if lookOf(deploy.Phase(word)) == strange {
			t.Errorf("%s is strange", name)
		}
		_, stderr := play(Options{Verbose: 1}, []deploy.Event{host(0, "web1", deploy.Phase(word), "", 0)}, nil)
		wantText(t, name, stderr, "web1  "+word+"\n")
	}
}

func TestEveryKindIsShownButTheResult(t *testing.T) {
	for name, quoted := range constants(t, "../event.go", "Kind") {
		e := deploy.Event{Kind: deploy.Kind(quoted[1 : len(quoted)-1]), LB: "edge1", Phase: deploy.Drained, Detail: "x"}
		if e.Kind == deploy.KindHost {
			e.Host = "web1"
		}
		if _, stderr := play(Options{}, []deploy.Event{e}, nil); (stderr == "") != (name == "KindResult") {
			t.Errorf("%s: %q", name, stderr)
		}
	}
}

func TestAWordFromALaterEngineIsNotLost(t *testing.T) {
	_, stderr := play(Options{}, []deploy.Event{host(0, "web1", "warming", "cache", 900), {Kind: "note", Detail: "hello"}}, nil)
	wantText(t, "stderr", stderr, "web1  warming    cache  0.9s\nfleet  note       hello\n")
}
