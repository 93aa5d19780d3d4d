package main

import (
	"bufio"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"flipdeploy": main})
}

// TestScripts pins the words of the command line. The folder is walked, so that no
// script can be forgotten. UPDATE_SCRIPTS=1 writes what `cmp` got into the scripts.
func TestScripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts in testdata/script")
	}
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			here, err := os.Getwd()
			env.Setenv("REPO", here)
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"ends": ends, "says": says, "result": result, "sshkey": sshkey,
		},
	})
}

// ends runs a program that must end with one exit code, not just any but 0:
// ends 2 flipdeploy rollot
func ends(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: ends CODE PROGRAM [ARG...]")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%s: %v", args[1], err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// says holds when stderr is one error and its hint, and stdout is empty:
// says FD-USAGE 'unknown flag --nope' 'see "flipdeploy help"'
func says(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: says CODE TEXT HINT")
	}
	want := fmt.Sprintf("flipdeploy: %s [%s]\nflipdeploy: hint: %s\n", args[1], args[0], args[2])
	if got := ts.ReadFile("stderr"); got != want {
		ts.Fatalf("stderr is\n%swant\n%s", got, want)
	}
	if got := ts.ReadFile("stdout"); got != "" {
		ts.Fatalf("stdout is not empty:\n%s", got)
	}
}

// result holds when stdout is NDJSON with a result as its last line that has all
// the given fields: result outcome=refused exit=2 code=FD-USAGE
func result(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: result KEY=VALUE...")
	}
	var last map[string]any
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile("stdout")))
	for lines.Scan() {
		last = nil
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			ts.Fatalf("stdout has a line that is not JSON: %s", lines.Text())
		}
	}
	for _, arg := range append(args, "kind=result") {
		key, want, _ := strings.Cut(arg, "=")
		if got := fmt.Sprint(last[key]); got != want {
			ts.Fatalf("%s is %q, want %q, in the last line of stdout", key, got, want)
		}
	}
}

// sshkey makes a new private key: sshkey FILE
func sshkey(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: sshkey FILE")
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	ts.Check(err)
	block, err := ssh.MarshalPrivateKey(private, "")
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pem.EncodeToMemory(block), 0o600))
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
		// what is kept in etcd is kept in the words of deploy/state, and by no library
		"deploy/state/etcd": {"remote", "lb", "deploy/cli", "deploy/inventory", "deploy/ui", "deploy/health", "go.etcd.io", "google.golang.org", "github.com/"},
		"deploy/ui":         {"remote", "lb", "deploy/"},
		"remote":            {"deploy", "lb"},
		"remote/proc":       {"deploy", "lb"},
		"remote/site":       {"deploy", "lb"},
		"lb":                {"deploy", "remote"},
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

// breaks: own is an import without our module's path, imp with it; they are the
// same for packages of others.
func breaks(own, imp, rule, room string) bool {
	ours := own != imp
	switch {
	case own == room:
		return false
	case strings.HasSuffix(rule, "/"):
		return strings.HasPrefix(own, rule) && (ours || strings.Contains(rule, "."))
	case strings.Contains(rule, "."):
		return !ours && (own == rule || strings.HasPrefix(own, rule+"/"))
	case ours:
		return own == rule || strings.HasPrefix(own, rule+"/")
	}
	return own == rule
}

// TestTheWallCanBreak: a rule that never bites would go unnoticed.
func TestTheWallCanBreak(t *testing.T) {
	const module = "github.com/flipdeploy/flipdeploy/"
	for _, c := range []struct {
		imp, rule string
		want      bool
	}{
		{module + "remote", "remote", true},
		{module + "remote/site", "remote", true},
		{module + "deploy", "deploy", true},
		{module + "deploy/ui", "deploy", true},
		{module + "deploy/ui", "deploy/", true},
		{module + "deploy", "deploy/", false},
		{module + "lb", "remote", false},
		{module + "deploy", "github.com/", false},
		{"github.com/urfave/cli/v2", "github.com/", true},
		{"golang.org/x/crypto/ssh", "golang.org/x/crypto", true},
		{"net", "net", true},
		{"net/netip", "net", false},
		{"net/http", "net/http", true},
	} {
		own := strings.TrimPrefix(c.imp, module)
		if got := breaks(own, c.imp, c.rule, "a room"); got != c.want {
			t.Errorf("import of %s under the rule %s: breaks it = %v", c.imp, c.rule, got)
		}
	}
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
