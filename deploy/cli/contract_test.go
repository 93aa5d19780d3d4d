package cli

import (
	"fmt"
	"go/ast"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	ucli "github.com/urfave/cli/v2"
)

// tableOf is the rows of the README's table whose header begins with first.
func tableOf(t *testing.T, first string) [][]string {
	t.Helper()
	text, _ := readme(t)
	var rows [][]string
	inside := false
	for _, line := range strings.Split(text, "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !strings.HasPrefix(line, "|"):
			inside = false
		case cells[0] == first:
			inside = true
		case inside && !strings.HasPrefix(line, "|---"):
			rows = append(rows, cells)
		}
	}
	if len(rows) < 3 {
		t.Fatalf("README.md has %d rows in a table of %q", len(rows), first)
	}
	return rows
}

var word = regexp.MustCompile("`([^`]+)`")

// ticked are the words in backticks.
func ticked(cell string) []string { return second(word, cell) }

// sameWords: what the README lists is what the code has.
func sameWords(t *testing.T, what string, readme, code []string) {
	t.Helper()
	for _, w := range code {
		if !slices.Contains(readme, w) {
			t.Errorf("%s: README.md has no %q", what, w)
		}
	}
	for i, w := range readme {
		if !slices.Contains(code, w) {
			t.Errorf("%s: README.md has %q, and the code does not", what, w)
		}
		if slices.Contains(readme[:i], w) {
			t.Errorf("%s: README.md has %q twice", what, w)
		}
	}
}

// holds: words that scripts use already, and that therefore never go.
func holds(t *testing.T, what string, list []string, fixed string) {
	t.Helper()
	for _, w := range strings.Fields(fixed) {
		if !slices.Contains(list, w) {
			t.Errorf("%s: %q is gone, and scripts use it", what, w)
		}
	}
}

// constants are the values of a named string type of package deploy.
func constants(t *testing.T, typ string) (values []string) {
	t.Helper()
	for _, s := range product(t) {
		if filepath.Dir(s.path) != "deploy" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			v, ok := n.(*ast.ValueSpec)
			if !ok || len(v.Values) != 1 {
				return true
			}
			if id, named := v.Type.(*ast.Ident); named && id.Name == typ {
				value, _ := text(v.Values[0])
				values = append(values, value)
			}
			return true
		})
	}
	if len(values) < 3 {
		t.Fatalf("%d constants of the type %s", len(values), typ)
	}
	return values
}

func TestContractOfExitCodes(t *testing.T) {
	codes := map[string][]int{}
	var order []int
	for _, row := range tableOf(t, "code") {
		code, err := strconv.Atoi(row[0])
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, code)
		for _, o := range ticked(row[1]) {
			codes[o] = append(codes[o], code)
		}
	}
	if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 130}; !slices.Equal(order, want) {
		t.Errorf("the table has the codes %v, want %v", order, want)
	}
	ends := slices.DeleteFunc(constants(t, "Outcome"), func(o string) bool { return o == string(deploy.Abandoned) }) // of the past
	sameWords(t, "outcomes", slices.Sorted(maps.Keys(codes)), ends)
	for o, list := range codes {
		want := []int{deploy.Outcome(o).Exit()}
		if o == string(deploy.OutcomeRefused) { // of the command line and the inventory
			want = append(want, refused(usage("x")).Exit)
		}
		if !slices.Equal(list, want) {
			t.Errorf("%s: README.md says %v, the code %v", o, list, want)
		}
	}
}

func TestContractOfCommands(t *testing.T) {
	var named []string
	rows := map[string]string{}
	for _, row := range tableOf(t, "command") {
		name := ticked(row[0])[0]
		named, rows[name] = append(named, name), row[1]
	}
	all := commands(t)
	var there []string
	for _, c := range all {
		there = append(there, c.Name)
	}
	sameWords(t, "commands", named, there)
	for _, c := range all {
		row := rows[c.Name]
		switch c.Name { // told by those of rollout
		case "plan":
			row = regexp.MustCompile("`--(dry-run|plan)[^`]*`").ReplaceAllString(rows["rollout"], "") + row
		case "restart":
			row = regexp.MustCompile("`--(artifact|revision|limit-rate|dry-run|plan)[^`]*`").ReplaceAllString(rows["rollout"], "")
		}
		sameWords(t, "flags of "+c.Name, flagsIn(row), ownFlags(c))
	}
}

// flagsIn are the flags that a row names.
func flagsIn(row string) (named []string) {
	for _, w := range ticked(row) {
		if f, _, _ := strings.Cut(w, " "); strings.HasPrefix(f, "-") {
			named = append(named, f)
		}
	}
	return named
}

// ownFlags are a command's without those that all have.
func ownFlags(c *ucli.Command) (own []string) {
	for _, f := range c.Flags {
		if !slices.ContainsFunc(commonFlags(), func(g ucli.Flag) bool { return g.Names()[0] == f.Names()[0] }) {
			own = append(own, names(f)[0])
		}
	}
	return own
}

// Kind, phase and state are words of the code; the kinds of answers are written where
// they are given.
func TestContractOfWords(t *testing.T) {
	kinds := constants(t, "Kind")
	for _, s := range product(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			if sel, is := call.Fun.(*ast.SelectorExpr); is && sel.Sel.Name == "head" {
				if kind, literal := text(call.Args[0]); literal {
					kinds = append(kinds, kind)
				}
			}
			return true
		})
	}
	events, status := cellsOf(t, "event field"), cellsOf(t, "status field")
	sameWords(t, "kinds", ticked(events["kind"]), kinds)
	sameWords(t, "phases", ticked(events["phase"]), constants(t, "Phase"))
	sameWords(t, "states", ticked(status["hosts[].lbs[].state"]), constants(t, "State"))
	holds(t, "kinds", kinds, "plan host lb lock warning error result")
	holds(t, "states", constants(t, "State"), "ready drain maint down absent unknown")
	holds(t, "phases", constants(t, "Phase"), "pending staging staged draining drained flipping reloading verifying readying baking "+
		"done failed rolled_back stuck left_out unknown")
}

// cellsOf are a table's fields, each with what it is.
func cellsOf(t *testing.T, first string) map[string]string {
	t.Helper()
	cells := map[string]string{}
	for _, row := range tableOf(t, first) {
		for _, field := range ticked(row[0]) {
			if cells[field] != "" {
				t.Errorf("the table of %q has %q twice", first, field)
			}
			cells[field] = row[1]
		}
	}
	return cells
}

func fieldsOf(t *testing.T, first string) []string {
	return slices.Sorted(maps.Keys(cellsOf(t, first)))
}

func TestContractOfJSON(t *testing.T) {
	event, result, status := fieldsOf(t, "event field"), fieldsOf(t, "result field"), fieldsOf(t, "status field")
	sameWords(t, "event", event, jsonFields(reflect.TypeFor[deploy.Event](), ""))
	sameWords(t, "result", result, slices.DeleteFunc(jsonFields(reflect.TypeFor[deploy.Result](), ""), func(f string) bool { return f == "hosts.*" }))
	sameWords(t, "status", status, slices.DeleteFunc(jsonFields(reflect.TypeFor[fleetStatus](), ""), bare))
	holds(t, "event", event, "seq time rollout kind host phase lb detail elapsed_ms code hint")
	holds(t, "result", result, "kind outcome exit revision previous hosts hosts.*.phase hosts.*.release hosts.*.out_ms "+
		"min_serving_seen bytes_sent bytes_artifact elapsed_ms")
	holds(t, "status", status, "app lock unfinished hosts[].name hosts[].reachable hosts[].release hosts[].revision hosts[].running "+
		"hosts[].healthy hosts[].lbs[].lb hosts[].lbs[].state hosts[].lbs[].sessions hosts[].lbs[].owner")
}

// bare: a list of objects is told by their fields.
func bare(field string) bool {
	return slices.Contains([]string{"hosts", "hosts[]", "hosts[].lbs", "hosts[].lbs[]", "lbs", "lbs[]", "problems"}, field)
}

// jsonFields are the paths of all that a type becomes: a.b of objects, a[] of lists,
// a.* of maps.
func jsonFields(typ reflect.Type, at string) (all []string) {
	switch {
	case typ.Kind() == reflect.Pointer:
		return jsonFields(typ.Elem(), at)
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() != reflect.Uint8 && at != "evidence":
		return append([]string{at + "[]"}, jsonFields(typ.Elem(), at+"[]")...)
	case typ.Kind() == reflect.Map:
		return append([]string{at + ".*"}, jsonFields(typ.Elem(), at+".*")...)
	case typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]():
		return nil
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || !f.IsExported() && !f.Anonymous:
			continue
		case f.Anonymous && name == "":
			all = append(all, jsonFields(f.Type, at)...)
			continue
		case name == "":
			name = "?" + f.Name // a field that JSON would spell as Go does
		}
		path := strings.TrimPrefix(at+"."+name, ".")
		all = append(append(all, path), jsonFields(f.Type, path)...)
	}
	return all
}

// The tests above would be worth nothing if they could not see a difference.
func TestContractSeesADifference(t *testing.T) {
	type inner struct {
		A int `json:"a"`
	}
	type outer struct {
		inner
		B []inner          `json:"b"`
		C map[string]inner `json:"c,omitempty"`
		D *inner           `json:"d"`
		E time.Time        `json:"-"`
		F int
	}
	got := fmt.Sprint(jsonFields(reflect.TypeFor[outer](), ""))
	if want := "[a b b[] b[].a c c.* c.*.a d d.a ?F]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
