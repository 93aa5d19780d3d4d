package cli

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A source is one Go file of the product, parsed.
type source struct {
	path string
	file *ast.File
	set  *token.FileSet
}

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.set.Position(n.Pos()).Line)
}

// product is all of it: no tests, nothing that only tests use.
func product(t *testing.T) []source {
	t.Helper()
	var all []source
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"testdata", "scripts", "lbtest", "remotetest", "statetest", ".git", ".cache", "dist"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		rel, _ := filepath.Rel(root, path)
		all = append(all, source{path: rel, file: f, set: set})
		return err
	})
	if err != nil || len(all) < 50 {
		t.Fatalf("found %d files: %v", len(all), err)
	}
	return all
}

// text is a string literal's, or that of literals joined by +, with … for the rest.
func text(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			s, err := strconv.Unquote(e.Value)
			return s, err == nil
		}
	case *ast.BinaryExpr:
		x, okX := text(e.X)
		y, okY := text(e.Y)
		if e.Op == token.ADD && (okX || okY) {
			return or(x, "…") + or(y, "…"), true
		}
	}
	return "", false
}

func isCode(e ast.Expr) bool {
	s, ok := text(e)
	return ok && wholeCode.MatchString(s)
}

var (
	anyCode   = regexp.MustCompile(`\bFD-[A-Za-z0-9_-]*`)
	wholeCode = regexp.MustCompile(`^FD-[A-Z0-9-]+$`)
	goodCode  = regexp.MustCompile(`^FD(-[A-Z0-9]+)+-?$`) // a trailing dash: the rest is added
)

// A code is what a person searches for and a script compares: one alphabet.
func TestEveryCodeIsWrittenAlike(t *testing.T) {
	seen := 0
	for _, s := range product(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			for _, code := range anyCode.FindAllString(lit.Value, -1) {
				seen++
				if !goodCode.MatchString(code) {
					t.Errorf("%s: %q is no code like FD-DRAIN-TIMEOUT", s.at(n), code)
				}
			}
			return true
		})
	}
	if seen < 100 {
		t.Errorf("only %d codes found", seen)
	}
}

// Whoever has a code has a hint: an error without a way out is half an error.
func TestWhatHasACodeHasAHint(t *testing.T) {
	methods := map[string]map[string]string{} // package and type: method: where
	for _, s := range product(t) {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil {
				continue
			}
			key := filepath.Dir(s.path) + " " + receiver(f)
			if methods[key] == nil {
				methods[key] = map[string]string{}
			}
			methods[key][f.Name.Name] = s.at(f)
		}
	}
	errs := 0
	for key, has := range methods {
		if has["Code"] == "" || has["Error"] == "" {
			continue
		}
		errs++
		if has["Hint"] == "" {
			t.Errorf("%s: %s has Code and no Hint", has["Code"], key)
		}
	}
	if errs < 10 {
		t.Errorf("only %d error types with a code found", errs)
	}
}

func receiver(f *ast.FuncDecl) string {
	e := f.Recv.List[0].Type
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// Where code and hint are written side by side, the hint is not empty: in a literal
// (Code_: …, Hint_: …), in a call of a function with parameters code and hint, and in
// a return of both.
func TestNoHintIsEmpty(t *testing.T) {
	sources := product(t)
	params := hintParams(sources)
	seen := 0
	for _, s := range sources {
		ast.Inspect(s.file, func(n ast.Node) bool {
			code, hint, both := pair(n, filepath.Dir(s.path), params)
			if !both || !isCode(code) {
				return true
			}
			seen++
			if said, _ := text(code); hint == nil && said != "FD-INTERRUPTED" { // Outcome.Next has its next step
				t.Errorf("%s: an error with a code and no hint", s.at(n))
			} else if h, ok := text(hint); ok && strings.TrimSpace(h) == "" {
				t.Errorf("%s: the hint is empty", s.at(n))
			}
			return true
		})
	}
	if seen < 40 {
		t.Errorf("only %d pairs of code and hint found", seen)
	}
}

// hintParams are the places of code and hint among a function's parameters.
func hintParams(sources []source) map[string][2]int {
	all := map[string][2]int{}
	for _, s := range sources {
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			var order []string
			for _, p := range f.Type.Params.List {
				for _, name := range p.Names {
					order = append(order, name.Name)
				}
			}
			if c, h := slices.Index(order, "code"), slices.Index(order, "hint"); c >= 0 && h >= 0 {
				all[filepath.Dir(s.path)+" "+f.Name.Name] = [2]int{c, h}
			}
		}
	}
	return all
}

func pair(n ast.Node, dir string, params map[string][2]int) (code, hint ast.Expr, both bool) {
	switch n := n.(type) {
	case *ast.CompositeLit:
		code, hint = field(n, "code"), field(n, "hint")
		return code, hint, code != nil && isError(n)
	case *ast.CallExpr:
		at, ok := params[dir+" "+called(n)]
		if !ok || len(n.Args) <= max(at[0], at[1]) {
			return nil, nil, false
		}
		return n.Args[at[0]], n.Args[at[1]], true
	case *ast.ReturnStmt:
		if len(n.Results) == 2 {
			_, ok := text(n.Results[1])
			return n.Results[0], n.Results[1], ok
		}
	}
	return nil, nil, false
}

// isError: a Fault or …Error; events and results carry codes of errors told elsewhere.
func isError(n *ast.CompositeLit) bool {
	name := ""
	switch e := n.Type.(type) {
	case *ast.Ident:
		name = e.Name
	case *ast.SelectorExpr:
		name = e.Sel.Name
	}
	return strings.EqualFold(name, "fault") || strings.HasSuffix(name, "Error")
}

func called(n *ast.CallExpr) string {
	switch f := n.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// field is that of a literal whose name is name, whatever its case and underscores.
func field(n *ast.CompositeLit, name string) ast.Expr {
	for _, e := range n.Elts {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		if id, ok := kv.Key.(*ast.Ident); ok && strings.EqualFold(strings.Trim(id.Name, "_"), name) {
			return kv.Value
		}
	}
	return nil
}

// contract are all commands that there will ever be, as far as is known.
const contract = "init doctor plan rollout rollback restart resume abandon pause status history show report " +
	"drain ready lock unlock trust explain completion man version"

// later are those that hints name and that are not there yet: dead ends until then.
var later = strings.Fields("")

var namedCommand = regexp.MustCompile(`\bflipdeploy (` + strings.ReplaceAll(contract, " ", "|") + `)\b`)

// A hint that names a command which is not there is no way out.
func TestHintsNameCommandsThatExist(t *testing.T) {
	var known []string
	for _, c := range commands(t) {
		known = append(known, c.Name)
	}
	missing := map[string]bool{}
	for _, s := range product(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			for _, m := range namedCommand.FindAllStringSubmatch(lit.Value, -1) {
				missing[m[1]] = missing[m[1]] || !slices.Contains(known, m[1])
				if missing[m[1]] && !slices.Contains(later, m[1]) {
					t.Errorf("%s: there is no command %q: %s", s.at(n), m[0], lit.Value)
				}
			}
			return true
		})
	}
	for _, name := range later {
		if slices.Contains(known, name) {
			t.Errorf("%q is there: take it out of the list", name)
		}
	}
}
