package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy/inventory"
	"github.com/rogpeppe/go-internal/txtar"
)

// TestInitProposesAnInventory: each shape is a configuration as people write them, and
// beside it what init makes of it. UPDATE_SCRIPTS=1 writes that.
func TestInitProposesAnInventory(t *testing.T) {
	shapes, err := filepath.Glob(filepath.Join(root, "testdata", "init", "*.txtar"))
	if err != nil || len(shapes) < 12 {
		t.Fatalf("%d shapes: %v", len(shapes), err)
	}
	for _, path := range shapes {
		path, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			is := proposed(t, a)
			if os.Getenv("UPDATE_SCRIPTS") != "" {
				a.Files = append(slices.DeleteFunc(a.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "want/") }), is...)
				if err := os.WriteFile(path, txtar.Format(a), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			wantFiles(t, is, a)
		})
	}
}

func wantFiles(t *testing.T, is []txtar.File, a *txtar.Archive) {
	t.Helper()
	var want []txtar.File
	for _, f := range a.Files {
		if strings.HasPrefix(f.Name, "want/") {
			want = append(want, f)
		}
	}
	if len(is) != len(want) {
		t.Fatalf("%d files, want %d", len(is), len(want))
	}
	for i := range is {
		if is[i].Name != want[i].Name || string(is[i].Data) != string(want[i].Data) {
			t.Errorf("%s:\n%s\nwant %s:\n%s", is[i].Name, is[i].Data, want[i].Name, want[i].Data)
		}
	}
}

// proposed runs init in a directory with the files of a shape. What was written loads.
func proposed(t *testing.T, a *txtar.Archive) []txtar.File {
	t.Helper()
	t.Chdir(t.TempDir())
	var args []string
	for _, f := range a.Files {
		switch {
		case f.Name == "args":
			args = strings.Fields(string(f.Data))
		case !strings.HasPrefix(f.Name, "want/"):
			writeUnder(t, f.Name, string(f.Data))
		}
	}
	got := flipdeploy(t, append([]string{"init"}, args...)...)
	all := []txtar.File{{Name: "want/stderr", Data: []byte(got.stderr)}, {Name: fmt.Sprintf("want/stdout %d", got.code), Data: []byte(got.stdout)}}
	if got.code != 0 {
		if _, err := os.Stat("inventory.toml"); err == nil {
			t.Error("an inventory was written all the same")
		}
		return all
	}
	inv, err := inventory.Load("inventory.toml")
	if err != nil {
		t.Fatalf("what was written does not load: %v\n%s", err, read(t, "inventory.toml"))
	}
	var hosts strings.Builder
	for _, h := range inv.Hosts {
		fmt.Fprintln(&hosts, h.Name, h.Address, h.Backends)
	}
	return append(all, txtar.File{Name: "want/inventory.toml", Data: []byte(read(t, "inventory.toml"))}, txtar.File{Name: "want/hosts", Data: []byte(hosts.String())})
}

func writeUnder(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a test's own
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
