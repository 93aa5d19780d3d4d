package lb

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestNginxAndWeReadTheSame changes shapes at random, as typing errors do. What nginx
// accepts, we read, and our edit of it nginx accepts too.
func TestNginxAndWeReadTheSame(t *testing.T) {
	if _, err := exec.LookPath("nginx"); err != nil {
		if os.Getenv("FLIPDEPLOY_NEED") == "1" {
			t.Fatal("nginx is not installed")
		}
		t.Skip("nginx is not installed")
	}
	all := shapes(t)
	r := rand.New(rand.NewPCG(4, 2026)) //nolint:gosec // it is to be the same each time
	rounds, read := 400, 0
	if os.Getenv("FLIPDEPLOY_ORACLE") != "" {
		rounds = 20000
	}
	dir := t.TempDir()
	for range rounds {
		s := all[r.IntN(len(all))]
		if s.needs != "" || len(s.files) > 1 {
			continue
		}
		text := mistyped(r, s.files["nginx.conf"])
		if nginxSays(t, dir, text) != "" {
			continue
		}
		read++
		changed := shape{files: map[string]string{"nginx.conf": text}}
		c, err := changed.read(dir)
		if err != nil {
			t.Errorf("nginx reads it, we do not: %v\n%q", err, text)
			continue
		}
		if err := editHolds(c, func(*serverLine) bool { return true }); err != nil {
			t.Errorf("%v\n%q", err, text)
		}
		out := swapText(c, c.shopLines(t), func(l *serverLine) []splice { return l.takeOut("r1") }, func(l *serverLine) bool { return !l.down })
		if said := nginxSays(t, dir, out[dir+"/nginx.conf"]); said != "" {
			t.Errorf("nginx reads it, but not with our edit: %s\n%q", said, out[dir+"/nginx.conf"])
		}
	}
	t.Logf("%d of %d changed files were read by nginx", read, rounds)
	if read < 5 {
		t.Error("too few to say anything")
	}
}

// nginxSays is what nginx -t has against a text, "" for nothing.
func nginxSays(t *testing.T, dir, text string) string {
	t.Helper()
	if err := os.WriteFile(dir+"/nginx.conf", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("nginx", "-t", "-q", "-c", dir+"/nginx.conf", "-g", "pid "+dir+"/pid; error_log stderr;").CombinedOutput()
	if err != nil {
		return string(out) + err.Error()
	}
	return ""
}

// mistyped is text with one to three small changes.
func mistyped(r *rand.Rand, text string) string {
	bits := []string{";", "{", "}", "\"", "'", "\\", "#", "$", " ", "\n", "\r", "\t", "${", "#x\n", "\\;", "\\ ", ")", "down", " down", "\"\"", "''", ";;"}
	for range 1 + r.IntN(3) {
		at := r.IntN(len(text))
		switch r.IntN(3) {
		case 0:
			text = text[:at] + bits[r.IntN(len(bits))] + text[at:]
		case 1:
			text = text[:at] + text[min(len(text), at+1+r.IntN(3)):]
		case 2:
			to := min(len(text), at+1+r.IntN(12))
			text = text[:at] + text[at:to] + strings.Repeat(text[at:to], 1) + text[to:]
		}
		if text == "" {
			return " "
		}
	}
	return text
}
