package inventory

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRangeCountsEveryNumberOnceInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, 5000).Draw(t, "from")
		n := rapid.IntRange(1, maxRange).Draw(t, "n")
		width := rapid.IntRange(1, 6).Draw(t, "width")
		first, last := fmt.Sprintf("%0*d", width, from), fmt.Sprintf("%0*d", width, from+n-1)
		list, wrong := spread("a[" + first + ":" + last + "]z")
		if wrong != "" {
			if len(first) != len(last) && padded(first) {
				return // refused: 09:10 padded to one width, 099:1000 to none
			}
			t.Fatal(wrong)
		}
		if len(list) != n {
			t.Fatalf("%d of %d", len(list), n)
		}
		for i, s := range list {
			checkNumbered(t, s, from+i, first)
		}
	})
}

func checkNumbered(t *rapid.T, s string, want int, first string) {
	digits := strings.TrimSuffix(strings.TrimPrefix(s, "a"), "z")
	if n, err := strconv.Atoi(digits); err != nil || n != want {
		t.Fatalf("%s is not number %d", s, want)
	}
	if padded(first) && len(digits) != len(first) {
		t.Fatalf("%s is not as wide as %s", s, first)
	}
}

func TestAnythingWithoutARangeIsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[a-z0-9.:\[\]-]*`).Draw(t, "s")
		if rangeRef.MatchString(s) {
			return
		}
		if list, wrong := spread(s); wrong != "" || !reflect.DeepEqual(list, []string{s}) {
			t.Fatalf("%q: %q %s", s, list, wrong)
		}
	})
}

func TestAmountRoundsToTheSideAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Amount{N: rapid.IntRange(0, 100).Draw(t, "n"), Percent: rapid.Bool().Draw(t, "percent")}
		base := rapid.IntRange(0, 10000).Draw(t, "base")
		down, up := a.Resolve(base, false), a.Resolve(base, true)
		exact := float64(a.N)
		if a.Percent {
			exact = float64(a.N*base) / 100
		}
		if float64(down) > exact || float64(up) < exact || up-down > 1 {
			t.Fatalf("%s of %d: %d to %d", a, base, down, up)
		}
		if again, err := ParseAmount(a.String()); err != nil || again != a {
			t.Fatalf("%s reads as %s: %v", a, again, err)
		}
	})
}

func TestAmountIsANumberOrAPercentage(t *testing.T) {
	for s, want := range map[string]string{
		"":            `"" is not an amount: write 3 or "25%"`,
		"%":           `"%" is not an amount: write 3 or "25%"`,
		"2.5%":        `"2.5%" is not an amount: write 3 or "25%"`,
		"+3":          `"+3" is not an amount: write 3 or "25%"`,
		"25 %":        `"25 %" is not an amount: write 3 or "25%"`,
		"99999999999": `"99999999999" is more than any fleet has`,
		"101%":        "101% is more than all",
	} {
		if _, err := ParseAmount(s); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", s, err, want)
		}
	}
}

func TestRevision(t *testing.T) {
	for s, want := range map[string]bool{
		"v1.2.3": true, "a1b2c3d-dirty": true, "1+build_7": true, strings.Repeat("a", 64): true,
		"": false, "-rf": false, "..": false, "a/b": false, "a b": false, "a\n": false, strings.Repeat("a", 65): false,
	} {
		if ValidRevision(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}

func TestCheckRevisionSaysWhatOneIs(t *testing.T) {
	want := `"a\tb" is not a revision: 1 to 64 of A-Z a-z 0-9 . _ + -, not leading with . or -`
	if err := CheckRevision("a\tb"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := CheckRevision("v2"); err != nil {
		t.Error(err)
	}
}

func TestJumpHops(t *testing.T) {
	got, wrong := parseJump("ops@bastion:2222, [fd00::1]:22,10.0.0.1")
	want := []Jump{{"ops", "bastion", 2222}, {"", "fd00::1", 22}, {"", "10.0.0.1", 0}}
	if wrong != "" || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v %s", got, wrong)
	}
	for s, want := range map[string]string{
		"a,,b":       `"" is not an IP address or a host name`,
		"@bastion":   `"" is not a user's name: A-Z, a-z, 0-9, . _ and -, not leading with . or -`,
		"-oX@b":      `"-oX" is not a user's name: A-Z, a-z, 0-9, . _ and -, not leading with . or -`,
		"-J":         `"-J" is not an IP address or a host name`,
		"bastion:0":  `"0" is not a port (1–65535)`,
		"ops@b:ssh":  `"ssh" is not a port (1–65535)`,
		"ops@a@b:22": `"a@b" is not an IP address or a host name`,
	} {
		if _, wrong := parseJump(s); wrong != want {
			t.Errorf("%q: got %s, want %s", s, wrong, want)
		}
	}
}

func TestMeantFindsTheNearestWord(t *testing.T) {
	known := []string{"parallel", "canary", "bake", "on_failure", "on_drain_timeout"}
	for word, want := range map[string]string{
		"paralel": "parallel", "Parallel": "parallel", "cnaary": "canary", "bak": "bake", "onfailure": "on_failure",
		"zzz": "", "": "", strings.Repeat("p", 1000): "",
	} {
		if got := meant(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

func TestManyFaultsAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 150 {
		fmt.Fprintf(&b, "zz%d = 1\n", i)
	}
	_, err := Parse([]byte(b.String()), "i.toml")
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 101 || lines[100] != "and 54 more faults" || lines[0] != `i.toml:1:1: zz0: unknown key "zz0": there are app, reload, health, rollout, hooks, ssh, state, lb, host` {
		t.Errorf("%d lines, last %q", len(lines), lines[len(lines)-1])
	}
}

func TestErrorShowsNoControlByteOfThePath(t *testing.T) {
	_, err := Parse([]byte("x"), "a\x1b[31m.toml")
	if want := `a\x1b[31m.toml:1:1: not TOML: expected '=' after key`; err == nil || err.Error() != want {
		t.Errorf("got %q, want %s", err, want)
	}
}
