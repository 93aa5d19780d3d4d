package remote

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
)

func TestCleanTextOnlyShows(t *testing.T) {
	for text, want := range map[string]string{
		"plain\n\ttext é":           "plain\n\ttext é",
		"\x1b[31mred\x07":           `\x1b[31mred\x07`,
		"over\rwrite\r\n":           "overwrite\n",
		"c1 \u009b2J \xff":          `c1 \x9b2J \xff`,
		"\u202egnp.exe":             "\uFFFDgnp.exe",
		"a ##[error]x":              "a ## [error]x",
		"::add-mask::x\n  ::warn::": ": :add-mask::x\n  : :warn::",
		":\r:set-output":            ": :set-output",
		"std::vector":               "std::vector",
		"section_start:1:x":         "section_start :1:x",
	} {
		if got := Clean(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"", "##[x", "::x", "\x1b]52;c;\a", "\u2028::x", "#\r#[x", "section_start:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := Clean(text)
		for _, r := range got {
			if unicode.IsControl(r) && r != '\n' && r != '\t' {
				t.Fatalf("%q holds %q", got, r)
			}
		}
		for line := range strings.Lines(got) {
			if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") {
				t.Fatalf("%q is a command", line)
			}
		}
		if again := Clean(got); again != got {
			t.Fatalf("%q becomes %q when cleaned again", got, again)
		}
	})
}

func TestCaptureKeepsHeadAndTail(t *testing.T) {
	c := newCapture(10)
	for range 1000 {
		_, _ = c.Write([]byte("abc"))
	}
	text, cut := c.bytes()
	if got, want := string(text), "abcab\n[… 2990 bytes left out …]\nbcabc"; got != want || cut != 2990 {
		t.Errorf("got %q, %d; want %q", got, cut, want)
	}
}

// However the stream is cut into writes, the same comes out.
func TestFrameFindsItsMarkersInAnyPieces(t *testing.T) {
	stream := []byte("noise BEGI noise BEGIN\ndata EN END\ndata END 137\nrest 1\n")
	for size := 1; size <= len(stream); size++ {
		var out bytes.Buffer
		f := newFrame("BEGIN", "END", &out)
		for rest := stream; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			_, _ = f.Write(rest[:min(size, len(rest))])
		}
		if out.String() != "data EN END\ndata " || !f.complete() || f.status().code != 137 || f.instead() != "noise BEGI noise " {
			t.Errorf("in pieces of %d: %q, %d, %q", size, out.String(), f.status().code, f.instead())
		}
	}
}
