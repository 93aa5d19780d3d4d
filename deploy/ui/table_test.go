package ui

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestATableIsStraightAndItsCellsAreHarmless(t *testing.T) {
	table := Table{Head: []string{"host", "runs", "edge1"}}
	table.Add("web1", "v1-0123abcd", "ready")
	table.Add("web10", "", "maint\x1b[31m")
	table.Add("wéb", "v2", "")
	want := "host   runs         edge1\n" +
		"web1   v1-0123abcd  ready\n" +
		"web10  -            maint\\x1b[31m\n" +
		"wéb    v2"
	wantText(t, "table", strings.Join(table.Lines(), "\n"), want)
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 999: "999 B", 1500: "1.5 kB", 2_345_678: "2.3 MB"} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// Escapes of JSON's own: a program reads what was said, a terminal and a CI system
// see nothing to obey.
func TestJSONIsHarmlessAndReadsTheSame(t *testing.T) {
	was := "a<b> \x1b[31m \u009b2J \u202e ##[error] ##vso[x] section_start:1 \x7f"
	var b bytes.Buffer
	if err := WriteJSON(&b, map[string]string{"is": was}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"\x1b", "\u009b", "\u202e", "##[", "##vso[", "section_start:", "\x7f"} {
		if strings.Contains(b.String(), bad) {
			t.Errorf("%q is in %s", bad, b.String())
		}
	}
	var got map[string]string
	if err := json.Unmarshal(b.Bytes(), &got); err != nil || got["is"] != was {
		t.Errorf("%v: %q, want %q", err, got["is"], was)
	}
}
