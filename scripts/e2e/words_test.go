//go:build fleet

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fields are the words in backticks of the first column of the README's table whose
// header begins with first; with to 1, of the second.
func fields(t *testing.T, first string, column int) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n| "+first+" |")
	if !found {
		t.Fatalf("README.md has no table of %q", first)
	}
	table, _, _ = strings.Cut(table, "\n\n")
	words := map[string]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1+column], -1) {
			words[m[1]] += strings.TrimSpace(cells[1]) + " " + strings.TrimSpace(cells[2]) + ";"
		}
	}
	return words
}

// paths are the fields of a value, as the README writes them.
func paths(v any, at string) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, kid := range v {
			if at == "hosts" && kid != nil {
				k = "*" // by name
			}
			path := strings.TrimPrefix(at+"."+k, ".")
			all = append(append(all, path), paths(kid, path)...)
		}
	case []any:
		for _, item := range v {
			if _, text := item.(string); text && at != "evidence" {
				all = append(all, at+"[]")
			}
			all = append(all, paths(item, at+"[]")...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// wantInTables holds what a run wrote against the README: every field, kind, phase,
// outcome and exit code.
func wantInTables(t *testing.T, r run) {
	t.Helper()
	event, result, codes := fields(t, "event field", 0), fields(t, "result field", 0), fields(t, "code", 1)
	kinds, phases := event["kind"], event["phase"]
	lines, seq := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n"), 0.0
	for i, text := range lines {
		var m map[string]any
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		known := event
		if last := i == len(lines)-1; last {
			known = result
		}
		if (m["kind"] == "result") != (i == len(lines)-1) {
			t.Errorf("line %d of %d is of the kind %v", i+1, len(lines), m["kind"])
		}
		if n := m["seq"].(float64); n <= seq {
			t.Errorf("line %d has the number %v after %v", i+1, n, seq)
		}
		seq = m["seq"].(float64)
		for _, p := range paths(m, "") {
			if _, ok := known[p]; !ok && p != "hosts.*" {
				t.Errorf("the field %s is in no table: %s", p, text)
			}
		}
		if !strings.Contains(kinds, fmt.Sprintf("`%s`", m["kind"])) || m["phase"] != nil && !strings.Contains(phases, fmt.Sprintf("`%s`", m["phase"])) {
			t.Errorf("kind or phase is in no table: %s", text)
		}
	}
	if rows := codes[r.result["outcome"].(string)]; !strings.Contains(";"+rows, fmt.Sprintf(";%d ", r.exit)) || r.result["exit"] != float64(r.exit) {
		t.Errorf("%v with exit code %d, result %v: the table says %s", r.result["outcome"], r.exit, r.result["exit"], rows)
	}
	for name, h := range r.result["hosts"].(map[string]any) {
		if p := h.(map[string]any)["phase"]; !strings.Contains(phases, fmt.Sprintf("`%s`", p)) {
			t.Errorf("%s ended in %v", name, p)
		}
	}
}

// What real runs write is what the tables of the README say.
func TestTheTablesOfTheReadmeHold(t *testing.T) {
	fresh(t)
	wantInTables(t, rollout(t, "t1", "ok").want(t, 0, "done"))
	wantInTables(t, rollout(t, "t1", "ok").want(t, 0, "nothing"))
	wantInTables(t, rollout(t, "t2", "exit", "--bake", "0s").want(t, 7, "rolled_back"))
	wantInTables(t, flipdeploy(t, "rollback", "--json", "--parallel", "2").want(t, 0, "done"))
	wantInTables(t, flipdeploy(t, "lock", "--json", "--reason", "a test").want(t, 0, "done"))
	wantInTables(t, rollout(t, "t1", "ok").want(t, 5, "locked"))
	wantInTables(t, flipdeploy(t, "unlock", "--json", "--yes").want(t, 0, "done"))
	wantInTables(t, flipdeploy(t, "pause", "--json").want(t, 0, "nothing"))
	wantInTables(t, flipdeploy(t, "rollout", "--json", "--artifact", "/nowhere").want(t, 1, "refused"))
	wantInTables(t, flipdeploy(t, "rollout", "--json", "--parallel", "0").want(t, 2, "refused"))
	wantInTables(t, flipdeploy(t, "drain", "--json", "web2").want(t, 0, "done"))
	wantStatus(t, "web2", "drain", "hand")
	wantInTables(t, flipdeploy(t, "ready", "--json", "web2").want(t, 0, "done"))
	wantStatus(t, "web2", "ready", "")
}

// wantStatus: status --json is one object, with the fields of the table and no other.
func wantStatus(t *testing.T, host, state, owner string) {
	t.Helper()
	r := flipdeploy(t, "status", "--json")
	known := fields(t, "status field", 0)
	var status map[string]any
	if err := json.Unmarshal([]byte(r.stdout), &status); err != nil || r.exit != 0 {
		t.Fatalf("%v: %s", err, r)
	}
	written := paths(map[string]any{"": status}, "")
	for i := range written {
		written[i] = strings.TrimPrefix(written[i], ".")
	}
	for _, p := range written {
		if _, ok := known[p]; !ok && !slices.Contains([]string{"", "hosts", "lbs", "hosts[].lbs", "problems"}, p) {
			t.Errorf("the field %s is in no table", p)
		}
	}
	for _, h := range status["hosts"].([]any) {
		h := h.(map[string]any)
		if seat := h["lbs"].([]any)[0].(map[string]any); h["name"] == host && (seat["state"] != state || seat["owner"] != owner || h["running"] != true || h["healthy"] != true) {
			t.Errorf("%s stands at %v", host, h)
		}
	}
}

// A rollout tells the lines of testdata, in a pipe and on a terminal of 40 columns (where
// all is shown, on one of 80, too), there with one bar below them that is gone at the end.
func TestARolloutOnATerminal(t *testing.T) {
	if _, err := exec.LookPath("script"); err != nil {
		t.Fatal(err)
	}
	fresh(t)
	piped := flipdeploy(t, rolloutOf(t, "w1")...).want(t, 0, "done")
	told(t, "in a pipe", strings.Split(strings.TrimSuffix(piped.stderr+piped.stdout, "\n"), "\n"))
	for i, cols := range []int{40, 80} {
		if i > 0 && !whole() {
			break
		}
		bars, lines := screen(onTerminal(t, cols, rolloutOf(t, fmt.Sprintf("w%d", i+2))))
		told(t, fmt.Sprintf("on %d columns", cols), lines)
		flipping := 0
		for _, b := range bars {
			switch {
			case strings.HasPrefix(b, "flipping "):
				flipping++
			case !strings.HasPrefix(b, "staging "):
				t.Errorf("no bar, and no line: %q", b)
			}
			if len([]rune(b)) > cols-1 {
				t.Errorf("a bar of %d columns wraps: %q", len([]rune(b)), b)
			}
		}
		t.Logf("%d columns: %d lines, %d frames, %d of them while flipping", cols, len(lines), len(bars), flipping)
		if flipping < 10 {
			t.Errorf("only %d frames", flipping)
		}
	}
}

func rolloutOf(t *testing.T, version string) []string {
	t.Helper()
	return inventory("rollout", "--parallel", "2", "--artifact", build(t, version, "ok"), "--revision", version)
}

// onTerminal is all that a terminal of so many columns got, outside of CI.
func onTerminal(t *testing.T, cols int, args []string) string {
	t.Helper()
	line := strings.Join(append([]string{"../fleet", "run", binary}, args...), " ")
	cmd := exec.Command("script", "-qec", fmt.Sprintf("stty cols %d; exec %s", cols, line), filepath.Join(t.TempDir(), "typescript"))
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); name != "CI" && name != "GITHUB_ACTIONS" && name != "GITLAB_CI" {
			cmd.Env = append(cmd.Env, pair)
		}
	}
	cmd.Env = append(cmd.Env, "TERM=xterm")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// told compares the lines of a rollout, but for what varies, with testdata.
func told(t *testing.T, where string, lines []string) {
	t.Helper()
	const file = "testdata/words/rollout.want"
	got := strings.Join(timeless(lines), "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || got != string(want) {
		t.Errorf("%s it told\n%swant\n%s%v", where, got, want, err)
	}
}

// screen takes what a terminal got apart: the frames of the bar that were drawn over,
// and the lines that stayed.
func screen(text string) (bars, lines []string) {
	text = regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(strings.ReplaceAll(text, "\r\n", "\n"), "")
	for _, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		frames := strings.Split(line, "\r\x1b[J")
		for _, b := range frames[:len(frames)-1] {
			if b = strings.TrimSuffix(strings.TrimPrefix(b, "\x1b[?7l"), "\x1b[?7h\r"); b != "" {
				bars = append(bars, b)
			}
		}
		lines = append(lines, frames[len(frames)-1])
	}
	return bars, lines
}

// How a release is staged is chosen by measured speed: as a delta, packed, or whole.
var times = regexp.MustCompile(`\b[0-9.]+m?s\b|\b[0-9.]+ [kM]?B\b|\bv0\b|\bw[123]\b|\bstaged .*`)

// timeless are lines without durations, sizes, ways of staging and revisions, hosts
// that go side by side in one order.
func timeless(lines []string) (all []string) {
	for _, l := range lines {
		all = append(all, strings.Join(strings.Fields(times.ReplaceAllString(l, "_")), " "))
	}
	slices.Sort(all)
	return all
}
