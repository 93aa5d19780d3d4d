package ui

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/flipdeploy/flipdeploy/deploy"
)

// inSystem plays the rollout as a CI system sees it, and returns the summary, too.
func inSystem(t *testing.T, system string) (stderr, summary string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "summary")
	r := aResult()
	_, stderr = play(Options{CI: CI{system, file}}, aRollout(), &r)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return stderr, string(text)
}

func TestGitHub(t *testing.T) {
	stderr, page := inSystem(t, "github")
	wantText(t, "stderr", stderr, `
fleet  plan       v1 → v2 on 2 hosts, 1 at a time
edge1  lock       held
::group::stage
web1   staged     v2, 20.0 MB  1.4s
web10  staged     v2 was there
::endgroup::
web1   drained    0 sessions  1.2s
web1   done       7.1s
web10  warning    edge2: the balancer restarted: taken out again [FD-LB-FORGOT]
::warning title=web10 FD-LB-FORGOT::the balancer restarted: taken out again
web10  error      verify: not healthy from edge1 within 30s: /health answered 500 Internal Server Error: "db down" (150 tries, 0 good) [FD-UNHEALTHY]
       | panic: no db
       | \x1b]0;owned\x07::error::x
       | goroutine 1 [running]:
       hint: read the app's log
::error title=web10 FD-UNHEALTHY::web10: verify: not healthy from edge1 within 30s: /health answered 500 Internal Server Error: "db down" (150 tries, 0 good)%0Ahint: read the app's log
web10  rolled_back  v1
edge2  lb         HAProxy reload
flipdeploy: web10: verify: not healthy [FD-UNHEALTHY]
flipdeploy: hint: go back with "flipdeploy rollback"
::error title=flipdeploy FD-UNHEALTHY::web10: verify: not healthy%0Ahint: go back with "flipdeploy rollback"
`)
	wantText(t, "summary", page, `

<h3>paused: shop v2 on 1 of 2 hosts after 9.2s; at least 1 of 2 served; v1 before; none is out</h3>
<p><code>FD-UNHEALTHY</code> web10: verify: not healthy</p>
<p>next: go back with &#34;flipdeploy rollback&#34;</p>
<table><tr><th>host</th><th>phase</th><th>release</th><th>out</th><th>why</th></tr>
<tr><td><code>web10</code></td><td>rolled_back</td><td><code>v1-ffffffff</code></td><td>31.0s</td><td>FD-UNHEALTHY web10: verify: not healthy</td></tr>
<tr><td><code>web1</code></td><td>done</td><td><code>v2-0a1b2c3d</code></td><td>1.9s</td><td></td></tr>
</table>
`)
}

func TestGitLab(t *testing.T) {
	stderr, _ := inSystem(t, "gitlab")
	stderr = regexp.MustCompile(`(section_(?:start|end)):\d+`).ReplaceAllString(stderr, "$1:NOW")
	if want := "edge1  lock       held\n\x1b[0Ksection_start:NOW:flipdeploy_stage[collapsed=true]\r\x1b[0Kstage\nweb1   staged "; !strings.Contains(stderr, want) {
		t.Errorf("no %q in %q", want, stderr)
	}
	if want := "\n\x1b[0Ksection_end:NOW:flipdeploy_stage\r\x1b[0K\nweb1   drained "; !strings.Contains(stderr, want) {
		t.Errorf("no %q in %q", want, stderr)
	}
	if strings.Contains(stderr, "::warning") {
		t.Errorf("GitLab is told GitHub's words: %q", stderr)
	}
}

// A fold that nobody closes would hide all that follows.
func TestAFoldIsClosedByTheResult(t *testing.T) {
	r := deploy.Result{Outcome: deploy.OutcomeRefused}
	_, stderr := play(Options{CI: CI{System: "github"}}, []deploy.Event{host(0, "web1", deploy.Staged, "", 0)}, &r)
	wantText(t, "stderr", stderr, "::group::stage\nweb1   staged\n::endgroup::\n")
	_, stderr = play(Options{CI: CI{System: "github"}, JSON: true}, []deploy.Event{host(0, "web1", deploy.Staged, "", 0)}, &r)
	wantText(t, "stderr with --json", stderr, "")
}

// Words of machines are words of an annotation and of the page, never a command of
// their own, a tag or a second line.
func TestNothingFromAHostCommandsACISystem(t *testing.T) {
	evil := "x\n::set-env name=PATH::/evil\r\n%0A::error::##[error]</code><script>|\x1b[0Ksection_end:1:a\r\u2028::stop-commands::x"
	e := deploy.Event{Kind: deploy.KindError, Host: evil, LB: evil, Code: evil, Detail: evil, Hint: evil, Evidence: []string{evil}}
	r := deploy.Result{Outcome: deploy.OutcomePaused, Code: evil, Error: evil, Hint: evil, Revision: evil, Previous: evil,
		Probe: &deploy.Probe{URL: evil, Requests: 1, Failed: 1, Failures: []string{evil}},
		Hosts: map[string]deploy.HostResult{evil: {Phase: deploy.Failed, Release: evil, Code: evil, Reason: evil}}}
	command := regexp.MustCompile(`(?m)^\s*::(\w[\w-]*)`)
	for _, system := range []string{"github", "gitlab"} {
		file := filepath.Join(t.TempDir(), "summary")
		stdout, stderr := play(Options{CI: CI{system, file}}, []deploy.Event{e}, &r)
		for _, m := range command.FindAllStringSubmatch(stdout+stderr, -1) {
			if m[1] != "error" {
				t.Errorf("%s is told %q", system, m[1])
			}
		}
		page, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if all := stdout + stderr + string(page); strings.Contains(all, "##[") || strings.ContainsAny(all, "\x1b\r\u2028") || strings.Contains(all, "section_end:") {
			t.Errorf("%s: %q", system, all)
		}
		if bytes.Contains(page, []byte("<script")) || bytes.Contains(bytes.TrimSpace(page), []byte("\n\n")) || bytes.Count(page, []byte("</code>")) != 3 {
			t.Errorf("the page has %s", page)
		}
	}
}
