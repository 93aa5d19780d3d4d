package cli

import (
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/lb"
	"github.com/flipdeploy/flipdeploy/remote/proc"
)

// codesInSource are all that a person can meet: those that are written, and those that
// are made of a reason or a verdict.
func codesInSource(t *testing.T) (all []string) {
	t.Helper()
	for _, s := range product(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				all = append(all, anyCode.FindAllString(lit.Value, -1)...)
			}
			return true
		})
	}
	all = slices.DeleteFunc(all, func(c string) bool { return strings.HasSuffix(c, "-") })
	for _, reason := range constantsOf(t, "lb", "Reason", "") {
		all = append(all, (&lb.RefusedError{Reason: reason}).Code())
	}
	for _, verdict := range constantsOf(t, "remote/proc", "", "Verdict") {
		all = append(all, (&proc.TakeoverError{Verdict: proc.Verdict(verdict)}).Code())
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// constantsOf are the values of the exported string constants of a package whose name
// begins with prefix, or whose type is typ.
func constantsOf(t *testing.T, pkg, prefix, typ string) (values []string) {
	t.Helper()
	for _, s := range product(t) {
		if !strings.HasPrefix(s.path, pkg+"/") || strings.Contains(s.path[len(pkg)+1:], "/") {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 || !v.Names[0].IsExported() {
				return true
			}
			id, typed := v.Type.(*ast.Ident)
			value, isText := text(v.Values[0])
			if isText && (typ == "" && strings.HasPrefix(v.Names[0].Name, prefix) || typ != "" && typed && id.Name == typ) {
				values = append(values, value)
			}
			return true
		})
	}
	if len(values) < 3 {
		t.Fatalf("%s: only %q", pkg, values)
	}
	return values
}

func TestEveryCodeIsExplainedAndNoOther(t *testing.T) {
	all, err := meanings()
	if err != nil {
		t.Fatal(err)
	}
	source := codesInSource(t)
	if len(source) < 150 {
		t.Errorf("only %d codes found", len(source))
	}
	for _, code := range source {
		if _, ok := all[code]; !ok {
			t.Errorf("codes.json has no %s", code)
		}
	}
	for code, m := range all {
		if !slices.Contains(source, code) {
			t.Errorf("codes.json has %s, and nothing says it", code)
		}
		for _, said := range []string{m.Means, m.Why, m.Do} {
			if len(said) < 10 || len(said) > 200 || !strings.HasSuffix(said, ".") || strings.ContainsAny(said, "\n`") {
				t.Errorf("%s: %q is no short sentence", code, said)
			}
		}
	}
	order := regexp.MustCompile(`(?m)^  "(.*)": \{$`).FindAllStringSubmatch(string(codesFile), -1)
	if !slices.IsSortedFunc(order, func(a, b []string) int { return strings.Compare(a[1], b[1]) }) {
		t.Error("codes.json is not in the order of the alphabet")
	}
}

// What it tells a person to type is there.
func TestExplanationsNameWhatIsThere(t *testing.T) {
	var names, flags []string
	for _, c := range commands(t) {
		names = append(names, c.Name)
		for _, f := range c.Flags {
			flags = append(flags, asWritten(f)...)
		}
	}
	text := string(codesFile)
	for _, m := range regexp.MustCompile(`\bflipdeploy ([a-z]+)`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(append(names, "help"), m[1]) {
			t.Errorf("there is no command %q", m[0])
		}
	}
	for _, flag := range second(flagWord, text) {
		if !slices.Contains(flags, flag) {
			t.Errorf("no command has the flag %s", flag)
		}
	}
}

func TestExplainKnowsACodeHoweverItIsWritten(t *testing.T) {
	want := `FD-PAUSED

  means  The rollout stopped after the hosts in hand, as it was asked to.
  why    flipdeploy pause.
  do     flipdeploy resume goes on, flipdeploy rollback goes back.
`
	for _, word := range []string{"FD-PAUSED", "fd-paused", "[FD-PAUSED]", "paused"} {
		if got := flipdeploy(t, "explain", word); got != (ending{0, want, ""}) {
			t.Errorf("%s: %+v", word, got)
		}
	}
}
