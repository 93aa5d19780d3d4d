package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
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

// What stands behind # in the file is the default that holds without it.
func TestInitShowsTheDefaults(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	text := emptyDraft().text()
	bare, err := inventory.Parse([]byte(text), "inventory.toml")
	if err != nil {
		t.Fatal(err)
	}
	const examples = `^# (user|identity_file|sudo|artifact|master_socket) = ` // which depend on who asks, or have none
	shown := 0
	var lines []string
	for line := range strings.Lines(text) {
		if key := regexp.MustCompile(`^# [a-z_]+ = `); key.MatchString(line) && !regexp.MustCompile(examples).MatchString(line) {
			line = strings.TrimPrefix(line, "# ")
			shown++
		}
		lines = append(lines, line)
	}
	full, err := inventory.Parse([]byte(strings.Join(lines, "")), "inventory.toml")
	if err != nil || shown < 8 {
		t.Fatalf("%d keys: %v", shown, err)
	}
	if fmt.Sprint(*bare) != fmt.Sprint(*full) {
		t.Errorf("got\n%+v\nwant\n%+v", *full, *bare)
	}
}

// Whatever stands in a configuration, or is a file's name, no byte of it ends a comment
// or a string, or paints a terminal.
func TestInitTakesNoBytesThatMislead(t *testing.T) {
	t.Chdir(t.TempDir())
	evil := "e\x1b[31m\n[app]\rname = 1"
	for _, c := range []struct{ flag, text string }{
		{"--from-nginx", "upstream shop { server 10.0.0.1:80; server \"unix:" + evil + "\"; server '10.0.0.2\n[[host]]:80'; server \"" + evil + "\"; }"},
		{"--from-haproxy", "backend shop\n server a 10.0.0.1:80 check\n server \"b\\\"]\" 10.0.0.2:80 check\n server \x1b[31m unix@/x\n server \u202ex 10.0.0.3:80\n option httpchk GET /\x1b[31m\n"},
	} {
		writeUnder(t, evil, c.text)
		got := flipdeploy(t, "init", "-i", "i"+c.flag+".toml", c.flag, evil)
		if got.code != 0 {
			t.Fatalf("%s: %+v", c.flag, got)
		}
		text := read(t, "i"+c.flag+".toml")
		if strings.ContainsAny(got.stdout+got.stderr+text, "\x1b\r\u202e") {
			t.Errorf("%s: %q\n%q\n%q", c.flag, got.stdout, got.stderr, text)
		}
		inv, err := inventory.Load("i" + c.flag + ".toml")
		if err != nil || inv.App.Name != "shop" || len(inv.Hosts) > 3 {
			t.Errorf("%s: %+v, %v", c.flag, inv, err)
		}
	}
}

// Of many that write at once one does, and nobody sees half a file.
func TestInitWritesOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	errs := make(chan error)
	text := strings.Repeat("whole\n", 10000)
	for range 8 {
		go func() { errs <- writeNew("inventory.toml", text) }()
	}
	wrote := 0
	for range 8 {
		switch err := <-errs; {
		case err == nil:
			wrote++
		case err.Error() != "inventory.toml: is there already, and stays as it is":
			t.Error(err)
		}
	}
	left, _ := os.ReadDir(".")
	if wrote != 1 || len(left) != 1 || read(t, "inventory.toml") != text {
		t.Errorf("%d wrote, %d files are left", wrote, len(left))
	}
	if err := os.Symlink("nowhere", "link.toml"); err != nil {
		t.Fatal(err)
	}
	if err := vacant("link.toml"); err == nil || writeNew("link.toml", "x") == nil {
		t.Error("it writes through a link")
	}
}

func TestStretches(t *testing.T) {
	host := func(name, address string) draftHost { return draftHost{name: name, address: address} }
	for want, hosts := range map[string][]draftHost{
		"web[1:3] 10.0.0.[1:3]":                       {host("web1", "10.0.0.1"), host("web2", "10.0.0.2"), host("web3", "10.0.0.3")},
		"web[08:10] 10.0.0.[8:10]":                    {host("web08", "10.0.0.8"), host("web09", "10.0.0.9"), host("web10", "10.0.0.10")},
		"web[1:3] web[1:3].lan":                       {host("web1", "web1.lan"), host("web2", "web2.lan"), host("web3", "web3.lan")},
		"web1 10.0.0.1, web2 10.0.0.2":                {host("web1", "10.0.0.1"), host("web2", "10.0.0.2")},
		"web1 10.0.0.1, web2 10.0.0.3, web3 10.0.0.5": {host("web1", "10.0.0.1"), host("web2", "10.0.0.3"), host("web3", "10.0.0.5")},
		"a 10.0.0.1, b 10.0.0.2, c 10.0.0.3":          {host("a", "10.0.0.1"), host("b", "10.0.0.2"), host("c", "10.0.0.3")},
		"w9 fd00::1, w10 fd00::2, w11 fd00::3":        {host("w9", "fd00::1"), host("w10", "fd00::2"), host("w11", "fd00::3")},
		"w09 10.0.0.9, w10 10.0.0.10, w011 10.0.0.11": {host("w09", "10.0.0.9"), host("w10", "10.0.0.10"), host("w011", "10.0.0.11")},
	} {
		var is []string
		for _, s := range stretches(hosts) {
			is = append(is, s.name+" "+s.address)
		}
		if got := strings.Join(is, ", "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
