package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flipdeploy/flipdeploy/deploy"
	"github.com/flipdeploy/flipdeploy/deploy/health"
	"github.com/flipdeploy/flipdeploy/remote/remotetest"
)

// commanded is a checker whose health command is run behind a real sshd, in home.
func commanded(t *testing.T, command ...string) (c *checker, home string) {
	t.Helper()
	home = filepath.Join(t.TempDir(), "app's $(touch owned) root")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	own := health.Vantage{Name: "web1", Dialer: ground{remotetest.Start(t).Machine(t), home}}
	from := map[string][]health.Vantage{"web1": {own}}
	check := health.Check{Kind: health.Command, Command: command, Interval: 20 * time.Millisecond, Timeout: time.Second, Deadline: 1500 * time.Millisecond}
	return &checker{check: check, from: from, own: map[string]health.Vantage{"web1": own}}, home
}

func executable(t *testing.T, home, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(home, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// It is run in app.path, as often as rise says; its end with 0 is good.
func TestAHealthCommandIsRunInTheAppsDirectory(t *testing.T) {
	c, home := commanded(t, "./healthy", "-v")
	executable(t, home, "healthy", "echo \"$*\" >> runs\n")
	if err := c.Healthy(t.Context(), "web1", "v2"); err != nil {
		t.Error(err)
	}
	if got := read(t, filepath.Join(home, "runs")); got != "-v\n-v\n-v\n" {
		t.Errorf("run as %q", got)
	}
}

func TestAHealthCommandThatFailsSaysWhy(t *testing.T) {
	c, home := commanded(t, "./healthy")
	try := "read the app's log; ask it from web1: cd '" + strings.ReplaceAll(home, "'", `'"'"'`) + "' && ./healthy"
	for _, k := range []struct{ text, want, last string }{
		{"echo starting >&2; printf 'no \\033[31mdb\\n::error::x\\n'; exit 3\n", "./healthy ended with 3: ::error::x", "::error::x"},
		{"exit 1\n", "./healthy ended with 1", ""},
		{"yes | head -c 9000000; exit 2\n", "./healthy ended with 2: y", "y"},
		{"sleep 60\n", "./healthy did not end within 1s", ""},
		{"kill -9 $$\n", "./healthy ended with 137", "Killed"},
	} {
		executable(t, home, "healthy", k.text)
		err := c.Healthy(t.Context(), "web1", "")
		if err == nil || !strings.HasPrefix(err.Error(), "not healthy from web1 within 1.5s: "+k.want) || deploy.CodeOf(err) != "FD-UNHEALTHY" || deploy.HintOf(err) != try {
			t.Errorf("%s says %v [%s]\n%s\nwant %s\n%s", k.text, err, deploy.CodeOf(err), deploy.HintOf(err), k.want, try)
			continue
		}
		said := errorEvent(err).Evidence
		if k.last == "" && len(said) > 0 || k.last != "" && (len(said) == 0 || len(said) > 20 || said[len(said)-1] != k.last) || strings.Contains(strings.Join(said, ""), "\x1b") {
			t.Errorf("%s: evidence %q", k.text, said)
		}
	}
}

// No word of it is read by a shell, and neither is the directory's.
func TestAHealthCommandIsNotReadByAShell(t *testing.T) {
	for _, word := range []string{"$(touch owned)", "`touch owned`", "; touch owned", "a\ntouch owned\n", "'; touch owned; '", "\"$(touch owned)", "* ?", "-x", "", "\\", "&& touch owned", "| touch owned", "> owned"} {
		c, home := commanded(t, "./healthy", word)
		executable(t, home, "healthy", "printf %s \"$1\" > said\n[ $# = 1 ]\n")
		if err := c.Probe(t.Context(), "web1"); err != nil {
			t.Errorf("%q: %v", word, err)
		}
		if got := read(t, filepath.Join(home, "said")); got != word {
			t.Errorf("%q came as %q", word, got)
		}
		for _, dir := range []string{home, filepath.Dir(home)} {
			if _, err := os.Stat(filepath.Join(dir, "owned")); err == nil {
				t.Errorf("%q was executed", word)
			}
		}
	}
}

// One that hangs does not stay behind.
func TestAHealthCommandThatHangsIsEnded(t *testing.T) {
	c, home := commanded(t, "./healthy")
	executable(t, home, "healthy", "echo $$ > pid\nsleep 60\n")
	if err := c.Probe(t.Context(), "web1"); err == nil || err.Error() != "from web1: ./healthy did not end within 1s" {
		t.Errorf("says %v", err)
	}
	pid := strings.TrimSpace(read(t, filepath.Join(home, "pid")))
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat("/proc/" + pid); err != nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal("it runs still")
		}
	}
}

// That its program is missing is found before anything is changed; what a release brings
// is not there yet.
func TestAHealthCommandThatIsMissingIsFoundInPreflight(t *testing.T) {
	for program, missing := range map[string]bool{"./healthy": true, "bin/healthy": true, "/nowhere/healthy": true, "no-such-program": true,
		"true": false, "/bin/true": false, "current/bin/healthy": false} {
		c, home := commanded(t, program)
		err := c.needs(t.Context(), "web1")
		if (err != nil) != missing {
			t.Errorf("%s: %v", program, err)
		}
		if want := "health.command: " + program + " is no program here, seen from " + home; missing && (err == nil || err.Error() != want || deploy.CodeOf(err) != "FD-HEALTH-COMMAND") {
			t.Errorf("says %v [%s], want %s", err, deploy.CodeOf(err), want)
		}
	}
	if err := (&checker{check: health.Check{Kind: health.TCP}}).needs(t.Context(), "web1"); err != nil {
		t.Error(err)
	}
}
