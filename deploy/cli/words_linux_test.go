package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// onTerminal runs a command line whose output a person sees on a terminal of the
// kernel: all that it says, in the order in which it comes.
func onTerminal(t *testing.T, getenv func(string) string, args ...string) (code int, seen string) {
	t.Helper()
	person, tty := pty(t)
	text := make(chan string)
	go func() {
		var all []byte
		buf := make([]byte, 4096)
		for {
			n, err := person.Read(buf)
			all = append(all, buf[:n]...)
			if err != nil || strings.HasSuffix(string(all), "\x04over") {
				text <- string(all)
				return
			}
		}
	}()
	code = Main(context.Background(), Env{Args: append([]string{"flipdeploy"}, args...), Stdin: tty, Stdout: tty, Stderr: tty, Getenv: getenv})
	if _, err := tty.WriteString("\x04over"); err != nil {
		t.Fatal(err)
	}
	seen = strings.ReplaceAll(<-text, "\r\n", "\n")
	return code, strings.TrimSuffix(seen, "\x04over")
}

func xterm(name string) string {
	if name == "TERM" {
		return "xterm-256color"
	}
	return os.Getenv(name)
}

// A person at a terminal is told the same words as a log file, whatever the command,
// and no byte is left over that paints or moves.
func TestATerminalIsToldTheSame(t *testing.T) {
	t.Setenv("CI", "")
	dir := fleetOf(t, absent)
	for _, c := range commands(t) {
		lines := [][]string{{c.Name, "--nope"}, {c.Name, "--help"}}
		if c.Name != "init" { // which would write it
			lines = append(lines, slices.Concat([]string{c.Name, "-i", "nowhere.toml"}, needed(c)))
		}
		if readsInventory(c) || c.Name == "init" {
			lines = append(lines, slices.Concat([]string{c.Name, "-i", filepath.Join(dir, "inventory.toml")}, needed(c)))
		}
		for _, words := range lines {
			piped := flipdeploy(t, words...)
			code, seen := onTerminal(t, xterm, words...)
			if code != piped.code || !oneOf(seen, piped.stdout+piped.stderr, piped.stderr+piped.stdout) {
				t.Errorf("%q: code %d on a terminal, %d in a pipe\nterminal: %q\nstdout:   %q\nstderr:   %q", words, code, piped.code, seen, piped.stdout, piped.stderr)
			}
			if strings.ContainsAny(seen, "\x1b\r") {
				t.Errorf("%q: something paints: %q", words, seen)
			}
		}
	}
}

func oneOf(s string, all ...string) bool { return slices.Contains(all, s) }
