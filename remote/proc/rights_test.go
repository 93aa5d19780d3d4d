package proc

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Only a sudo that is known to read regular expressions is given some: it takes a file with
// one that it cannot read for broken.
func TestPatternsOfEachSudo(t *testing.T) {
	for said, want := range map[string]Patterns{
		"Sudo version 1.9.10\n":       Regexps,
		"Sudo version 1.9.13p3\n":     Regexps,
		"Sudo version 1.10.0\n":       Regexps,
		"Sudo version 2.0.0\n":        Regexps,
		"Sudo version 1.9.9\n":        Wildcards,
		"Sudo version 1.9.5p2\n":      Wildcards,
		"Sudo version 1.8.31\n":       Wildcards,
		"sudo-rs 0.2.8\n":             NoPatterns,
		"Sudo version unknown\n":      Wildcards,
		"needs /usr/bin/kill <pid>\n": Wildcards,
		"":                            Wildcards,
	} {
		if got := patterns(answers([]byte(said))); got != want {
			t.Errorf("%q: %v, want %v", said, got, want)
		}
	}
}

// Each sudo is asked which it is, whatever it warns of first and wherever it says so.
func TestTheSudoOfAHostIsAsked(t *testing.T) {
	for said, want := range map[string]Patterns{
		"echo 'Sudo version 1.9.13p3'; echo 'Sudoers policy plugin version 1.9.13p3'":                           Regexps,
		"echo 'sudo: unable to resolve host web1: Name or service not known' >&2; echo 'Sudo version 1.9.13p3'": Regexps,
		"echo 'Sudo version 1.9.5p2'": Wildcards,
		"echo 'sudo-rs 0.2.5' >&2":    NoPatterns,
		"echo 'sudo: unable to resolve host web1' >&2; echo 'sudo-rs 0.2.5' >&2":    NoPatterns,
		"echo 'sudo: /etc/sudo.conf is owned by uid 1000, should be 0' >&2; exit 1": Wildcards,
	} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "sudo"), []byte("#!/bin/sh\n[ \"$1\" != -V ] || { "+said+"; exit; }\nexit 1\n"), 0o755))
		h := header(map[string]string{"sudo": "1", "me": "1000", "owner": "33", "method": "signal", "signals": "HUP", "port": "80",
			"commandsudo": "0", "pidfile": "", "unit": "", "start": "", "stop": "", "command": "", "check": "", "needs": ""})
		out, err := local{env: []string{"PATH=" + dir + ":" + os.Getenv("PATH")}}.Run(t.Context(), h+checkScript)
		must(t, err)
		if got := answers(out); patterns(got) != want || len(got["denied"]) != 1 || !strings.HasSuffix(got["denied"][0], "/kill -HUP <pid>") {
			t.Errorf("%s: patterns %v, want %v; %q", said, patterns(got), want, out)
		}
	}
}

// A dance sends more than its first signal, and its way back others.
func TestSignalsOfADance(t *testing.T) {
	c := Config{Signal: "USR2", Steps: []Step{{Signal: "USR2"}, {Start: true}, {Signal: "WINCH"}, {Signal: "QUIT"}}, Back: []Step{{Signal: "HUP"}, {Signal: "QUIT"}}}
	if got := c.signals(); !slices.Equal(got, []string{"USR2", "WINCH", "QUIT", "HUP"}) {
		t.Errorf("got %q", got)
	}
}

// The lines that an error shows are those that this sudo reads.
func TestADeniedCommandComesWithItsLine(t *testing.T) {
	for p, want := range map[Patterns]string{Wildcards: "/usr/bin/kill -HUP [0-9]*", Regexps: "/usr/bin/kill ^-HUP " + number + "$", NoPatterns: "/usr/bin/kill"} {
		var e *Error
		if err := deniedError("deploy", []string{"/usr/bin/kill -HUP <pid>"}, p); !errors.As(err, &e) ||
			!slices.Equal(e.Evidence(), []string{"deploy ALL=(root) NOPASSWD: " + want}) ||
			e.Error() != "processes: sudo does not let deploy run: /usr/bin/kill -HUP <pid>" {
			t.Errorf("patterns %v: %v, %q", p, err, e.Evidence())
		}
	}
}
