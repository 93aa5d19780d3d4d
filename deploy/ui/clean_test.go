package ui

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/flipdeploy/flipdeploy/deploy"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain → text\tтак 日本 👩‍💻":   "plain → text\tтак 日本 👩‍💻",
		"\x1b[31mred\x1b[0m":         `\x1b[31mred\x1b[0m`,
		"\x1b]52;c;ZXZpbA==\a":       `\x1b]52;c;ZXZpbA==\x07`,
		"a\r\nb\x00\x7f":             `a\r\nb\x00\x7f`,
		"c1 \u009b31m \x9b31m":       `c1 \u009b31m \x9b31m`,
		"bidi \u202egnp.exe\u2066":   `bidi \u202egnp.exe\u2066`,
		"line\u2028end\u200b\ufeff":  `line\u2028end\u200b\ufeff`,
		"x ##[error]y":               `x ##\[error]y`,
		"##vso[task.setvariable]":    `##vso\[task.setvariable]`,
		"::error file=x::y":          `\::error file=x::y`,
		"  ::add-mask::y":            `  \::add-mask::y`,
		"std::vector":                "std::vector",
		"section_start:1:a\r\x1b[0K": `section_start\:1:a\r\x1b[0K`,
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q)\n got %q\nwant %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "x", "\x1b[2J", "##[x", "# #[", "::x", "\xff\xfe", "\u202e", "section_start:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if !utf8.ValidString(got) || strings.Contains(got, "##[") || strings.HasPrefix(strings.TrimSpace(got), "::") {
			t.Fatalf("clean(%q) = %q", s, got)
		}
		for _, r := range got {
			if r != '\t' && unicode.IsControl(r) || misleads(r) {
				t.Fatalf("clean(%q) = %q", s, got)
			}
		}
	})
}

func TestNothingFromAHostReachesTheTerminalRaw(t *testing.T) {
	evil := "\x1b[2J\u202e##[command]\r"
	e := deploy.Event{Kind: deploy.KindError, Host: evil, LB: evil, Phase: deploy.Phase(evil), Rollout: evil,
		Detail: evil, Code: evil, Hint: evil, Evidence: []string{evil, "::" + evil}}
	r := deploy.Result{Outcome: deploy.Outcome(evil), Code: evil, Error: evil, Hint: evil, Revision: evil, Previous: evil, Rollout: evil,
		Probe: &deploy.Probe{URL: evil, Requests: 1, Failed: 1, Failures: []string{evil}},
		Hosts: map[string]deploy.HostResult{evil: {Phase: deploy.Failed, Release: evil, Code: evil, Reason: evil}}}
	for _, o := range []Options{{}, {JSON: true}} {
		for _, kind := range []deploy.Kind{deploy.KindError, deploy.KindHost, deploy.KindLB, deploy.Kind(evil)} {
			e.Kind = kind
			stdout, stderr := play(o, []deploy.Event{e}, &r)
			if all := stdout + stderr; strings.ContainsAny(all, "\x1b\r\u202e") || strings.Contains(all, "##[") {
				t.Errorf("%v %s: %q", o.JSON, kind, all)
			}
		}
	}
}
