package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A fake flipdeploy on PATH takes a note when it is called.
const fakeFlipdeploy = "#!/bin/sh\necho \"$*\" >>\"$0.called\"\n"

// inBash is what bash offers after the words of a line, the last of which is unfinished.
func inBash(t *testing.T, words ...string) (offered []string) {
	t.Helper()
	dir := t.TempDir()
	fake := filepath.Join(dir, "flipdeploy")
	script := flipdeploy(t, "completion", "bash").stdout + fmt.Sprintf("COMP_WORDS=(flipdeploy %s)\nCOMP_CWORD=%d\n_flipdeploy\nprintf '%%s\\n' \"${COMPREPLY[@]}\"\n",
		strings.Join(words, " "), len(words))
	for name, text := range map[string]string{fake: fakeFlipdeploy, filepath.Join(dir, "fleet.toml"): ""} {
		if err := os.WriteFile(name, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	run := exec.Command("bash", "--norc", "-c", script)
	run.Dir, run.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	said, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if called, err := os.ReadFile(fake + ".called"); err == nil {
		t.Fatalf("%q: flipdeploy was called: %s", words, called)
	}
	return strings.Fields(string(said))
}

func TestBashCompletes(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"ro", "rollout rollback"},
		{"explain FD-FEN", "FD-FENCE-BROKEN FD-FENCE-UNREADABLE FD-FENCED"},
		{"completion ''", "--inventory -i --json --quiet -q --verbose -v --no-color --help -h bash zsh fish"},
		{"rollout --on-failure ''", "rollback pause continue"},
		{"rollout --on-failure = p", "pause"},
		{"-i fleet.toml rollout --max", "--max-failures"},
		{"--inventory = fleet.toml rollback --over", "--override-freeze"},
		{"rollout --json = true --unf", "--unfinished"},
		{"rollout --parallel ''", ""},
		{"rollout -i fle", "fleet.toml"},
		{"rollout --artifact = fle", "fleet.toml"},
		{"help res", "resume restart"},
		{"drain x", ""},
	} {
		if got := inBash(t, strings.Fields(c.typed)...); strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", c.typed, got, c.want)
		}
	}
}

func TestBashCompletesEveryCommandAndFlag(t *testing.T) {
	names := inBash(t, "''")
	for _, c := range commands(t) {
		if !slices.Contains(names, c.Name) {
			t.Errorf("%s is not offered", c.Name)
		}
		flags := inBash(t, c.Name, "-")
		for _, f := range c.Flags {
			for _, name := range asWritten(f) {
				if !slices.Contains(flags, name) {
					t.Errorf("%s %s is not offered", c.Name, name)
				}
			}
		}
	}
}

// The others are read by their shells where those are there; what they offer is looked for everywhere.
func TestZshAndFishScripts(t *testing.T) {
	for shell, words := range map[string][]string{
		"zsh": {"#compdef flipdeploy", "'rollout:replace the release on every host, a few at a time'", "'--parallel:hosts out at once, N or P%'",
			"(--on-failure) compadd -- rollback pause continue && return ;;", "compadd -- bash zsh fish"},
		"fish": {"-a 'rollout' -d 'replace the release on every host, a few at a time'", "-l parallel -r -d 'hosts out at once, `N` or P%'",
			"complete -c flipdeploy -l on-failure -x -a 'rollback pause continue'", "__fish_seen_subcommand_from completion' -f -a 'bash zsh fish'"},
	} {
		got := flipdeploy(t, "completion", shell)
		if got.code != 0 || got.stderr != "" {
			t.Errorf("%s: %+v", shell, got)
		}
		for _, w := range words {
			if !strings.Contains(got.stdout, w) {
				t.Errorf("%s has no %s", shell, w)
			}
		}
		readBy(t, shell, got.stdout)
	}
}

func readBy(t *testing.T, shell, script string) {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Logf("%s is not installed: its script is not read by it", shell)
		return
	}
	run := exec.Command(path, "-n")
	run.Stdin = strings.NewReader(script)
	if said, err := run.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("%s does not understand it: %v\n%s", shell, err, said)
	}
}

func TestTheManualHasEveryCommandAndItsFlags(t *testing.T) {
	got := flipdeploy(t, "man")
	if got.code != 0 || got.stderr != "" || !strings.HasPrefix(got.stdout, ".nh\n.TH flipdeploy 1\n") {
		t.Fatalf("%+v", got)
	}
	for _, c := range commands(t) {
		if !strings.Contains(got.stdout, "\n.SH "+c.Name+"\n") {
			t.Errorf("no section of %s", c.Name)
		}
	}
	codes := "0 done, nothing; 1 refused; 2 wrong usage or inventory; 3 paused; 4 stuck; 5 locked; 6 unfinished; 7 rolled back; 130 interrupted"
	if !strings.Contains(got.stdout, codes) {
		t.Errorf("the exit codes are not told: %s", codes)
	}
}
