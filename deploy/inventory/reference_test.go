package inventory

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const reference = "../../docs/inventory.md"

const referenceHead = `# The inventory, key by key

Made from the program itself and from the comments of [inventory.example.toml](../inventory.example.toml); a test fails where it is
not what they say. To write it anew: ` + "`go test ./deploy/inventory -run Reference -update`" + `.

One app a file. Unknown keys are errors, with line, column and the nearest known key; all faults are told at once. Durations are
"500ms", "30s", "1m30s". Relative paths are relative to the file, ~/ is your home.
`

// The page for users says of every key what the program does.
func TestReferenceIsWhatTheProgramReads(t *testing.T) {
	want := referenceHead
	reads, says := readers(t), comments(t)
	for _, s := range schema {
		switch s.kind {
		case table:
			want += fmt.Sprintf("\n## [%s]\n\n| key | value | default | is |\n|---|---|---|---|\n", s.key)
		case tables:
			want += fmt.Sprintf("\n## [[%s]]\n\n| key | value | default | is |\n|---|---|---|---|\n", s.key)
		default:
			want += row(t, s, reads[s.key], says)
		}
	}
	if *update {
		if err := os.WriteFile(reference, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(reference)
	if err != nil || string(got) != want {
		t.Errorf("docs/inventory.md is not what the program reads: go test ./deploy/inventory -run Reference -update (%v)", err)
	}
}

var (
	saysDefault = regexp.MustCompile(`(?:^|[;.] )[Dd]efault:? (.+)$`)
	firstWord   = regexp.MustCompile(`^(needed|example)([;,] |$)`)
)

// row is one key's line.
func row(t *testing.T, s spec, r reader, says map[string]string) string {
	t.Helper()
	_, name, _ := strings.Cut(s.key, ".")
	name = name[strings.LastIndexByte(name, '.')+1:]
	is := says[s.key]
	if inherited, yes := strings.CutPrefix(name, "ssh_"); yes {
		is, r.byDefault = "as `ssh."+inherited+"`, for this machine alone", "`ssh."+inherited+"`"
	}
	if said := saysDefault.FindStringSubmatchIndex(is); said != nil {
		if r.byDefault == "" {
			r.byDefault = is[said[2]:said[3]]
		}
		is = is[:said[0]]
	}
	m := firstWord.FindString(is)
	switch is = strings.TrimPrefix(is, m); {
	case strings.HasPrefix(m, "needed"):
		r.byDefault = "needed"
	case m == "" && r.byDefault == "": // what the example then has
		r.byDefault = says["default "+s.key]
	}
	if is == "" {
		t.Errorf("%s: the example does not say what it is", s.key)
	}
	value := wants[s.kind]
	if s.kind == duration {
		value = "a duration"
	}
	if r.allowed != "" {
		value = r.allowed
	}
	if s.env && !strings.Contains(is, "${env:NAME}") {
		is = strings.TrimPrefix(is+". ${env:NAME} is expanded", ". ")
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, value, cmp.Or(r.byDefault, "–"), strings.ReplaceAll(is, "|", `\|`))
}

// comments are what the example says of each key; the first time counts.
func comments(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	says, in := map[string]string{}, ""
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "[") || strings.HasPrefix(line, "# [") {
			in = strings.Trim(strings.TrimSpace(line), "# []")
		}
		m := keyLine.FindStringSubmatch(line)
		if m == nil || says[in+"."+m[2]] != "" {
			continue
		}
		value, comment, _ := strings.Cut(strings.TrimPrefix(line, "# "), " # ")
		if m[1] == "" {
			_, value, _ = strings.Cut(value, "=")
			says["default "+in+"."+m[2]] = strings.Trim(strings.TrimSpace(value), `"[]`)
		}
		says[in+"."+m[2]] = strings.TrimSpace(comment)
	}
	return says
}

// A reader is how the program reads a key.
type reader struct{ allowed, byDefault string }

// readers are the calls that read keys, s.num("keep", 5, 1, 10000) for one, wherever
// they stand in this package.
func readers(t *testing.T) map[string]reader {
	t.Helper()
	all := map[string]reader{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, is := d.(*ast.FuncDecl); is && fn.Body != nil {
				readersIn(fn, all)
			}
		}
	}
	if len(all) < 40 {
		t.Fatalf("only %d readers found", len(all))
	}
	return all
}

// readersIn finds those of one function: it makes its section, or is named for it.
func readersIn(fn *ast.FuncDecl, all map[string]reader) {
	in := map[string]string{"lb": "lb", "hosts": "host", "artifact": "app"}[fn.Name.Name]
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		call, is := n.(*ast.CallExpr)
		if !is || len(call.Args) == 0 {
			return true
		}
		sel, is := call.Fun.(*ast.SelectorExpr)
		key, isText := literal(call.Args[0])
		switch {
		case !is || !isText:
		case sel.Sel.Name == "section" && in == "":
			in = key
		case in != "" && specs[in+"."+key].key != "":
			if r, reads := readerOf(sel.Sel.Name, call.Args[1:]); reads {
				all[in+"."+key] = r
			}
		}
		return true
	})
}

// readerOf is what a call of an accessor says: s.word("via", "lb", "lb", "host", "auto").
func readerOf(accessor string, args []ast.Expr) (reader, bool) {
	switch accessor {
	case "word":
		byDefault, _ := literal(args[0])
		var known []string
		for _, a := range args[1:] {
			if w, is := literal(a); is {
				known = append(known, ticked(w))
			} else if name, is := a.(*ast.Ident); is && name.Name == "signals" {
				for _, w := range signals {
					known = append(known, ticked(w))
				}
			} else {
				known = []string{"[a preset](../README.md)"} // too many for a cell
			}
		}
		return reader{strings.Join(known, ", "), ticked(byDefault)}, true
	case "str":
		byDefault, _ := literal(args[0])
		return reader{byDefault: ticked(byDefault)}, true
	case "num":
		return reader{fmt.Sprintf("%s to %s", source(args[1]), source(args[2])), source(args[0])}, true
	case "dur":
		return reader{byDefault: ticked(source(args[0]))}, true
	case "port":
		return reader{"a port", strings.TrimPrefix(source(args[0]), "0")}, true
	case "amount", "flag", "statuses":
		return reader{byDefault: source(args[0])}, true
	}
	return reader{}, false
}

func ticked(word string) string {
	if word == "" {
		return ""
	}
	return "`" + word + "`"
}

func literal(e ast.Expr) (string, bool) {
	lit, is := e.(*ast.BasicLit)
	if !is || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

var units = map[string]time.Duration{"Millisecond": time.Millisecond, "Second": time.Second, "Minute": time.Minute}

// source is a default as an inventory would have it, "" where it depends on others.
func source(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Value
	case *ast.Ident:
		if slices.Contains([]string{"true", "false"}, e.Name) {
			return e.Name
		}
	case *ast.SelectorExpr:
		if unit := units[e.Sel.Name]; unit > 0 {
			return short(unit)
		}
	case *ast.BinaryExpr:
		n, err := strconv.Atoi(source(e.X))
		if unit, is := e.Y.(*ast.SelectorExpr); is && err == nil {
			return short(time.Duration(n) * units[unit.Sel.Name])
		}
	case *ast.CompositeLit: // Amount{N: 1}, []int{200}
		if len(e.Elts) == 0 {
			return ""
		}
		if kv, is := e.Elts[0].(*ast.KeyValueExpr); is {
			return source(kv.Value)
		}
		return source(e.Elts[0])
	}
	return ""
}

// short is 5m and 1m30s.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}
